import { describe, expect, it } from "vitest";
import type { ArmAccount } from "../ledger/domain.ts";
import type { ArmCell } from "../store/events/index.ts";
import { armsOf, type QualityQuestion, qualityOf } from "./quality.ts";

const cell = (variant: string, units: number, over: Partial<ArmCell> = {}): ArmCell => ({
  variant,
  epoch: 1,
  day: 20_000,
  units,
  crossed: 0,
  ...over,
});
const account = (variant: string, produced: number, stored: number): ArmAccount => ({
  experiment: "x",
  variant,
  produced,
  stored,
  dropped: produced - stored,
  lost: 0,
  inFlight: 0,
  duplicates: 0,
  late: 0,
});
const asked = (over: Partial<QualityQuestion>): QualityQuestion => ({
  variants: ["a", "b"],
  phases: [{ epoch: 1, from: "2024-10-04T00:00:00.000Z", weights: { a: 1, b: 1 } }],
  cells: [cell("a", 5_000), cell("b", 5_000)],
  segments: [],
  accounts: [],
  pValuesBefore: [],
  ...over,
});

describe("quality", () => {
  it("tells an assignment that is not as designed from a loss that depends on the arm", () => {
    const loss = (a: ArmAccount, b: ArmAccount) => qualityOf(asked({ accounts: [a, b] })).report.loss?.verdict;
    expect(loss(account("a", 5_000, 4_990), account("b", 5_000, 4_985))).toBe("even");
    expect(loss(account("a", 5_000, 5_000), account("b", 5_000, 4_500))).toBe("skewed-loss");
    expect(loss(account("a", 5_500, 5_500), account("b", 4_500, 4_500))).toBe("skewed-assignment");
    expect(loss(account("a", 5_500, 5_500), account("b", 4_500, 4_000))).toBe("skewed-both");
    expect(qualityOf(asked({ accounts: [account("a", 5_000, 5_000), account("b", 5_000, 4_500)] })).report.isGood).toBe(false);
  });

  it("takes a ramp for one design, as its arms share alike whom it lets in", () => {
    const accounts = [account("a", 5_500, 5_500), account("b", 4_500, 4_500)];
    const verdict = (...weights: readonly (readonly [number, number])[]): unknown => {
      const phases = weights.map(([a, b], at) => ({ epoch: at + 1, from: "2024-10-04T00:00:00.000Z", weights: { a, b } }));
      return qualityOf(asked({ accounts, phases })).report.loss?.verdict;
    };
    expect(verdict([0, 0], [0.05 * 0.3, 0.05 * 0.3], [0.15, 0.15])).toBe("skewed-assignment");
    expect(verdict([0, 0], [0.055, 0.045], [0.55, 0.45])).toBe("even");
    // Where the arms shared otherwise before, no one design says how many units each should have.
    expect(verdict([0.01, 0.1], [0.1, 0.1])).toBe("unknown");
  });

  it("keeps an alarm that was raised at an earlier look", () => {
    const now = qualityOf(asked({})).report;
    const since = qualityOf(asked({ srmLogEBefore: 7 })).report;
    // e^-7 is 0.00091, below the 0.001 at which it alarms.
    expect([now.sampleRatio.isMismatched, since.sampleRatio.isMismatched]).toEqual([false, true]);
    expect(since.sampleRatio.anytimePValue).toBeCloseTo(Math.exp(-7), 12);
  });

  it("tests a ramp against the design of each phase", () => {
    const phases = [
      { epoch: 1, from: "2024-10-04T00:00:00.000Z", weights: { a: 99, b: 1 } },
      { epoch: 2, from: "2024-10-05T00:00:00.000Z", weights: { a: 1, b: 1 } },
    ];
    const cells = [cell("a", 9_900), cell("b", 100), cell("a", 5_000, { epoch: 2 }), cell("b", 5_000, { epoch: 2 })];
    const { sampleRatio } = qualityOf(asked({ phases, cells })).report;
    expect([sampleRatio.isMismatched, sampleRatio.pValue]).toEqual([false, 1]);
    expect(armsOf({ variants: ["a", "b"], phases, cells }).map(({ share, designedShare }) => [share, designedShare])).toEqual([
      [0.745, 0.745],
      [0.255, 0.255],
    ]);
  });

  it("takes units of an arm that the split gives nobody for a fault, however few", () => {
    const phases = [{ epoch: 1, from: "2024-10-04T00:00:00.000Z", weights: { a: 1, b: 1, c: 0 } }];
    const cells = [cell("a", 5_000), cell("b", 5_000), cell("c", 1)];
    const { sampleRatio } = qualityOf(asked({ variants: ["a", "b", "c"], phases, cells })).report;
    expect(sampleRatio.isMismatched).toBe(true);
    expect(sampleRatio.sentence).toMatch(/^An arm that the split gives nobody has units/);
  });

  it("finds units that saw two variants too many at one in two hundred, and arms that differed before the start", () => {
    const crossed = qualityOf(asked({ cells: [cell("a", 5_000, { crossed: 40 }), cell("b", 5_000, { crossed: 41 })] })).report;
    expect([crossed.crossing, crossed.isGood]).toMatchObject([{ share: 0.0081, isUnhealthy: true }, false]);
    const before = qualityOf(asked({ pValuesBefore: [0.5, 0.0004] })).report;
    expect([before.beforeStart, before.isGood]).toEqual([{ pValue: 0.0008, isUnhealthy: true }, false]);
  });
});
