import type { FrozenMetric, Measure } from "@belay/protocol";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { ExperimentDocument } from "../state/workspace.ts";
import type { Aggregate, ArmCell, OutcomeCell, QuantileCell } from "../store/events/index.ts";
import { resultsCsv } from "./csv.ts";
import type { Facts } from "./facts.ts";
import { resultsReport } from "./report.ts";
import { looksOf, resultsOf } from "./results.ts";

const events = { name: "e" };
const MEASURES: readonly Measure[] = [
  { kind: "proportion", events },
  { kind: "count", events },
  { kind: "sum", events },
  { kind: "mean", events },
  { kind: "ratio", numerator: { of: "values", events }, denominator: { of: "events", events } },
  { kind: "quantile", events, quantile: 0.9 },
  { kind: "retention", events },
  { kind: "funnel", steps: [events, events] },
];
const METRICS: readonly FrozenMetric[] = MEASURES.map((measure) => ({
  key: measure.kind,
  version: 1,
  measure,
  window: { toHours: 24 },
  good: "increase",
  tolerance: 0.02,
}));
const KEYS = METRICS.map(({ key }) => key);

/** Values of units that make trouble: nobody, one, all the same, far from zero, tiny. */
const unitValues = fc.array(fc.constantFrom(0, 1, 1, -3, 1e12, 1e-9, 0.5), { maxLength: 6 });
const group = { variant: fc.constantFrom("a", "b", "c"), epoch: fc.constantFrom(1, 2), day: fc.constantFrom(20_000, 20_001) };
const segment = fc.constantFrom(undefined, { index: 0, value: "" }, { index: 0, value: "x" });

function cellOf(key: string, width: number, values: readonly number[]): Pick<OutcomeCell, "n" | "first" | "second"> {
  const isShare = key === "proportion" || key === "retention" || key === "funnel";
  const rows = values.map((value) => {
    const own = isShare ? Math.min(1, Math.abs(Math.round(value))) : value;
    return Array.from({ length: width }, (_, index) => (index === 0 ? own : Math.abs(Math.round(Math.min(value, 5)))));
  });
  const columns = Array.from({ length: width }, (_, index) => index);
  return {
    n: rows.length,
    first: columns.map((i) => rows.reduce((sum, row) => sum + (row[i] ?? 0), 0)),
    second: columns.flatMap((i) =>
      columns.slice(i).map((j) => rows.reduce((sum, row) => sum + (row[i] ?? 0) * (row[j] ?? 0), 0)),
    ),
  };
}

/** Every metric and variant in one phase or two, for everybody and for one segment. */
const PLACES = KEYS.flatMap((metric) =>
  ["a", "b", "c"].flatMap((variant) => [1, 2].map((epoch) => ({ metric, variant, epoch }))),
);

const outcomes = (hasCovariate: boolean): fc.Arbitrary<OutcomeCell[]> =>
  fc.array(unitValues, { minLength: PLACES.length, maxLength: PLACES.length }).map((lists) =>
    PLACES.flatMap(({ metric, variant, epoch }, index) => {
      const plain = metric === "mean" || metric === "ratio" ? 2 : 1;
      const width = hasCovariate && metric !== "funnel" ? 2 * plain + 1 : plain;
      const sums = cellOf(metric, width, lists[index] ?? []);
      const scope: OutcomeCell["scope"] = metric === "retention" ? "ripe" : "all";
      const cell = { metric, variant, epoch, day: 20_000 + epoch, scope, ...sums };
      return [cell, { ...cell, segment: { index: 0, value: "x" } }];
    }),
  );

const arms: fc.Arbitrary<ArmCell[]> = fc.array(
  fc.record({ ...group, segment, units: fc.nat(3_000), crossed: fc.nat(3) }).map(({ segment: of, ...cell }) => ({
    ...cell,
    crossed: Math.min(cell.crossed, cell.units),
    ...(of === undefined ? {} : { segment: of }),
  })),
  { maxLength: 12 },
);

const quantiles: fc.Arbitrary<QuantileCell[]> = fc.array(
  fc.record({ variant: group.variant, epoch: group.epoch, n: fc.nat(60) }).map(({ variant, epoch, n }): QuantileCell => {
    const values =
      n === 0
        ? []
        : [
            { value: 1, count: n },
            { value: 2, count: n },
          ];
    return { metric: "quantile", variant, epoch, values, n, first: [n, 2 * n], second: [n, 2 * n, 4 * n] };
  }),
  { maxLength: 6 },
);

const document = (hasCovariate: boolean, isPlanned: boolean): ExperimentDocument => ({
  hypothesis: "h",
  tags: [],
  flag: "f",
  environment: "production",
  control: "a",
  treatments: ["b", "c"],
  metrics: {
    primary: ["proportion", "mean"],
    guardrails: ["sum", "retention"],
    secondary: ["count", "ratio", "quantile", "funnel"],
  },
  segments: ["country"],
  ...(hasCovariate ? { covariateDays: 7 } : {}),
  ...(isPlanned ? { plan: { alpha: 0.05, power: 0.8, smallestEffect: 0.05, horizonDays: 7 } } : {}),
  prediction: { metric: "mean", mean: 0, interval: [-0.1, 0.1], level: 0.9 },
  status: "running",
  createdAt: "2024-10-04T00:00:00.000Z",
  startedAt: "2024-10-04T00:00:00.000Z",
  phases: [{ epoch: 1, from: "2024-10-04T00:00:00.000Z", weights: { a: 1, b: 1, c: 2 } }],
  frozen: { at: "2024-10-04T00:00:00.000Z", hash: "h", metrics: METRICS },
});

const facts: fc.Arbitrary<Facts> = fc.boolean().chain((hasCovariate) =>
  fc
    .record({ isPlanned: fc.boolean(), arms, quantiles, outcomes: outcomes(hasCovariate), during: outcomes(hasCovariate) })
    .map(({ isPlanned, during, ...aggregate }): Facts => {
      const inside: Aggregate = { arms: [], quantiles: [], outcomes: during };
      return {
        project: "p",
        experiment: "e",
        document: document(hasCovariate, isPlanned),
        population: "exposed",
        looks: { looks: [] },
        atMs: Date.UTC(2024, 9, 6),
        lagMs: 0,
        aggregate,
        accounts: [],
        past: [],
        incidents: [{ key: "i", reason: "r", during: inside, others: [aggregate, inside] }],
        interactions: [],
      };
    }),
);

it("no result of any sums holds a number that is none, in any format, and it can be had again", () => {
  let found = 0;
  fc.assert(
    fc.property(facts, (of) => {
      const results = resultsOf(of);
      found += results.metrics.filter(({ comparisons }) => comparisons.some(({ absolute }) => absolute.status === "ok")).length;
      const texts = [JSON.stringify(results), resultsCsv(results), resultsReport(results)];
      for (const text of texts) expect(text).not.toMatch(/\bnull\b|NaN|Infinity|undefined</);
      expect(JSON.stringify(looksOf(of))).not.toMatch(/null/);
      expect(resultsOf(of)).toEqual(results);
    }),
    { numRuns: 80, seed: 6 },
  );
  // Not all of them are refusals.
  expect(found).toBeGreaterThan(100);
}, 120_000);
