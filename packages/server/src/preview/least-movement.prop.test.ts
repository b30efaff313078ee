import type { Draw, ServeDraft, ShareBounds, Targeting, TargetingDraft } from "@belay/protocol";
import { type Dice, seeded } from "@belay/testkit";
import { expect, it } from "vitest";
import { normaliseServe } from "../flags/weights.ts";
import { leastMovement } from "./least-movement.ts";
import { movementBetween } from "./movement.ts";
import { intersect, lengthOf, type Ranges, subtract, take, union } from "./ranges.ts";
import type { Definitions } from "./walk.ts";

const EDITS = 500;
const SEED = 11;
const NAMES = ["a", "b", "c", "d", "e"];
const VARIANTS = { a: 1, b: 2, c: 3, d: 4, e: 5 };

/** Weights in ppm that sum to a whole, some of them nothing. */
function weightsOf(dice: Dice): ReadonlyMap<string, number> {
  const names = dice.shuffled(NAMES).slice(0, 2 + dice.below(4));
  const edges = [0, ...names.slice(1).map(() => dice.below(1_000_001)), 1_000_000].sort((x, y) => x - y);
  return new Map(names.map((name, i) => [name, (edges[i + 1] as number) - (edges[i] as number)]));
}

const percentages = (weights: ReadonlyMap<string, number>): { [name: string]: number } =>
  Object.fromEntries([...weights].map(([name, ppm]) => [name, ppm / 10_000]));

const definitionsOf = (targeting: Targeting): Definitions => ({
  flag: () => ({ type: "number", variants: VARIANTS, spaces: { share: { salt: "s1" }, split: { salt: "s2" } }, ...targeting }),
  segment: () => undefined,
  space: () => undefined,
});

/** The share of a split; nobody says it, or everybody takes part, as often as not. */
const shareOf = (dice: Dice): number | undefined =>
  dice.pick([undefined, 100, 1 + dice.below(99), dice.below(1_000_001) / 10_000]);

const ppmOf = (share: number | undefined): number => Math.round((share ?? 100) * 10_000);

function draftOf(weights: ReadonlyMap<string, number>, share: number | undefined): TargetingDraft {
  const fallthrough = { weights: percentages(weights), ...(share === undefined ? {} : { share }) };
  return { enabled: true, rules: [], fallthrough };
}

function normalised({ fallthrough }: TargetingDraft): Targeting {
  const serve = normaliseServe(fallthrough as ServeDraft, NAMES, "fallthrough");
  if ("code" in serve) throw new Error(serve.code);
  return { enabled: true, rules: [], fallthrough: serve };
}

function changedBetween(before: Targeting, after: Targeting): ShareBounds {
  const { basis, changed } = movementBetween(definitionsOf(before), definitionsOf(after), "f");
  expect(basis).toBe("exact");
  return changed;
}

it(`moves exactly the total variation, through ${EDITS} edits each made on the one before (seed ${SEED})`, () => {
  const dice = seeded(SEED);
  let [weights, share] = [weightsOf(dice), shareOf(dice)];
  let targeting = normalised(draftOf(weights, share));
  let [most, fewer] = [0, 0];
  for (let edit = 0; edit < EDITS; edit += 1) {
    const [next, nextShare] = [weightsOf(dice), edit % 2 === 0 ? share : shareOf(dice)];
    const draft = draftOf(next, nextShare);
    const planned = leastMovement(targeting, draft) as Targeting;
    const lost = NAMES.reduce((sum, name) => sum + Math.max(0, (weights.get(name) ?? 0) - (next.get(name) ?? 0)), 0);
    // Who takes part throughout moves by the total variation of the weights; who enters or leaves cannot but move. In whole
    // units of 10^-12: no rounding, so nothing but the bound itself will do.
    const [before, after] = [ppmOf(share), ppmOf(nextShare)];
    const least = (Math.abs(after - before) * 1_000_000 + Math.min(before, after) * lost) / 1e10;
    expect(changedBetween(targeting, planned)).toEqual({ min: least, max: least });
    const asSent = changedBetween(targeting, normalised(draft));
    expect(asSent.min).toBeGreaterThanOrEqual(least);
    if (asSent.min > least) fewer += 1;
    const parts = planned.fallthrough !== undefined && "split" in planned.fallthrough ? planned.fallthrough.split : [];
    const held = new Map(parts.map(({ variant, draws }) => [variant, lengthOf((draws.at(-1) as Draw).in)]));
    for (const name of NAMES) expect(held.get(name) ?? 0).toBe(next.get(name) ?? 0);
    most = Math.max(most, ...parts.map(({ draws }) => (draws.at(-1) as Draw).in.length));
    [targeting, weights, share] = [planned, next, nextShare];
  }
  expect(fewer).toBeGreaterThan(300);
  // A draw holds at most 1,000 ranges; what is freed and taken in order does not crumble.
  expect(most).toBeLessThan(200);
});

it("leaves what is not a plain division of the split space to the edit as sent", () => {
  const live: Targeting = { enabled: true, rules: [], fallthrough: { variant: "a" } };
  expect(leastMovement(live, { enabled: true, rules: [], fallthrough: { weights: { a: 50, b: 50 } } })).toBeUndefined();
  const uneven: Targeting = {
    ...live,
    fallthrough: {
      split: [
        {
          variant: "a",
          draws: [
            { space: "share", in: [[0, 10]] },
            { space: "split", in: [[0, 500_000]] },
          ],
        },
        { variant: "b", draws: [{ space: "split", in: [[500_000, 1_000_000]] }] },
      ],
    },
  };
  expect(leastMovement(uneven, { enabled: true, rules: [], fallthrough: { weights: { a: 40, b: 60 } } })).toBeUndefined();
});

it("counts points as sets do, on 2,000 random pairs of ranges", () => {
  const dice = seeded(SEED);
  const line = (): Ranges => {
    const edges = [...new Set(Array.from({ length: 6 }, () => dice.below(21)))].sort((x, y) => x - y);
    return Array.from({ length: Math.floor(edges.length / 2) }, (_, i) => [edges[2 * i] as number, edges[2 * i + 1] as number]);
  };
  const points = (ranges: Ranges): number[] =>
    ranges.flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i));
  for (let run = 0; run < 2_000; run += 1) {
    const [a, b] = [line(), line()];
    const inB = new Set(points(b));
    expect(points(intersect(a, b))).toEqual(points(a).filter((point) => inB.has(point)));
    expect(points(subtract(a, b))).toEqual(points(a).filter((point) => !inB.has(point)));
    expect(points(union(a, b))).toEqual([...new Set([...points(a), ...inB])].sort((x, y) => x - y));
    expect(points(take(a, 5))).toEqual(points(a).slice(0, 5));
  }
});
