import { describe, expect, it } from "vitest";
import { describeSample } from "./describe.ts";
import { jointMomentsOf } from "./moments.ts";
import { quantileDifference, quantileEstimate, rankedSample } from "./quantile.ts";
import { expectClose, METHODS, value } from "./reference.fixture.ts";
import { capOf, winsoriseArms } from "./winsorise.ts";

describe("quantiles", () => {
  it.each(METHODS.quantiles)("interval between the binomial ranks of scipy, n $n, q $q", ({ values, n, q, ranks }) => {
    const sample = values === null ? { n, at: (rank: number) => rank } : rankedSample(values);
    const estimate = value(quantileEstimate(sample, { quantile: q }));
    expect(estimate.interval.low).toBe(sample.at(ranks[0]));
    expect(estimate.interval.high).toBe(sample.at(ranks[1]));
    expect(estimate.designEffect).toBe(1);
  });

  it("widens for events that come in clusters", () => {
    const sample = { n: 4000, at: (rank: number) => rank };
    // 100 units of 40 events each: half of the units lie wholly below the median.
    const clusters = jointMomentsOf(Array.from({ length: 100 }, (_, unit) => [unit % 2 === 0 ? 40 : 0, 40]));
    const clustered = value(quantileEstimate(sample, { quantile: 0.5, clusters }));
    const plain = value(quantileEstimate(sample, { quantile: 0.5 }));
    expectClose(clustered.designEffect, 40 * (100 / 99), 1e-9);
    expectClose(Math.sqrt(clustered.variance / plain.variance), Math.sqrt(40 * (100 / 99)), 0.01);
  });

  it("needs four expected events beyond the quantile", () => {
    expect(quantileEstimate(rankedSample([1, 2, 3]), { quantile: 0.5 })).toEqual({
      status: "insufficient",
      reason: "too-few-events",
    });
    expect(quantileEstimate({ n: 70, at: (rank) => rank }, { quantile: 0.95 })).toEqual({
      status: "insufficient",
      reason: "too-few-events",
    });
  });

  it("compares two arms", () => {
    const arm = (shift: number) => quantileEstimate({ n: 1000, at: (rank) => rank + shift }, { quantile: 0.9 });
    const difference = value(quantileDifference({ control: arm(0), treatment: arm(50) }));
    expect(difference.value).toBe(50);
    expect(difference.pValue).toBeLessThan(0.001);
    const refusal = quantileEstimate(rankedSample([]), { quantile: 0.9 });
    expect(quantileDifference({ control: refusal, treatment: arm(0) })).toEqual(refusal);
  });
});

describe("winsorising", () => {
  it("cuts both arms at one cap from the pooled values that are not 0", () => {
    const arms = { control: [0, 0, 1, 2, 3, 4], treatment: [0, 5, 6, 7, 8, 100] };
    const { cap } = value(capOf(arms, { quantile: 0.875 }));
    expect(cap).toBe(8);
    const cut = value(winsoriseArms(arms, { quantile: 0.875 }));
    expect(cut.moments.treatment.mean).toBeCloseTo(34 / 6, 12);
    expect(cut.moments.control.mean).toBeCloseTo(10 / 6, 12);
    expect(cut.cutShare).toEqual({ control: 0, treatment: 1 / 6 });
    expect(cut.keptTotal.treatment).toBeCloseTo(34 / 126, 12);
  });

  it("refuses nothing to cut and broken numbers", () => {
    expect(capOf({ control: [0], treatment: [] })).toEqual({ status: "insufficient", reason: "too-few-units" });
    expect(capOf({ control: [Number.NaN], treatment: [1] })).toEqual({ status: "undefined", reason: "invalid-input" });
  });
});

describe("describing a sample", () => {
  it("mean, spread and quantiles", () => {
    expect(describeSample([4, 1, 3, 2])).toMatchObject({ n: 4, mean: 2.5, min: 1, max: 4, quantiles: { p50: 2.5, p25: 1.75 } });
    expect(value(describeSample([7])).standardDeviation).toBeUndefined();
    expect(describeSample([])).toEqual({ status: "insufficient", reason: "too-few-units" });
  });
});
