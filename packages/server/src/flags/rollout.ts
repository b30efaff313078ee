import { percentFromPpm } from "@belay/core";
import {
  type FlagType,
  type Json,
  type Part,
  type Ppm,
  type RolloutState,
  type Rule,
  SPACE_PPM,
  type Targeting,
  type VariantName,
} from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";
import { range, SHARE_SPACE, SPLIT_SPACE, shareDraw } from "./weights.ts";

/** Id of the rule that a rollout moves: always the last one, for everybody. */
export const ROLLOUT_RULE = "rollout";

/*
 *  plain:        0 ███████████ x ················································ 1,000,000     one part, [0, x)
 *  comparison:   0 ██ treatment ██ x ············ middle ············ 1e6-y ██ control ██ 1e6    y = min(x, 1e6 - x)
 *
 * Raising x moves nobody out, and below 50 % no unit of a comparison ever changes its arm.
 */

/** The targeting with its rollout moved to `ppm`, the variant it serves and where it stood. */
export interface Moved {
  readonly targeting: Targeting;
  readonly variant: VariantName;
  readonly fromPpm: Ppm;
}

/**
 * Moves the rollout of a targeting, or starts one.
 *
 * @param variant what the share gets; the one rolled out already, or a boolean flag's true variant, when absent.
 */
export function moveRollout(
  targeting: Targeting,
  flag: { readonly type: FlagType; readonly variants: { readonly [name: VariantName]: Json } },
  ppm: Ppm,
  variant: VariantName | undefined,
): Moved | Refusal {
  if (variant !== undefined && !Object.hasOwn(flag.variants, variant)) {
    return refuse("unknown_variant", { field: "variant", received: variant, allowed: Object.keys(flag.variants) });
  }
  const rule = rolloutRule(targeting);
  return rule === undefined ? startRollout(targeting, flag, ppm, variant) : moveRule(targeting, rule, ppm, variant);
}

/** Where the rollout of a targeting stands; `undefined` without one. */
export function rolloutState(targeting: Targeting): RolloutState | undefined {
  const first = rolloutRule(targeting)?.serve.split[0];
  return first === undefined ? undefined : { percentage: percentFromPpm(sharePpm(first) ?? 0), variant: first.variant };
}

/**
 * The variant of a rollout whose percentage says nothing of who gets it, since the fallthrough gives it to all the others and
 * neither is recorded: whoever reads 0 would believe it gone, while everybody has it. `undefined` where it does say so.
 */
export function idleVariant(targeting: Targeting): VariantName | undefined {
  const { fallthrough } = targeting;
  const parts = rolloutRule(targeting)?.serve.split;
  if (parts === undefined || fallthrough === undefined || !("variant" in fallthrough)) return undefined;
  const isIdle = parts.every(({ variant, tracks }) => variant === fallthrough.variant && tracks === undefined);
  return isIdle ? fallthrough.variant : undefined;
}

/** Why a rule with the reserved id cannot be what a rollout moves; `undefined` when it can, or when there is none. */
export function reservedRuleFault(rules: readonly Rule[]): { readonly field: string; readonly reason: string } | undefined {
  const index = rules.findIndex(({ id }) => id === ROLLOUT_RULE);
  const rule = rules[index];
  if (rule === undefined) return undefined;
  const field = `rules[${index}]`;
  if (index !== rules.length - 1) return { field: `${field}.id`, reason: "the rule `rollout` must be the last one" };
  if (rule.when !== undefined) return { field: `${field}.when`, reason: "the rule `rollout` is for everybody" };
  if (
    !("split" in rule.serve) ||
    rule.serve.split.length === 0 ||
    rule.serve.split.some((part) => sharePpm(part) === undefined)
  ) {
    return { field: `${field}.serve`, reason: "each part of the rule `rollout` must draw once from the space `share`" };
  }
  return undefined;
}

type SplitRule = Rule & { readonly serve: { readonly split: readonly Part[] } };

function rolloutRule(targeting: Targeting): SplitRule | undefined {
  const last = targeting.rules.at(-1);
  return last?.id === ROLLOUT_RULE && "split" in last.serve ? (last as SplitRule) : undefined;
}

function startRollout(
  targeting: Targeting,
  flag: { readonly type: FlagType; readonly variants: { readonly [name: VariantName]: Json } },
  ppm: Ppm,
  wanted: VariantName | undefined,
): Moved | Refusal {
  const variant =
    wanted ?? (flag.type === "boolean" ? Object.keys(flag.variants).find((name) => flag.variants[name] === true) : undefined);
  if (variant === undefined) {
    const reason = "the first rollout of this flag must say which variant";
    return refuse("invalid_field", { field: "variant", allowed: Object.keys(flag.variants), reason });
  }
  const rule: Rule = { id: ROLLOUT_RULE, serve: { split: [{ variant, draws: [shareDraw(ppm)] }] } };
  return { targeting: { ...targeting, rules: [...targeting.rules, rule] }, variant, fromPpm: 0 };
}

function moveRule(targeting: Targeting, rule: SplitRule, ppm: Ppm, wanted: VariantName | undefined): Moved | Refusal {
  const parts = rule.serve.split;
  const treatment = parts[0] as Part;
  if (wanted !== undefined && wanted !== treatment.variant && parts.length > 1) {
    const reason = "this rollout serves several variants; change them with the targeting";
    return refuse("invalid_field", { field: "variant", received: wanted, allowed: [treatment.variant], reason });
  }
  const variant = wanted ?? treatment.variant;
  const split = isComparison(parts)
    ? [withShare(treatment, 0, ppm), withShare(parts[1] as Part, SPACE_PPM - Math.min(ppm, SPACE_PPM - ppm), SPACE_PPM)]
    : parts.map((part) => withShare(parts.length === 1 ? { ...part, variant } : part, 0, ppm));
  const rules = [...targeting.rules.slice(0, -1), { ...rule, serve: { split } }];
  return { targeting: { ...targeting, rules }, variant, fromPpm: sharePpm(treatment) ?? 0 };
}

/** Treatment first, tracked control second, neither dividing the split space: the arms grow from both ends. */
function isComparison(parts: readonly Part[]): boolean {
  return (
    parts.length === 2 &&
    parts.every(({ draws }) => draws.every(({ space }) => space !== SPLIT_SPACE)) &&
    parts[1]?.tracks !== undefined
  );
}

/** A part that draws another range of the share space, all else as it is. */
export function withShare(part: Part, from: Ppm, to: Ppm): Part {
  return { ...part, draws: part.draws.map((draw) => (draw.space === SHARE_SPACE ? { ...draw, in: range(from, to) } : draw)) };
}

/** Points of the share space a part draws; `undefined` unless it draws exactly once from it. */
export function sharePpm(part: Part): Ppm | undefined {
  const draws = part.draws.filter(({ space }) => space === SHARE_SPACE);
  return draws.length === 1 ? draws[0]?.in.reduce((sum, [from, to]) => sum + to - from, 0) : undefined;
}
