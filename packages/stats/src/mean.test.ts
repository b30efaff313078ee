import { describe, expect, it } from "vitest";
import { relativeEffect } from "./effect.ts";
import { meanDifference, meanRelative } from "./mean.ts";
import { jointMomentsOf, momentsOf } from "./moments.ts";
import { ratioDifference, ratioPoint, ratioRelative } from "./ratio.ts";
import { expectClose, METHODS, R_METHODS, value } from "./reference.fixture.ts";

describe("means", () => {
  it.each(METHODS.means.map((row, i) => ({ i, row })))("agree with scipy and statsmodels on sample $i", ({ row }) => {
    const arms = { control: momentsOf(row.control), treatment: momentsOf(row.treatment) };
    const estimate = value(meanDifference(arms));
    expectClose(estimate.t, row.t, 1e-6, "t");
    expectClose(estimate.pValue, row.p, 1e-6, "p");
    expectClose(estimate.interval.low, row.interval[0], 1e-6, "low");
    expectClose(estimate.interval.high, row.interval[1], 1e-6, "high");
    const relative = value(meanRelative(arms));
    expectClose(relative.interval.low, row.fieller[0], 1e-5, "Fieller low", 1e-15);
    expectClose(relative.interval.high, row.fieller[1], 1e-5, "Fieller high", 1e-15);
  });

  it("agree with R's t.test", () => {
    const of = (name: string) => momentsOf(R_METHODS[name] ?? []);
    const estimate = value(meanDifference({ control: of("control"), treatment: of("treatment") }));
    expectClose(estimate.t, R_METHODS["welchT"]?.[0] ?? 0, 1e-12, "t");
    expectClose(estimate.df, R_METHODS["welchDf"]?.[0] ?? 0, 1e-12, "df");
    expectClose(estimate.pValue, R_METHODS["welchP"]?.[0] ?? 0, 1e-10, "p");
    expectClose(estimate.interval.low, R_METHODS["welchInterval"]?.[0] ?? 0, 1e-10, "low");
  });

  it("takes one constant arm, and refuses two", () => {
    const constant = momentsOf([3, 3, 3]);
    expect(value(meanDifference({ control: constant, treatment: momentsOf([1, 2, 3, 4]) })).df).toBe(3);
    expect(meanDifference({ control: constant, treatment: constant })).toEqual({ status: "undefined", reason: "no-variance" });
    expect(meanDifference({ control: momentsOf([3]), treatment: constant })).toEqual({
      status: "insufficient",
      reason: "too-few-units",
    });
  });

  it("keeps the sign of the absolute effect where the control is negative", () => {
    const estimate = value(meanRelative({ control: momentsOf([-11, -10, -9]), treatment: momentsOf([-9.5, -9, -8.5]) }));
    expectClose(estimate.value, 0.1, 1e-12);
    expect(estimate.interval.low).toBeLessThan(0.1);
    expect(estimate.interval.high).toBeGreaterThan(0.1);
  });

  it("has no relative effect where the control cannot be told from 0", () => {
    const arms = { control: { value: 0.1, variance: 1 }, treatment: { value: 5, variance: 1 } };
    expect(relativeEffect(arms)).toEqual({ status: "undefined", reason: "control-near-zero" });
    expect(relativeEffect({ ...arms, control: { value: 0, variance: 1 } })).toEqual({
      status: "undefined",
      reason: "control-near-zero",
    });
  });

  it("delta and Fieller agree far from 0", () => {
    const arms = { control: { value: 100, variance: 0.01 }, treatment: { value: 101, variance: 0.01 } };
    const [fieller, delta] = [value(relativeEffect(arms)), value(relativeEffect(arms, { method: "delta" }))];
    expectClose(fieller.interval.low, delta.interval.low, 1e-3);
    expectClose(delta.standardError, Math.sqrt(0.01 / 1e4 + (0.01 * 101 ** 2) / 1e8), 1e-12);
  });
});

describe("ratios", () => {
  it.each(METHODS.ratios.map((row, i) => ({ i, row })))(
    "agree with clustered standard errors of statsmodels on sample $i",
    ({ row }) => {
      const point = value(ratioPoint(jointMomentsOf(row.rows)));
      expectClose(point.value, row.value, 1e-12, "ratio");
      expectClose(point.variance, row.variance, 1e-9, "variance");
    },
  );

  it("compares arms, absolutely and relatively", () => {
    const [a, b] = METHODS.ratios.map(({ rows }) => jointMomentsOf(rows));
    if (a === undefined || b === undefined) throw new Error("two samples are needed");
    const [pa, pb] = [value(ratioPoint(a)), value(ratioPoint(b))];
    const difference = value(ratioDifference({ control: a, treatment: b }));
    expectClose(difference.value, pb.value - pa.value, 1e-12);
    expectClose(difference.standardError, Math.sqrt(pa.variance + pb.variance), 1e-12);
    expectClose(value(ratioRelative({ control: a, treatment: b })).value, pb.value / pa.value - 1, 1e-12);
  });

  it("refuses a denominator of 0", () => {
    expect(
      ratioPoint(
        jointMomentsOf([
          [1, 0],
          [2, 0],
        ]),
      ),
    ).toEqual({ status: "undefined", reason: "zero-denominator" });
    expect(ratioPoint(jointMomentsOf([[1, 1]]))).toEqual({ status: "insufficient", reason: "too-few-units" });
  });
});
