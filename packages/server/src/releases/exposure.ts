/*
 * What a release does to the targeting of its flag, and how far somebody else's edit exposes more.
 *
 *   rules: ...those of people... | release-audience: segment -> variant | rollout: a comparison, tracked for the release
 *
 * The comparison grows from both ends, so that below half nobody changes arm: see `flags/rollout.ts`.
 */
import { canonicalJson } from "@belay/core";
import { type Part, type Ppm, type Rule, type SegmentKey, SPACE_PPM, type Targeting, type VariantName } from "@belay/protocol";
import { asJson } from "../control/decision.ts";
import { ROLLOUT_RULE, sharePpm } from "../flags/rollout.ts";
import { range, SHARE_SPACE } from "../flags/weights.ts";

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

/** The targeting as it was before the release: nobody is exposed by it. */
export function withdraw(targeting: Targeting): Targeting {
  return { ...targeting, rules: ofPeople(targeting) };
}

/** Share of the flag's space that gets a variant by the rollout; 0 while the flag is off. */
export function exposedPpm(targeting: Targeting, variant: VariantName): Ppm {
  const first = firstPart(targeting);
  return targeting.enabled && first?.variant === variant ? (sharePpm(first) ?? 0) : 0;
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
  if (is === undefined) return false;
  if (was === undefined || !isSame(withoutShares(was), withoutShares(is))) return true;
  const [from, to] = [firstPart(before), firstPart(after)];
  return (to === undefined ? 0 : (sharePpm(to) ?? SPACE_PPM)) > (from === undefined ? 0 : (sharePpm(from) ?? 0));
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

function firstPart(targeting: Targeting): Part | undefined {
  const serve = ruleOf(targeting, ROLLOUT_RULE)?.serve;
  return serve !== undefined && "split" in serve ? serve.split[0] : undefined;
}

function isSame(a: object, b: object): boolean {
  return canonicalJson(asJson(a)) === canonicalJson(asJson(b));
}
