import { ppmFromPercent } from "@belay/core";
import type { Draw, Part, Ppm, Serve, ServeDraft, Targeting, TargetingDraft, VariantName, Weighted } from "@belay/protocol";
import { SPLIT_SPACE, shareDraw } from "../flags/weights.ts";
import { intersect, lengthOf, type Ranges, subtract, take, union, WHOLE_SPACE } from "./ranges.ts";

/** The draft with each of its weights as the parts that move least from what is live; `undefined` where it has none such. */
export function leastMovement(live: Targeting, draft: TargetingDraft): TargetingDraft | undefined {
  let isFound = false;
  const place = (serve: ServeDraft, before: Serve | undefined): ServeDraft => {
    const placed = "weights" in serve ? placeWeights(serve, before) : undefined;
    isFound ||= placed !== undefined;
    return placed ?? serve;
  };
  const rules = draft.rules.map((rule) => ({
    ...rule,
    serve: place(rule.serve, live.rules.find(({ id }) => id === rule.id)?.serve),
  }));
  const fallthrough = draft.fallthrough === undefined ? {} : { fallthrough: place(draft.fallthrough, live.fallthrough) };
  return isFound ? { ...draft, rules, ...fallthrough } : undefined;
}

function placeWeights({ weights, share, tracks }: Weighted, before: Serve | undefined): Serve | undefined {
  const live = before !== undefined && "split" in before ? rangesByVariant(before.split) : undefined;
  const ppms = Object.keys(weights)
    .sort()
    .map((variant) => [variant, ppmFromPercent(weights[variant] ?? 0) ?? 0] as const);
  const sharePpm = share === undefined ? undefined : ppmFromPercent(share);
  if (live === undefined) return undefined;
  const outer = sharePpm === undefined ? [] : [shareDraw(sharePpm)];
  const parts = [...reallocate(live, new Map(ppms))]
    .filter(([, ranges]) => ranges.length > 0)
    .map(([variant, ranges]): Part => {
      const draws: Draw[] = [...outer, { space: SPLIT_SPACE, in: ranges }];
      return { variant, draws, ...(tracks === undefined ? {} : { tracks }) };
    });
  return { split: parts };
}

/**
 * The allocation that gives variants new weights and moves as few units as possible: a variant that shrinks keeps its
 * first points, one that grows keeps all of its own and takes what became free. What moves is the sum of what variants
 * lose, and no allocation can move less: the total variation between the two divisions.
 *
 *   before         aaaaaaaabbbbbbcccccc      40 / 30 / 30
 *   side by side   aaaabbbbbbcccccccccc      20 / 30 / 50: all three shift, and 40 % move
 *   reallocated    aaaaccccbbbbbbcccccc      20 % move
 */
function reallocate(
  before: ReadonlyMap<VariantName, Ranges>,
  weights: ReadonlyMap<VariantName, Ppm>,
): ReadonlyMap<VariantName, Ranges> {
  const kept = new Map([...weights].map(([variant, ppm]) => [variant, take(before.get(variant) ?? [], ppm)]));
  let free = [...kept.values()].reduce<Ranges>(subtract, WHOLE_SPACE);
  const grown = new Map<VariantName, Ranges>();
  for (const [variant, ppm] of weights) {
    const own = kept.get(variant) ?? [];
    const taken = take(free, ppm - lengthOf(own));
    free = subtract(free, taken);
    grown.set(variant, union(own, taken));
  }
  return grown;
}

/** What each variant holds of the split space; `undefined` when a part does not divide it exactly once, or some take part whom others do not. */
function rangesByVariant(parts: readonly Part[]): ReadonlyMap<VariantName, Ranges> | undefined {
  const held = new Map<VariantName, Ranges>();
  const outers = new Set<string>();
  let free: Ranges = WHOLE_SPACE;
  for (const { variant, draws } of parts) {
    const [draw, ...more] = draws.filter(({ space }) => space === SPLIT_SPACE);
    outers.add(JSON.stringify(draws.filter(({ space }) => space !== SPLIT_SPACE)));
    if (draw === undefined || more.length > 0 || outers.size > 1) return undefined;
    const own = intersect(draw.in, free);
    held.set(variant, union(held.get(variant) ?? [], own));
    free = subtract(free, own);
  }
  return held;
}
