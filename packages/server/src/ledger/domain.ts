/*
 * What became of the exposures that applications made, by arm:
 *
 *   produced = stored + dropped + lost + in flight
 *
 * `produced` and `dropped` are what each instance said last, `stored` is what was counted here. What is missing between them is
 * in flight while the instance is heard, and lost once it is silent; it comes back as stored, late, if it arrives after all.
 */
import { independenceTest, srmTest } from "@belay/stats";
import type { LedgerLine } from "../store/events/index.ts";

/** Where the exposures of one arm are. */
export interface ArmAccount {
  readonly experiment?: string;
  readonly release?: string;
  readonly variant: string;
  readonly produced: number;
  readonly stored: number;
  /** Given up by the applications themselves, and said so. */
  readonly dropped: number;
  readonly lost: number;
  readonly inFlight: number;
  /** Sent again and counted once; not a part of `produced`. */
  readonly duplicates: number;
  /** Of `stored`, those sent more than a minute after they were made. */
  readonly late: number;
}

export interface InstanceAccount extends ArmAccount {
  readonly instance: string;
  /** RFC 3339; absent when it was not heard for 7 days. */
  readonly seenAt?: string;
}

/**
 * What is wrong with an experiment's arms: their assignment is not as designed, or losing exposures depends on the arm, or
 * both. `unknown`: too few units, or no one split says how it was designed.
 */
export type SkewVerdict = "even" | "skewed-assignment" | "skewed-loss" | "skewed-both" | "unknown";

export interface SkewReport {
  readonly experiment?: string;
  readonly release?: string;
  readonly verdict: SkewVerdict;
  /** Of "the arms were produced in the designed shares". */
  readonly assignmentP?: number;
  /** Of "every arm loses the same share". 1 when nothing was lost. */
  readonly lossP?: number;
}

/** An arm's share by design; any positive scale. */
export type Weights = ReadonlyMap<string, number>;

/** @param silentAfterMs an instance not heard for so long sends nothing any more. */
export function accountOf(line: LedgerLine, nowMs: number, silentAfterMs: number): InstanceAccount {
  const { instance, experiment, release, variant, stored, duplicates, late = 0, seenAtMs } = line;
  // An instance may be killed after its events came and before its report did.
  const produced = Math.max(line.produced, stored);
  // One that gave up on events whose acknowledgement it missed dropped nothing.
  const dropped = Math.min(line.dropped, produced - stored);
  const missing = produced - stored - dropped;
  const isHeard = seenAtMs !== undefined && nowMs - seenAtMs < silentAfterMs;
  return {
    instance,
    ...(seenAtMs === undefined ? {} : { seenAt: new Date(seenAtMs).toISOString() }),
    ...(experiment === undefined ? {} : { experiment }),
    ...(release === undefined ? {} : { release }),
    variant,
    produced,
    stored,
    dropped,
    lost: isHeard ? 0 : missing,
    inFlight: isHeard ? missing : 0,
    duplicates,
    late,
  };
}

/** The accounts of all instances added up, arm by arm. */
export function sumByArm(accounts: readonly InstanceAccount[]): ArmAccount[] {
  const sums = new Map<string, ArmAccount>();
  for (const { instance: _, seenAt: __, ...account } of accounts) {
    const key = JSON.stringify([account.experiment ?? null, account.release ?? null, account.variant]);
    const sum = sums.get(key);
    sums.set(key, sum === undefined ? account : add(sum, account));
  }
  return [...sums.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, sum]) => sum);
}

/** What is wrong with each experiment and release. @param weightsOf undefined where no design is known. */
export function skewsOf(
  arms: readonly ArmAccount[],
  weightsOf: (subject: Pick<ArmAccount, "experiment" | "release">) => Weights | undefined,
): SkewReport[] {
  const subjects = new Map<string, ArmAccount[]>();
  for (const arm of arms) {
    const key = JSON.stringify([arm.experiment ?? null, arm.release ?? null]);
    subjects.set(key, [...(subjects.get(key) ?? []), arm]);
  }
  return [...subjects.values()].map((of) => skewOf(of, weightsOf(of[0] ?? {})));
}

/** A mismatch by chance once in a thousand experiments. */
const ALPHA = 0.001;

function skewOf(arms: readonly ArmAccount[], weights: Weights | undefined): SkewReport {
  const { experiment, release } = arms[0] ?? {};
  const assignmentP = weights === undefined ? undefined : assignmentPOf(arms, weights);
  const lossP = lossPOf(arms);
  return {
    ...(experiment === undefined ? {} : { experiment }),
    ...(release === undefined ? {} : { release }),
    verdict: verdictOf(assignmentP, lossP),
    ...(assignmentP === undefined ? {} : { assignmentP }),
    ...(lossP === undefined ? {} : { lossP }),
  };
}

function verdictOf(assignmentP: number | undefined, lossP: number | undefined): SkewVerdict {
  const isAssignment = assignmentP !== undefined && assignmentP < ALPHA;
  const isLoss = lossP !== undefined && lossP < ALPHA;
  if (isAssignment) return isLoss ? "skewed-both" : "skewed-assignment";
  if (isLoss) return "skewed-loss";
  return assignmentP === undefined || lossP === undefined ? "unknown" : "even";
}

/** On what was produced: what was lost on the way cannot bend it. */
function assignmentPOf(arms: readonly ArmAccount[], weights: Weights): number | undefined {
  const variants = [...new Set([...weights.keys(), ...arms.map(({ variant }) => variant)])];
  const produced = new Map(arms.map((arm) => [arm.variant, arm.produced]));
  const test = srmTest({
    counts: variants.map((variant) => produced.get(variant) ?? 0),
    weights: variants.map((variant) => weights.get(variant) ?? 0),
  });
  if (test.status !== "ok") return undefined;
  // An arm that was given no share and has units all the same is no matter of chance.
  return test.impossibleArms.length > 0 ? 0 : test.pValue;
}

function lossPOf(arms: readonly ArmAccount[]): number | undefined {
  if (arms.length < 2) return undefined;
  const table = arms.map(({ stored, dropped, lost }) => [stored, dropped + lost]);
  if (table.every(([, gone]) => gone === 0)) return 1;
  const test = independenceTest(table);
  return test.status === "ok" ? test.pValue : undefined;
}

function add(a: ArmAccount, b: ArmAccount): ArmAccount {
  return {
    ...a,
    produced: a.produced + b.produced,
    stored: a.stored + b.stored,
    dropped: a.dropped + b.dropped,
    lost: a.lost + b.lost,
    inFlight: a.inFlight + b.inFlight,
    duplicates: a.duplicates + b.duplicates,
    late: a.late + b.late,
  };
}
