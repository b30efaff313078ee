import { describe, expect, it } from "vitest";
import { countNonInferiority, expectedNonInferiority } from "./event-split.ts";
import { timesUntil } from "./horizon.ts";

describe("timesUntil", () => {
  it("finds where evidence is reached, on lines and where it dips first", () => {
    const near = (times: number) => ({ status: "ok", times: expect.closeTo(times, 9) });
    expect(timesUntil((times) => times / 2, Math.log(20))).toEqual(near(2 * Math.log(20)));
    // Falls to -1 at 1, and passes 3 at 3.
    expect(timesUntil((times) => times * times - 2 * times, 3)).toEqual(near(3));
    expect(timesUntil((times) => times * 1e3, 1)).toEqual(near(1e-3));
  });

  it("finds nothing beyond a million times, nor where there is no number", () => {
    const unreachable = { status: "undefined", reason: "unreachable" };
    expect(timesUntil((times) => times * 1e-7, 1)).toEqual(unreachable);
    expect(timesUntil(() => Number.NaN, 1)).toEqual(unreachable);
  });
});

describe("expectedNonInferiority", () => {
  it.each([
    [0.5, 140],
    [0.1, 1_000],
    [0.75, 400],
  ])("is the evidence of failures that fall as they should: a share of %f of %i", (share, total) => {
    const counted = countNonInferiority([{ hour: 0, share, treated: share * total, total }], { tolerance: 0.3 });
    const expected = expectedNonInferiority({ share, total }, { tolerance: 0.3 });
    if (counted.status !== "ok" || expected.status !== "ok") throw new Error("neither may be refused");
    expect(expected.logE).toBeCloseTo(counted.logE, 12);
  });

  it("refuses what is no share, no tolerance or no count", () => {
    const asked = [
      expectedNonInferiority({ share: 0, total: 1 }, { tolerance: 0.1 }),
      expectedNonInferiority({ share: 1, total: 1 }, { tolerance: 0.1 }),
      expectedNonInferiority({ share: 0.5, total: -1 }, { tolerance: 0.1 }),
      expectedNonInferiority({ share: 0.5, total: 1 }, { tolerance: 0 }),
      expectedNonInferiority({ share: Number.NaN, total: 1 }, { tolerance: 0.1 }),
    ];
    expect(asked).toEqual(asked.map(() => ({ status: "undefined", reason: "invalid-input" })));
  });
});
