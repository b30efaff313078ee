import { percentFromPpm, ppmFromPercent } from "@belay/core";
import type {
  FlagKey,
  FlagTargeting,
  RolloutDraft,
  RolloutResult,
  Rule,
  Serve,
  ServeDraft,
  Targeting,
  TargetingDraft,
} from "@belay/protocol";
import { asJson, type Decision, type Edit, isSame, type Refusal, refuse } from "../control/decision.ts";
import { environmentStream } from "../control/streams.ts";
import type { EnvironmentState, Held, ProjectState } from "../state/workspace.ts";
import { armMoves, refuseMoves, type Subject } from "./arms.ts";
import { flagNotFound, liveFlag } from "./domain.ts";
import { stampEpochs } from "./epochs.ts";
import { lowered, standingPpm } from "./lowering.ts";
import { idleVariant, moveRollout, reservedRuleFault } from "./rollout.ts";
import { targetingView } from "./views.ts";
import { normaliseServe } from "./weights.ts";

/** Rules of how a flag decides in one environment: pure, `(state, command) -> decision`. */

/** Where a command of this file applies. */
export interface Place {
  readonly project: ProjectState;
  readonly environment: EnvironmentState;
  readonly flag: FlagKey;
}

/** Replaces a targeting whole. Weights become parts, epochs are stamped. */
export function putTargeting(place: Place, { reason: _, newEpoch = false, ...draft }: TargetingDraft): Decision<FlagTargeting> {
  const subject = subjectOf(place);
  if ("code" in subject) return subject;
  const normalised = normalise(draft, Object.keys(subject.flag.variants));
  if ("code" in normalised) return normalised;
  const fault = reservedRuleFault(normalised.rules);
  if (fault !== undefined) return refuse("invalid_field", fault);
  const { moving, opened } = armMoves(place, subject, normalised);
  if (!newEpoch && moving.length > 0) return refuseMoves(moving);
  const after = stampEpochs(subject.targeting.body, normalised, place.environment.revision + 1, opened);
  return replaceTargeting(place, subject.targeting, after, "targeting.edit", (held) =>
    targetingView(place.project, place.environment, place.flag, held),
  );
}

/**
 * Moves the share of the reserved rule `rollout`; starts one where the flag has none. Going down is never refused for the
 * sake of an experiment: it is how harm is stopped, and units that change arms by it do so in a new epoch.
 */
export function setRollout(place: Place, { percentage, variant, newEpoch = false }: RolloutDraft): Decision<RolloutResult> {
  const ppm = ppmFromPercent(percentage);
  if (ppm === undefined) return refuse("invalid_percentage", { field: "percentage", received: percentage });
  const subject = subjectOf(place);
  if ("code" in subject) return subject;
  const moved = moveRollout(subject.targeting.body, subject.flag, ppm, variant);
  if ("code" in moved) return moved;
  const idle = idleVariant(moved.targeting);
  if (idle !== undefined) return refuse("rollout_idle", { variant: idle, flag: place.flag });
  const { moving, opened } = armMoves(place, subject, moved.targeting);
  if (!newEpoch && ppm >= moved.fromPpm && moving.length > 0) return refuseMoves(moving);
  const after = stampEpochs(subject.targeting.body, moved.targeting, place.environment.revision + 1, opened);
  return replaceTargeting(place, subject.targeting, after, "rollout.set", ({ revision }) => ({
    project: place.project.key,
    environment: place.environment.key,
    flag: place.flag,
    percentage,
    from: percentFromPpm(moved.fromPpm),
    variant: moved.variant,
    enabled: after.enabled,
    revision,
  }));
}

/** Switches a flag on or off without touching its rules: off, everybody gets its `off` variant. */
export function setEnabled(place: Place, enabled: boolean): Decision<FlagTargeting> {
  const subject = subjectOf(place);
  if ("code" in subject) return subject;
  const after = { ...subject.targeting.body, enabled };
  return replaceTargeting(place, subject.targeting, after, enabled ? "flag.enable" : "flag.disable", (held) =>
    targetingView(place.project, place.environment, place.flag, held),
  );
}

/** Moves the rollout down, for whoever may do nothing else just now: more than there is, or where there is none, is refused. */
export function lowerRollout(place: Place, percentage: number): Decision<FlagTargeting> {
  const ppm = ppmFromPercent(percentage);
  if (ppm === undefined) return refuse("invalid_percentage", { field: "percentage", received: percentage });
  const subject = subjectOf(place);
  if ("code" in subject) return subject;
  const standing = standingPpm(subject.targeting.body);
  if (standing === undefined || ppm > standing) {
    const stands = standing === undefined ? "there is no rollout" : `the rollout stands at ${percentFromPpm(standing)} %`;
    return refuse("invalid_field", { field: "percentage", received: percentage, reason: `${stands}: this only lowers one` });
  }
  const idle = idleVariant(subject.targeting.body);
  if (idle !== undefined) return refuse("rollout_idle", { variant: idle, flag: place.flag });
  const after = lowered(subject.targeting.body, subject.flag, { ppm, revision: place.environment.revision + 1 });
  return replaceTargeting(place, subject.targeting, after, "rollout.set", (held) =>
    targetingView(place.project, place.environment, place.flag, held),
  );
}

function subjectOf({ project, environment, flag }: Place): Subject | Refusal {
  const held = liveFlag(project, flag);
  if ("code" in held) return held;
  const targeting = environment.targetings.get(flag);
  return targeting === undefined ? flagNotFound(project, flag) : { flag: held.body, targeting };
}

/** A draft as it is kept: weights become parts. */
export function normalise(
  { rules: ruleDrafts, fallthrough, ...rest }: Omit<TargetingDraft, "reason" | "newEpoch">,
  variants: readonly string[],
): Targeting | Refusal {
  const rules: Rule[] = [];
  const ids = new Set<string>();
  for (const [index, rule] of ruleDrafts.entries()) {
    const field = `rules[${index}]`;
    if (ids.has(rule.id))
      return refuse("invalid_field", { field: `${field}.id`, received: rule.id, reason: "another rule has this id" });
    ids.add(rule.id);
    const serve = normaliseServe(rule.serve, variants, `${field}.serve`);
    if ("code" in serve) return serve;
    rules.push({ ...rule, serve });
  }
  const last = normaliseFallthrough(fallthrough, variants);
  return "code" in last ? last : { ...rest, rules, ...last };
}

function normaliseFallthrough(draft: ServeDraft | undefined, variants: readonly string[]): { fallthrough?: Serve } | Refusal {
  if (draft === undefined) return {};
  const serve = normaliseServe(draft, variants, "fallthrough");
  return "code" in serve ? serve : { fallthrough: serve };
}

function replaceTargeting<A>(
  { project, environment, flag }: Place,
  held: Held<Targeting>,
  after: Targeting,
  action: string,
  answer: (held: Held<Targeting>) => A,
): Decision<A> {
  if (isSame(after, held.body)) {
    return { kind: "unchanged", answer: answer(held), revision: held.revision };
  }
  const revision = environment.revision + 1;
  const edit: Edit<A> = {
    kind: "edit",
    action,
    stream: { project: project.key, environment: environment.key },
    target: { kind: "flag", key: flag },
    raises: [environmentStream(project, environment)],
    documents: [{ kind: "targeting", project: project.key, environment: environment.key, key: flag, body: asJson(after) }],
    before: asJson(held.body),
    after: asJson(after),
    answer: answer({ body: after, revision }),
    revision,
  };
  return edit;
}
