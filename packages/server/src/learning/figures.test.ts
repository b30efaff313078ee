import type { LearningCase } from "@belay/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import { calibrationOf, type Debt, deploymentsOf, flagDebtOf, type Parted, type Spanned, shareOf, spansOf } from "./figures.ts";

const DAY_MS = 86_400_000;

function of(key: string, day = 1): LearningCase {
  return { kind: "experiment", key, href: `/${key}`, at: `2026-11-${String(day).padStart(2, "0")}T00:00:00.000Z` };
}

it("counts starts a week", () => {
  const window = { from: 0, to: 14 * DAY_MS };
  expect(deploymentsOf([of("a", 1), of("b", 3), of("c", 2)], window)).toMatchObject({ started: 3, perWeek: 1.5 });
  expect(deploymentsOf([of("a", 1), of("b", 3), of("c", 2)], window).cases.map(({ key }) => key)).toEqual(["b", "c", "a"]);
  expect(deploymentsOf([], window)).toEqual({ started: 0, perWeek: 0, cases: [] });
});

const SPANS: readonly [string, readonly (number | undefined)[], object][] = [
  ["nothing", [], { count: 0, withinTarget: 0 }],
  ["one", [40], { count: 1, p50: 40, p90: 40, withinTarget: 1 }],
  ["ten", [10, 20, 30, 40, 50, 60, 70, 80, 90, 100], { count: 10, p50: 50, p90: 90, withinTarget: 5 }],
  ["what is not over counts in no number", [40, undefined, 60], { count: 2, p50: 40, p90: 60, withinTarget: 1 }],
  ["at the target is within it", [50, 51], { count: 2, p50: 50, p90: 51, withinTarget: 1 }],
];

it.each(SPANS)("measures spans: %s", (_, all, figure) => {
  const spans = all.map((ms, index): Spanned => ({ of: of(`e${index}`), ...(ms === undefined ? {} : { ms }) }));
  const { cases, ...rest } = spansOf(spans, 50);
  expect(rest).toEqual({ target: 50, ...figure });
  expect(cases.map(({ value }) => value).sort()).toEqual([...all].sort());
});

it("weighs shares by what they are shares of, the worst first", () => {
  const parts = [
    { of: of("well"), good: 90, all: 90 },
    { of: of("badly"), good: 5, all: 10 },
    { of: of("empty"), good: 0, all: 0 },
  ];
  const { share, count, cases } = shareOf(parts, 0.99);
  expect([share, count]).toEqual([0.95, 3]);
  expect(cases.map(({ key, value }) => [key, value])).toEqual([
    ["badly", 0.5],
    ["empty", undefined],
    ["well", 1],
  ]);
  expect(shareOf([], 1)).toEqual({ count: 0, target: 1, cases: [] });
});

it("tells teams that claim too much from those that do not", () => {
  const predict = (key: string, team: string, actual: number) => ({
    of: of(key),
    team,
    prediction: { mean: 0, interval: { low: -0.1, high: 0.1, level: 0.8 } },
    actual,
  });
  const { teams, cases } = calibrationOf([
    predict("a", "search", 0.05),
    predict("b", "search", -0.1),
    predict("c", "search", 0.2),
    predict("d", "", 0.3),
  ]);
  // The width, and ten times what the interval was missed by: 0.2, 0.2 and 0.2 + 10 x 0.1.
  expect(teams).toEqual([
    { team: "", predictions: 1, coverage: 0, claimed: 0.8, meanIntervalScore: expect.closeTo(0.2 + 10 * 0.2, 9) },
    {
      team: "search",
      predictions: 3,
      coverage: 2 / 3,
      claimed: expect.closeTo(0.8, 12),
      meanIntervalScore: expect.closeTo(1.6 / 3, 9),
    },
  ]);
  expect(cases.map(({ key, note }) => [key, note])).toEqual([
    ["a", "inside"],
    ["b", "inside"],
    ["c", "outside"],
    ["d", "outside"],
  ]);
});

it("shows a prediction that nothing measured, counts it in no number, and names the metric of one that says it", () => {
  const prediction = { interval: { low: 0, high: 0.2, level: 0.8 } };
  const { teams, cases } = calibrationOf([
    { of: { ...of("a", 2), note: "errors" }, team: "shop", prediction, actual: 0.1 },
    { of: { ...of("a", 2), note: "sales: nothing measured it" }, team: "shop", prediction },
    { of: of("b", 1), team: "none", prediction },
  ]);
  expect(teams.map(({ team, predictions, coverage }) => [team, predictions, coverage])).toEqual([["shop", 1, 1]]);
  expect(cases.map(({ key, value, note }) => [key, value, note])).toEqual([
    ["a", 0.1, "errors: inside"],
    ["a", undefined, "sales: nothing measured it"],
    ["b", undefined, undefined],
  ]);
});

it("counts a flag once, and each of its reasons", () => {
  const debts: Debt[] = [
    { of: of("old", 1), reasons: ["full", "overdue"] },
    { of: of("gone", 5), reasons: ["asked-for"] },
  ];
  const { cases, ...rest } = flagDebtOf(debts, 40);
  expect(rest).toEqual({ flags: 40, stale: 2, reasons: { full: 1, unseen: 0, overdue: 1, "asked-for": 1 } });
  expect(cases.map(({ key }) => key)).toEqual(["old", "gone"]);
});

const spans = fc
  .array(fc.option(fc.nat(1_000_000), { nil: undefined }), { maxLength: 30 })
  .map((all) =>
    all.map((ms, index): Spanned => ({ of: of(`e${index}`, 1 + (index % 28)), ...(ms === undefined ? {} : { ms }) })),
  );

it("shows every case once, whatever their order, and says of half and of nine in ten what is so", () => {
  fc.assert(
    fc.property(spans, fc.nat(1_000_000), (all, target) => {
      const figure = spansOf(all, target);
      expect(spansOf([...all].reverse(), target)).toEqual(figure);
      expect(figure.cases.map(({ key }) => key).sort()).toEqual(all.map((one) => one.of.key).sort());
      const values = figure.cases.flatMap(({ value }) => (value === undefined ? [] : [value]));
      expect([figure.count, figure.withinTarget]).toEqual([values.length, values.filter((value) => value <= target).length]);
      const { p50, p90 } = figure;
      expect([p50 === undefined, p90 === undefined]).toEqual([values.length === 0, values.length === 0]);
      if (p50 === undefined || p90 === undefined) return;
      expect(values.includes(p50) && values.includes(p90) && p50 <= p90).toBe(true);
      const upTo = (bound: number): number => values.filter((value) => value <= bound).length / values.length;
      expect(upTo(p50) >= 0.5 && upTo(p90) >= 0.9).toBe(true);
    }),
  );
});

it("gives a share between 0 and 1 that no order changes", () => {
  const part = fc.tuple(fc.nat(100), fc.nat(100)).map(([good, bad]) => ({ good, all: good + bad }));
  fc.assert(
    fc.property(fc.array(part, { maxLength: 20 }), (all) => {
      const parts = all.map((one, index): Parted => ({ of: of(`e${index}`), ...one }));
      const { share } = shareOf(parts, 1);
      expect(shareOf([...parts].reverse(), 1)).toEqual(shareOf(parts, 1));
      const total = all.reduce((sum, one) => sum + one.all, 0);
      expect(share).toBe(total === 0 ? undefined : all.reduce((sum, { good }) => sum + good, 0) / total);
    }),
  );
});
