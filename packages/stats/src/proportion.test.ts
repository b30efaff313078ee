import { describe, expect, it } from "vitest";
import { proportionDifference, proportionPoint, proportionRelative, wilsonInterval } from "./proportion.ts";
import { expectClose, METHODS, value } from "./reference.fixture.ts";

const armsOf = (row: { nC: number; xC: number; nT: number; xT: number }) => ({
  control: { n: row.nC, successes: row.xC },
  treatment: { n: row.nT, successes: row.xT },
});

describe("proportions", () => {
  it.each(METHODS.proportions)("agree with statsmodels at $xC/$nC against $xT/$nT", (row) => {
    for (const interval of ["newcombe", "agresti-caffo", "wald"] as const) {
      const estimate = value(proportionDifference(armsOf(row), { interval }));
      expectClose(estimate.z, row.z, 1e-9, "z", 1e-12);
      expectClose(estimate.pValue, row.p, 1e-9, "p");
      expectClose(estimate.interval.low, row[interval][0], 1e-9, `${interval} low`, 1e-12);
      expectClose(estimate.interval.high, row[interval][1], 1e-9, `${interval} high`, 1e-12);
    }
    const wilson = value(wilsonInterval(armsOf(row).treatment));
    expectClose(wilson.low, row.wilson[0], 1e-9, "wilson low", 1e-12);
    expectClose(wilson.high, row.wilson[1], 1e-9, "wilson high", 1e-12);
    const relative = proportionRelative(armsOf(row));
    if (relative.status === "ok") {
      expectClose(relative.interval.low, row.relative[0], 1e-9, "relative low");
      expectClose(relative.interval.high, row.relative[1], 1e-9, "relative high");
    }
  });

  it("makes a result of 0 against 40 of 500, where a plug-in variance of one arm is 0", () => {
    const estimate = value(proportionDifference({ control: { n: 500, successes: 0 }, treatment: { n: 500, successes: 40 } }));
    expect(estimate.pValue).toBeLessThan(1e-9);
    expect(estimate.interval.low).toBeGreaterThan(0.05);
  });

  it("is defined where nobody or everybody succeeded", () => {
    const none = value(proportionDifference({ control: { n: 30, successes: 0 }, treatment: { n: 25, successes: 0 } }));
    expect([none.value, none.pValue, none.z]).toEqual([0, 1, 0]);
    const all = { control: { n: 30, successes: 30 }, treatment: { n: 25, successes: 25 } };
    expect(proportionDifference(all).status).toBe("ok");
    expect(proportionRelative(all)).toEqual({ status: "undefined", reason: "no-variance" });
    expect(value(proportionPoint({ n: 10, successes: 0 })).variance).toBeGreaterThan(0);
  });

  it("says why it has no answer", () => {
    const empty = { control: { n: 0, successes: 0 }, treatment: { n: 5, successes: 1 } };
    expect(proportionDifference(empty)).toEqual({ status: "insufficient", reason: "too-few-units" });
    expect(proportionRelative(empty)).toEqual({ status: "insufficient", reason: "too-few-units" });
    const impossible = { control: { n: 1, successes: 2 }, treatment: { n: 5, successes: 1 } };
    expect(proportionDifference(impossible)).toEqual({ status: "undefined", reason: "invalid-input" });
    expect(proportionDifference(armsOf({ nC: 5, xC: 1, nT: 5, xT: 1 }), { alpha: 1 })).toEqual({
      status: "undefined",
      reason: "invalid-input",
    });
  });
});
