/*
 * Finished answers for one context, as the server gives them (OFREP's bulk evaluation), in the form of a snapshot that
 * serves each to everybody: so whatever holds, keeps or hydrates rules does the same with answers.
 */
import { type Decide, failure, type Outcome, pointOf, type Tracked } from "@belay/core/compact";
import type { EvaluationContext, FlagKey, Json, Reason, Snapshot, SnapshotFlag } from "@belay/protocol";

/** What the server said of one flag. */
interface Answer {
  readonly key: FlagKey;
  /** Absent: the caller's default. */
  readonly value?: Json;
  readonly variant?: string;
  readonly reason?: Reason;
  readonly errorCode?: Outcome["errorCode"];
  /** What Belay says of the answer, and behind it what the flag's owner says. */
  readonly metadata?: { readonly epoch?: number } & Partial<
    Record<"flagSetId" | "version" | "ruleId" | "unit" | "experiment" | "release", string>
  >;
}

/** A bulk evaluation as it came. */
export interface Bulk {
  readonly flags: readonly Answer[];
  readonly metadata: { readonly flagSetId: string; readonly version: string };
  /** Where a change is told. */
  readonly eventStreams: readonly { readonly endpoint: { readonly requestUri: string } }[];
}

/** Answers, and for whom. */
interface AnswerSnapshot extends Snapshot {
  readonly flags: { readonly [key: FlagKey]: SnapshotFlag & { readonly answer: Answer } };
  readonly whom: string;
}

/** Are these answers for this context? Rules a page was rendered with are for whoever it was rendered for. */
export function isFor(snapshot: Snapshot | undefined, context: EvaluationContext): boolean {
  return (snapshot as Partial<AnswerSnapshot> | undefined)?.whom === whomOf(context);
}

export function snapshotOf({ flags, metadata: { flagSetId, version } }: Bulk, context: EvaluationContext): AnswerSnapshot {
  const [project = "", environment = ""] = flagSetId.split("/");
  const entries = flags.map((answer) => [answer.key, flagOf(answer)] as const);
  const document = { format: 1 as const, project, environment, revision: Number(version), spaces: {}, segments: {} };
  return { ...document, flags: Object.fromEntries(entries), whom: whomOf(context) };
}

/** A context in a word that tells nothing about it. */
function whomOf(context: EvaluationContext): string {
  const text = JSON.stringify(context);
  return `${pointOf("whom", text)}-${pointOf("answers", text)}`;
}

function flagOf(answer: Answer): AnswerSnapshot["flags"][string] {
  const { value, variant = "served", metadata = {} } = answer;
  const { flagSetId: _, version: _v, ruleId: _r, unit: _u, experiment: _e, release: _l, epoch: _p, ...own } = metadata;
  const type = typeof value as SnapshotFlag["type"];
  const served = value === undefined ? { variants: {} } : { variants: { [variant]: value }, fallthrough: { variant } };
  return { type, enabled: true, rules: [], ...served, ...(Object.keys(own).length > 0 && { metadata: own }), answer };
}

/** Says what the server said. The context is the one that the answers are for. */
export function answersOf({ flags }: Snapshot): Decide {
  const outcomes = new Map(Object.entries(flags).map(([key, flag]) => [key, outcomeOf(flag as AnswerSnapshot["flags"][string])]));
  return (key) => outcomes.get(key) ?? failure("FLAG_NOT_FOUND");
}

function outcomeOf({ answer, variants }: Partial<AnswerSnapshot["flags"][string]>): Outcome {
  // A page rendered from values alone has no more than those.
  if (answer === undefined) return { value: Object.values(variants ?? {})[0], reason: "STATIC" };
  const { value, variant, reason = "ERROR", errorCode, metadata: { ruleId, unit, epoch, experiment, release } = {} } = answer;
  const arm = {
    ...(experiment ? { experiment } : { release }),
    ...(epoch !== undefined && { epoch }),
    variant: variant ?? "",
  };
  const tracks = unit === undefined ? undefined : { arm: arm as Tracked["arm"], unit: () => unit };
  return { value, variant, reason, ruleId, errorCode, tracks };
}
