import type { FrozenMetric, Measure } from "@belay/protocol";
import { type JointMoments, jointMomentsOf } from "@belay/stats";
import { describe, expect, it } from "vitest";
import type { ByEpoch } from "./cells.ts";
import { type Estimated, estimateEffect } from "./estimate.ts";

const events = { name: "purchase" };

/** Units of ten habits: what they did after, of how many, what they did before, of how many; `lift` times as much. */
function unitsOf(columns: readonly number[], { n, lift }: { n: number; lift: number }): JointMoments {
  const rows = Array.from({ length: n }, (_, i) => {
    const habit = 1 + (i % 10);
    const all = [(2 * habit + ((7 * i) % 5)) * lift, 1 + (i % 3), 2 * habit + ((3 * i) % 4), 1 + ((i + 1) % 3)];
    return columns.map((column) => all[column] ?? 0);
  });
  return jointMomentsOf(rows);
}

function effectOf(measure: Measure, columns: readonly number[], epochs: number): Estimated {
  const metric: FrozenMetric = { key: "m", version: 1, measure, window: {}, good: "increase", tolerance: 0.02 };
  const arm = (n: number, lift: number): ByEpoch =>
    new Map(
      Array.from({ length: epochs }, (_, epoch) => [epoch, { kind: "moments", joint: unitsOf(columns, { n, lift }) } as const]),
    );
  return estimateEffect(metric, { control: arm(300, 1), treatment: arm(200, 1.2) }, 0.05);
}

describe("an effect adjusted by the time before exposure", () => {
  it.each([
    ["a sum", { kind: "sum", events }, [0, 2]],
    ["a mean", { kind: "mean", events }, [0, 1, 2, 3]],
  ] as const)(
    "of %s is as sure over four equal phases as over one of twice the root, in shares of control too",
    (_, measure, columns) => {
      const [one, four] = [effectOf(measure, columns, 1), effectOf(measure, columns, 4)];
      expect(one.method).toContain("adjusted by the time before exposure");
      for (const scale of ["absolute", "relative"] as const) {
        const [alone, together] = [one[scale], four[scale]];
        if (alone.status !== "ok" || together.status !== "ok") throw new Error("both are known");
        expect(together.value).toBeCloseTo(alone.value, 10);
        expect((2 * together.standardError) / alone.standardError).toBeCloseTo(1, 10);
      }
      const { relative, absolute, arms } = four;
      if (relative.status !== "ok" || absolute.status !== "ok" || arms.status !== "ok") throw new Error("all are known");
      // The control is an estimate too: an error divided by it as if it were known is too small.
      expect(relative.standardError).toBeGreaterThan((1.03 * absolute.standardError) / arms.control.value);
    },
  );

  it("takes units of whom nothing was seen before as a group of their own, not as people who did nothing", () => {
    const metric: FrozenMetric = {
      key: "m",
      version: 1,
      measure: { kind: "sum", events },
      window: {},
      good: "increase",
      tolerance: 0.02,
    };
    // Newcomers spend 30, regulars twice what they spent before: as a 0 on the regulars' line a newcomer would look like no trend at all.
    const arm = (n: number, lift: number, isFlagged: boolean): ByEpoch => {
      const rows = Array.from({ length: n }, (_, i) => {
        const [isNew, habit, noise] = [i % 3 === 0, 10 + (i % 7), ((5 * i) % 11) / 2];
        return [(isNew ? 30 : 2 * habit) + noise + lift, isNew ? 0 : habit, isFlagged && isNew ? 1 : 0];
      });
      return new Map([[0, { kind: "moments", joint: jointMomentsOf(rows) }]]);
    };
    const of = (isFlagged: boolean): Estimated =>
      estimateEffect(metric, { control: arm(231, 0, isFlagged), treatment: arm(231, 1, isFlagged) }, 0.05);
    const [flagged, blind] = [of(true), of(false)];
    if (flagged.absolute.status !== "ok" || flagged.relative.status !== "ok") throw new Error("it is known");
    expect(flagged.absolute.value).toBeCloseTo(1, 10);
    // 10/4 of noise are left of 18.5; without the flag the covariate explains nothing.
    expect(flagged.varianceRatio).toBeLessThan(0.2);
    expect(blind.varianceRatio).toBeGreaterThan(0.9);
    expect(flagged.relative.value).toBeCloseTo(1 / (30 / 3 + (2 * 13 * 2) / 3 + 2.5), 2);
  });
});
