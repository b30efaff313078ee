/*
 * What a release stands on when it starts: the variant of everybody else and a flag that nobody rolled out by hand, or the arms
 * of an experiment that runs. Pure.
 */
import { percentFromPpm } from "@belay/core";
import type { ExperimentKey, Part, ReleaseArm, Targeting, VariantName } from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";
import { trackedParts } from "../experiments/readiness.ts";
import { liveFlag } from "../flags/domain.ts";
import { rolloutState, sharePpm } from "../flags/rollout.ts";
import { range, SHARE_SPACE, SPLIT_SPACE } from "../flags/weights.ts";
import type { ProjectState, ReleaseDocument } from "../state/workspace.ts";
import type { ReleasePlace } from "./document.ts";
import { exposedPpm, isOf, rolloutParts, withoutShare } from "./exposure.ts";
import { partShare, spaceOf } from "./placement.ts";
import { ppmOf } from "./plan.ts";
import { isLive } from "./states.ts";

/** Frozen into a release when it starts. */
export interface Ground {
  readonly variant: VariantName;
  readonly control: VariantName;
  readonly arms?: readonly ReleaseArm[];
}

/** The ground of a release, or why it has none. */
export function groundOf(place: ReleasePlace, release: ReleaseDocument): Ground | Refusal {
  const { flag, experiment } = release;
  const held = liveFlag(place.project, flag);
  if ("code" in held) return held;
  const owner = [...place.environment.releases].find(([, { body }]) => body.flag === flag && isLive(body.state));
  if (owner !== undefined) return refuse("release_owns_flag", { key: owner[0] });
  if (held.body.spaces.share.legacy !== undefined) {
    const reason = "its space was imported with another hash, which guardrails cannot place units by";
    return refuse("invalid_field", { field: "flag", received: flag, reason });
  }
  return experiment === undefined ? groundOfFlag(place, release) : groundOfExperiment(place, release, experiment);
}

function groundOfFlag({ project, environment, key }: ReleasePlace, { flag, variant }: ReleaseDocument): Ground | Refusal {
  const targeting = environment.targetings.get(flag)?.body;
  const control = controlOf(targeting);
  if (targeting === undefined || !targeting.enabled || control === undefined || control === variant) {
    const reason = `the flag must be on in ${key}'s environment, with one other variant as its fallthrough`;
    return refuse("invalid_field", { field: "flag", received: flag, reason });
  }
  const running = runningIn(project, targeting);
  if (running !== undefined) {
    const reason = `its rollout is the split of the running experiment ${running}: release that`;
    return refuse("invalid_field", { field: "flag", received: flag, reason });
  }
  const rolledOut = rolloutState(targeting);
  if (rolledOut !== undefined && rolledOut.percentage > 0) {
    return refuse("flag_rolled_out", { flag, percentage: rolledOut.percentage });
  }
  return { variant, control };
}

/** The running experiment whose split a rollout is. */
function runningIn({ experiments }: ProjectState, targeting: Targeting): ExperimentKey | undefined {
  const tracks = rolloutParts(targeting)[0]?.tracks;
  const experiment = tracks !== undefined && "experiment" in tracks ? tracks.experiment : undefined;
  return experiment !== undefined && experiments.get(experiment)?.body.status === "running" ? experiment : undefined;
}

function controlOf(targeting: Targeting | undefined): VariantName | undefined {
  const serve = targeting?.fallthrough;
  return serve !== undefined && "variant" in serve ? serve.variant : undefined;
}

/** An experiment that runs, its split inside a share that stands no higher than the first stage: nobody falls out by the start. */
function groundOfExperiment(place: ReleasePlace, release: ReleaseDocument, experiment: ExperimentKey): Ground | Refusal {
  const { project, environment } = place;
  const held = project.experiments.get(experiment);
  if (held === undefined) return refuse("experiment_not_found", { key: experiment });
  const { status, flag, control, treatments } = held.body;
  if (status !== "running") return refuse("wrong_status", { key: experiment, current: status, needed: "running" });
  const targeting = environment.targetings.get(release.flag)?.body;
  const [variant] = treatments;
  const isElsewhere = held.body.environment !== environment.key || flag !== release.flag;
  if (isElsewhere || targeting === undefined || variant === undefined) {
    return unfit(experiment, "its flag or its environment is another one than when the release was drafted");
  }
  const parts = rolloutParts(targeting);
  const fault = splitFault(project, { targeting, parts, ...held.body }, experiment);
  if (fault !== undefined) return unfit(experiment, fault);
  const standing = exposedPpm(targeting, { variant, experiment });
  if (standing > ppmOf(release, 0)) return refuse("flag_rolled_out", { flag, percentage: percentFromPpm(standing) });
  return { variant, control, arms: parts.map((part) => ({ variant: part.variant, draws: withoutShare(part.draws) })) };
}

interface Split {
  readonly targeting: Targeting;
  readonly parts: readonly Part[];
  readonly flag: string;
  readonly control: VariantName;
  readonly treatments: readonly VariantName[];
}

/** Why the split of an experiment cannot be ramped: its units could not be placed, or its share moved without moving arms. */
function splitFault(project: ProjectState, split: Split, experiment: ExperimentKey): string | undefined {
  const { targeting, parts, flag, control, treatments } = split;
  if (!targeting.enabled) return "its flag is switched off";
  if (!isOf(experiment, parts) || trackedParts(targeting, experiment).length !== parts.length) {
    return "the last rule of its flag, `rollout`, must hold its whole split, and nothing else may track it";
  }
  const standing = sharePpm(parts[0] as Part) ?? 0;
  if (!parts.every((part) => isInside(part, standing))) {
    return "each part of its split must draw from the space `split`, inside one share of the space `share` from 0 on";
  }
  const arms = parts.map(({ variant, draws }) => ({ variant, draws: withoutShare(draws) }));
  const names = [control, ...treatments];
  if (arms.some(({ variant }) => !names.includes(variant)) || names.some((name) => sizeOf(arms, name) === 0)) {
    return "its split must serve control and each treatment, and nothing else";
  }
  if (overlap(parts)) return "the parts of its split must not overlap";
  return spaceFault(project, flag, parts);
}

/** Does a part take its piece of the split from just those whom the share lets in? */
function isInside({ draws }: Part, standing: number): boolean {
  const share = draws.filter(({ space }) => space === SHARE_SPACE);
  const isOne = share.length === 1 && JSON.stringify(share[0]?.in) === JSON.stringify(range(0, standing));
  return isOne && draws.some(({ space }) => space === SPLIT_SPACE);
}

function sizeOf(arms: readonly ReleaseArm[], name: VariantName): number {
  return arms.reduce((sum, arm) => (arm.variant === name ? sum + partShare(arm) : sum), 0);
}

function overlap(parts: readonly Part[]): boolean {
  const ranges = parts
    .flatMap(({ draws }) => draws.filter(({ space }) => space === SPLIT_SPACE).flatMap((draw) => draw.in))
    .sort(([a], [b]) => a - b);
  return ranges.some(([from], index) => from < (ranges[index - 1]?.[1] ?? 0));
}

/** Guardrails place a unit by one name in all of its spaces, as SDKs do. */
function spaceFault(project: ProjectState, flag: string, parts: readonly Part[]): string | undefined {
  const by = spaceOf(project, flag, SHARE_SPACE)?.by;
  const spaces = parts.flatMap(({ draws }) => draws.map((draw) => spaceOf(project, flag, draw.space)));
  if (spaces.some((space) => space === undefined || space.legacy !== undefined)) {
    return "guardrails cannot place units by a space that was imported with another hash";
  }
  return spaces.every((space) => space?.by === by) ? undefined : "all spaces it draws from must go by the same attribute";
}

function unfit(experiment: ExperimentKey, reason: string): Refusal {
  return refuse("invalid_field", { field: "experiment", received: experiment, reason });
}
