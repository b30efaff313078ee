import type { Draw, Targeting } from "@belay/protocol";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Refusal } from "../control/decision.ts";
import { type Moved, moveRollout, rolloutState } from "./rollout.ts";
import { normaliseServe } from "./weights.ts";

const FLAG = { type: "boolean", variants: { on: true, off: false } } as const;
const EMPTY: Targeting = { enabled: true, off: "off", rules: [], fallthrough: { variant: "off" } };
const COMPARISON: Targeting = {
  ...EMPTY,
  rules: [
    {
      id: "rollout",
      serve: {
        split: [
          { variant: "on", draws: [{ space: "share", in: [] }], tracks: { release: "r" } },
          { variant: "off", draws: [{ space: "share", in: [] }], tracks: { release: "r" } },
        ],
      },
    },
  ],
};
const ppm = fc.oneof(
  fc.constantFrom(0, 1, 499_999, 500_000, 500_001, 999_999, 1_000_000),
  fc.integer({ min: 0, max: 1_000_000 }),
);

const moved = (targeting: Targeting, to: number): Moved => {
  const result: Moved | Refusal = moveRollout(targeting, FLAG, to, undefined);
  if ("code" in result) throw new Error(result.code);
  return result;
};

/** The range of the share space each part of the rollout draws, as [from, to]. */
const ranges = (targeting: Targeting): readonly [number, number][] => {
  const serve = targeting.rules.at(-1)?.serve;
  if (serve === undefined || !("split" in serve)) throw new Error("no split");
  return serve.split.map(({ draws }) => rangeOf(draws[0]));
};
const rangeOf = (draw: Draw | undefined): [number, number] => [draw?.in[0]?.[0] ?? 0, draw?.in[0]?.[1] ?? 0];

describe("a plain rollout", () => {
  it("is [0, x) wherever it came from, and says what it was", () => {
    fc.assert(
      fc.property(fc.array(ppm, { minLength: 1, maxLength: 20 }), (steps) => {
        let targeting = EMPTY;
        let before = 0;
        for (const step of steps) {
          const result = moved(targeting, step);
          expect(result.fromPpm).toBe(before);
          ({ targeting } = result);
          before = step;
          expect(ranges(targeting)).toEqual([[0, step]]);
          expect(rolloutState(targeting)).toEqual({ percentage: step / 10_000, variant: "on" });
        }
        expect(targeting.rules).toHaveLength(1);
      }),
    );
  });
});

describe("a comparison", () => {
  it("grows from both ends without overlap, and below half moves nobody between its arms", () => {
    fc.assert(
      fc.property(ppm, ppm, (first, second) => {
        const [low, high] = [Math.min(first, second), Math.max(first, second)];
        const [lowArms, highArms] = [low, high].map((to) => ranges(moved(moved(COMPARISON, first).targeting, to).targeting));
        for (const [[, treatmentEnd], [controlStart, controlEnd]] of [lowArms, highArms] as [
          [number, number],
          [number, number],
        ][]) {
          if (controlEnd > 0) expect(treatmentEnd).toBeLessThanOrEqual(controlStart);
          if (controlEnd > 0) expect(controlEnd).toBe(1_000_000);
        }
        const [treatment, control] = highArms as [[number, number], [number, number]];
        const [smaller, smallerControl] = lowArms as [[number, number], [number, number]];
        expect(smaller[1]).toBeLessThanOrEqual(treatment[1]);
        if (high <= 500_000 && smallerControl[1] > 0) expect(control[0]).toBeLessThanOrEqual(smallerControl[0]);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe("weights", () => {
  it("cover the space exactly once, whatever order they are written in", () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: 999_999 }), { maxLength: 8 });
    fc.assert(
      fc.property(cuts, fc.boolean(), (points, isReversed) => {
        const edges = [0, ...points.sort((a, b) => a - b), 1_000_000];
        const weights = edges.slice(1).map((edge, index) => [`v${index}`, (edge - (edges[index] ?? 0)) / 10_000] as const);
        const written = Object.fromEntries(isReversed ? [...weights].reverse() : weights);
        const serve = normaliseServe({ weights: written }, Object.keys(written), "serve");
        if (!("split" in serve)) throw new Error("refused");
        expect(serve.split.map(({ draws }) => rangeOf(draws[0]))).toEqual(
          edges.slice(1).map((edge, index) => [edges[index] ?? 0, edge]),
        );
      }),
    );
  });
});
