import { describe, expect, it } from "vitest";
import { effectDecay, type PeriodEffect } from "./decay.ts";
import { expectClose, value } from "./reference.fixture.ts";

const at = (effects: readonly number[], variance: number): PeriodEffect[] =>
  effects.map((each, time) => ({ time, value: each, variance }));

describe("decay of an effect", () => {
  it("finds the curve that the effects lie on, of either sign, also a growing one", () => {
    for (const [initial, rate] of [
      [4, Math.LN2],
      [-0.02, 0.1],
      [1, -0.05],
    ] as const) {
      const periods = at(
        Array.from({ length: 8 }, (_, time) => initial * Math.exp(-rate * time)),
        1e-6 * initial * initial,
      );
      const found = value(effectDecay(periods));
      expectClose(found.rate, rate, 1e-4, "rate", 1e-5);
      expectClose(found.initial, initial, 1e-3);
      expectClose(found.latest, initial * Math.exp(-7 * rate), 1e-3);
      if (rate > 0) expectClose(found.halfLife ?? 0, Math.LN2 / rate, 1e-3);
      else expect(found.halfLife).toBeUndefined();
    }
  });

  it("holds the true rate in 95 % of its intervals, and finds a decay where there is none in 5 % (1,000 runs each)", () => {
    const normal = normals(20_261_123);
    for (const rate of [0.08, 0]) {
      let covered = 0;
      let found = 0;
      for (let run = 0; run < 1_000; run += 1) {
        const periods = at(
          Array.from({ length: 12 }, (_, time) => 0.05 * Math.exp(-rate * time) + 0.008 * normal()),
          0.008 ** 2,
        );
        const decay = value(effectDecay(periods));
        const { low = Number.NEGATIVE_INFINITY, high = Number.POSITIVE_INFINITY } = decay.interval;
        if (low <= rate && rate <= high) covered += 1;
        if (decay.pValue < 0.05) found += 1;
      }
      expect(covered).toBeGreaterThanOrEqual(930);
      expect(covered).toBeLessThanOrEqual(975);
      if (rate === 0) expect(found).toBeLessThanOrEqual(70);
      else expect(found).toBeGreaterThan(900);
    }
  });

  it("says nothing of the rate where there is no effect to lose", () => {
    const decay = value(effectDecay(at([0.1, -0.2, 0.1, 0, -0.1], 1)));
    expect([decay.interval.low, decay.interval.high]).toEqual([undefined, undefined]);
    expect(decay.pValue).toBeGreaterThan(0.5);
  });

  it("needs three periods, and passes over those nobody measured", () => {
    const few = { status: "insufficient", reason: "too-few-strata" };
    expect(effectDecay(at([4, 2], 1))).toEqual(few);
    expect(effectDecay([...at([4, 2], 1), { time: 2, value: 1, variance: 0 }])).toEqual(few);
    expect(effectDecay(at([4, 2, 1], 1), { alpha: 2 })).toEqual({ status: "undefined", reason: "invalid-input" });
  });
});

/** Standard normal numbers from a seed: Box and Muller over mulberry32. */
function normals(seed: number): () => number {
  let state = seed;
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - fraction())) * Math.cos(2 * Math.PI * fraction());
}
