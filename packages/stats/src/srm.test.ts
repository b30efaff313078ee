import { describe, expect, it } from "vitest";
import { expectClose, METHODS, R_METHODS, value } from "./reference.fixture.ts";
import { crossingHealth, independenceTest, srmBySegment, srmSequence, srmTest } from "./srm.ts";

describe("sample ratio", () => {
  it.each(METHODS.srm)("agrees with scipy and mpmath at $counts", ({ counts, weights, statistic, p, logE }) => {
    const test = value(srmTest({ counts, weights }));
    expectClose(test.statistic, statistic, 1e-9, "statistic");
    expectClose(test.pValue, p, 1e-9, "p");
    expectClose(value(srmSequence([{ counts, weights }])).logE, logE, 1e-8, "evidence");
  });

  it("agrees with R on the arm sizes of Cookie Cats", () => {
    expectClose(value(srmTest({ counts: [44_700, 45_489], weights: [1, 1] })).pValue, R_METHODS["srmP"]?.[0] ?? 0, 1e-10);
  });

  it("an arm of weight 0 is no degree of freedom, and units in it are an alarm", () => {
    const clean = value(srmTest({ counts: [500, 520, 0], weights: [1, 1, 0] }));
    expect([clean.df, clean.impossibleArms]).toEqual([1, []]);
    const broken = value(srmTest({ counts: [500, 520, 3], weights: [1, 1, 0] }));
    expect(broken.impossibleArms).toEqual([2]);
    expect(value(srmSequence([{ counts: [500, 520, 3], weights: [1, 1, 0] }])).alarm).toBe(true);
  });

  it("the sequence multiplies epochs and remembers its largest evidence", () => {
    const [a, b] = [
      { counts: [52_000, 48_000], weights: [1, 1] },
      { counts: [900, 100], weights: [9, 1] },
    ];
    const [first, second, both] = [srmSequence([a]), srmSequence([b]), srmSequence([a, b])].map(value);
    expectClose(both?.logE ?? 0, (first?.logE ?? 0) + (second?.logE ?? 0), 1e-12);
    const later = value(srmSequence([b], { logEBefore: first?.logEMax ?? 0 }));
    expect([later.alarm, later.logEMax]).toEqual([true, first?.logEMax]);
  });

  it("finds the segment that a mismatch comes from", () => {
    const weights = [1, 1];
    const found = value(
      srmBySegment([
        { key: "chrome", counts: [5000, 5050], weights },
        { key: "safari", counts: [900, 700], weights },
        { key: "nobody", counts: [0, 0], weights },
      ]),
    );
    expect(found.segments.map(({ key, mismatched }) => [key, mismatched])).toEqual([
      ["safari", true],
      ["chrome", false],
    ]);
    expectClose(found.segments[0]?.adjustedP ?? 0, 2 * (found.segments[0]?.pValue ?? 0), 1e-12);
  });

  it("refuses nobody and mismatched lists", () => {
    expect(srmTest({ counts: [0, 0], weights: [1, 1] })).toEqual({ status: "insufficient", reason: "too-few-units" });
    expect(srmTest({ counts: [1], weights: [1, 1] })).toEqual({ status: "undefined", reason: "invalid-input" });
  });
});

describe("independence and crossing", () => {
  it("agrees with scipy on a table", () => {
    const test = value(independenceTest(METHODS.interaction.table));
    expectClose(test.statistic, METHODS.interaction.tableStatistic, 1e-9);
    expectClose(test.pValue, METHODS.interaction.tableP, 1e-9);
    expect(
      independenceTest([
        [1, 2],
        [0, 0],
      ]),
    ).toEqual({ status: "insufficient", reason: "too-few-units" });
  });

  it("crossed units: over 0.5 %, or unequal between arms, is unhealthy", () => {
    const of = (...crossed: number[]) => value(crossingHealth(crossed.map((successes) => ({ n: 10_000, successes }))));
    expect([of(20, 25).isUnhealthy, of(60, 60).isUnhealthy, of(5, 60).isUnhealthy, of(0, 0).isUnhealthy]).toEqual([
      false,
      true,
      true,
      false,
    ]);
    expect(of(20, 25).share).toBe(0.00225);
  });
});
