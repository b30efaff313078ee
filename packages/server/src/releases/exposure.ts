/*
 * What a release does to the targeting of its flag, and how far somebody else's edit exposes more.
 *
 *   rules: ...those of people... | release-audience: segment -> variant | rollout: a comparison, tracked for the release
 *
 * The comparison grows from both ends, so that below half nobody changes arm: see `flags/rollout.ts`. Of an experiment the
 * rollout is its own split, of which the release moves the share alone: nobody changes arm at all.
 */
import type { Draw, ExperimentKey, Part, Ppm, ReleaseArm, Rule, SegmentKey, Targeting, VariantName } from "@belay/protocol";
import { SPACE_PPM } from "@belay/protocol";
import { isSame } from "../control/decision.ts";
import { ROLLOUT_RULE, sharePpm, withShare } from "../flags/rollout.ts";
import { range, SHARE_SPACE, SPLIT_SPACE, shareDraw } from "../flags/weights.ts";
import type { ReleaseDocument } from "../state/workspace.ts";

const AUDIENCE_RULE = "release-audience";

/** Who is to get what. */
export interface Exposure {
  readonly release: string;
  readonly variant: VariantName;
  readonly control: VariantName;
  readonly ppm: Ppm;
  readonly audience?: SegmentKey;
}

/** The targeting with the exposure of a stage; epochs are not stamped yet. */
export function expose(targeting: Targeting, { release, variant, control, ppm, audience }: Exposure): Targeting {
  const part = (of: VariantName, from: Ppm, to: Ppm): Part => ({
    variant: of,
    draws: [{ space: SHARE_SPACE, in: range(from, to) }],
    tracks: { release },
  });
  const split = [part(variant, 0, ppm), part(control, SPACE_PPM - Math.min(ppm, SPACE_PPM - ppm), SPACE_PPM)];
  const insiders: Rule[] = audience === undefined ? [] : [{ id: AUDIENCE_RULE, when: { segment: audience }, serve: { variant } }];
  return { ...targeting, rules: [...ofPeople(targeting), ...insiders, { id: ROLLOUT_RULE, serve: { split } }] };
}

/** So many units in an experiment, in the arms it had when the release started. */
export interface Admission extends Pick<Exposure, "ppm" | "audience"> {
  readonly experiment: ExperimentKey;
  readonly arms: readonly ReleaseArm[];
}

/**
 * The targeting with so much of an experiment's share, and its split as it was; epochs are not stamped yet. Whoever is of the
 * audience gets the arm that is theirs at any share, and is not recorded: they were chosen, and are no sample.
 */
export function admit(targeting: Targeting, { experiment, arms, ppm, audience }: Admission): Targeting {
  const insiders: Rule[] =
    audience === undefined ? [] : [{ id: AUDIENCE_RULE, when: { segment: audience }, serve: { split: arms } }];
  const split = arms.map(({ variant, draws }): Part => ({ variant, draws: [shareDraw(ppm), ...draws], tracks: { experiment } }));
  const rollout: Rule = { ...ruleOf(targeting, ROLLOUT_RULE), id: ROLLOUT_RULE, serve: { split } };
  return { ...targeting, rules: [...ofPeople(targeting), ...insiders, rollout] };
}

/** The parts by which a targeting's rollout serves; none without one. */
export function rolloutParts(targeting: Targeting): readonly Part[] {
  const serve = ruleOf(targeting, ROLLOUT_RULE)?.serve;
  return serve !== undefined && "split" in serve ? serve.split : [];
}

/** What a part draws besides the share. */
export function withoutShare(draws: readonly Draw[]): Draw[] {
  return draws.filter(({ space }) => space !== SHARE_SPACE);
}

/** What a release raises. */
type Raised = Pick<ReleaseDocument, "variant" | "experiment">;

/**
 * The targeting with nobody exposed by the release: of a plain flag as it was before, of an experiment with its split as it is
 * at a share of 0. A rollout that is no longer the experiment's is left alone.
 */
export function withdraw(targeting: Targeting, { experiment }: Pick<Raised, "experiment"> = {}): Targeting {
  if (experiment === undefined) return { ...targeting, rules: ofPeople(targeting) };
  const [rule, parts] = [ruleOf(targeting, ROLLOUT_RULE), rolloutParts(targeting)];
  if (rule === undefined || !isOf(experiment, parts)) return targeting;
  const shut: Rule = { ...rule, serve: { split: parts.map((part) => withShare(part, 0, 0)) } };
  return { ...targeting, rules: [...ofPeople(targeting), shut] };
}

/** Share of the flag's space that gets a variant, or is in an experiment, by the rollout; 0 while the flag is off. */
export function exposedPpm(targeting: Targeting, { variant, experiment }: Raised): Ppm {
  const parts = rolloutParts(targeting);
  if (!targeting.enabled) return 0;
  if (experiment === undefined) return parts[0]?.variant === variant ? (sharePpm(parts[0]) ?? 0) : 0;
  // An arm that was lowered alone is not what any stage gives.
  return isOf(experiment, parts) ? Math.min(...parts.map((part) => sharePpm(part) ?? 0)) : 0;
}

/** Is the flag's rollout what a release, or the experiment it ramped, made of it? */
export function isMovedBy(targeting: Targeting, release: string, { experiment }: Pick<Raised, "experiment">): boolean {
  const parts = rolloutParts(targeting);
  if (experiment !== undefined) return isOf(experiment, parts);
  return (
    parts.length > 0 && parts.every(({ tracks }) => tracks !== undefined && "release" in tracks && tracks.release === release)
  );
}

/** Do these parts, one at least, record exposures of an experiment, and of nothing else? */
export function isOf(experiment: string, parts: readonly Part[]): boolean {
  return (
    parts.length > 0 &&
    parts.every(({ tracks }) => tracks !== undefined && "experiment" in tracks && tracks.experiment === experiment)
  );
}

/**
 * May an edit show something new to anybody? Only what surely does not is let through: switching off, taking the rollout
 * or the audience away, and moving the rollout down with all else as it is.
 */
export function mayRaise(before: Targeting | undefined, after: Targeting): boolean {
  if (!after.enabled) return false;
  if (before === undefined || !before.enabled) return true;
  if (!isSame({ ...before, rules: ofPeople(before) }, { ...after, rules: ofPeople(after) })) return true;
  return isRaisedRule(ruleOf(before, AUDIENCE_RULE), ruleOf(after, AUDIENCE_RULE)) || isRaisedRollout(before, after);
}

function isRaisedRule(before: Rule | undefined, after: Rule | undefined): boolean {
  return after !== undefined && (before === undefined || !isSame(before, after));
}

function isRaisedRollout(before: Targeting, after: Targeting): boolean {
  const [was, is] = [ruleOf(before, ROLLOUT_RULE), ruleOf(after, ROLLOUT_RULE)];
  if (is === undefined || isShut(rolloutParts(after))) return false;
  if (was === undefined || !isSame(withoutShares(was), withoutShares(is))) return true;
  const [from, to] = [rolloutParts(before), rolloutParts(after)];
  if (!isDivided(to)) return (shareOf(to[0]) ?? SPACE_PPM) > (shareOf(from[0]) ?? 0);
  // Each part of a split takes units of its own: none may be let in where none was.
  return to.some((part, index) => !isWithin(part, from[index]));
}

/** Does it draw nobody? Then it shows nobody anything, whatever it would show. */
function isShut(parts: readonly Part[]): boolean {
  return parts.length > 0 && parts.every((part) => sharePpm(part) === 0);
}

/** Do its parts share out the units that the share lets in? The control of a comparison may grow while treatment shrinks. */
function isDivided(parts: readonly Part[]): boolean {
  return parts.some(({ draws }) => draws.some(({ space }) => space === SPLIT_SPACE));
}

function shareOf(part: Part | undefined): Ppm | undefined {
  return part === undefined ? 0 : sharePpm(part);
}

function isWithin(part: Part, before: Part | undefined): boolean {
  const known = before?.draws.find(({ space }) => space === SHARE_SPACE)?.in ?? [];
  const drawn = part.draws.find(({ space }) => space === SHARE_SPACE)?.in ?? [];
  return drawn.every(([from, to]) => known.some(([start, end]) => from >= start && to <= end));
}

/** A rollout's rule with what a move of its share changes taken out: the ranges, and the epoch that follows from them. */
function withoutShares(rule: Rule): object {
  if (!("split" in rule.serve)) return rule;
  const split = rule.serve.split.map(({ tracks, draws, ...part }) => ({
    ...part,
    tracks: tracks === undefined ? null : { ...tracks, epoch: null },
    draws: draws.map((draw) => (draw.space === SHARE_SPACE ? null : draw)),
  }));
  return { ...rule, serve: { split } };
}

function ofPeople({ rules }: Targeting): Rule[] {
  return rules.filter(({ id }) => id !== ROLLOUT_RULE && id !== AUDIENCE_RULE);
}

function ruleOf({ rules }: Targeting, wanted: string): Rule | undefined {
  return rules.find(({ id }) => id === wanted);
}
