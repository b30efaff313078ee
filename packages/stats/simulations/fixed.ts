/** Bars of the tests with one look. */
import {
  adjustPValues,
  cupedDifference,
  interactionOf,
  type JointMoments,
  jointMomentsOf,
  normalEstimate,
  type Proportion,
  proportionDifference,
  proportionPoint,
  proportionRelative,
  quantileDifference,
  quantileEstimate,
  type Result,
  rankedSample,
  ratioDifference,
} from "@belay/stats";
import { type Bar, meanOver, shareOf } from "./bar.ts";
import type { Random } from "./random.ts";

const CONVERSION_CASES = [
  { p: 0.5, treated: 0.5, small: 200 },
  { p: 0.05, treated: 0.5, small: 2000 },
  { p: 0.005, treated: 0.5, small: 20_000 },
  { p: 0.5, treated: 0.05, small: 200 },
  { p: 0.05, treated: 0.05, small: 2000 },
  { p: 0.005, treated: 0.05, small: 20_000 },
];

const AA_RATE = { min: 0.043, max: 0.057 };

export const FIXED_BARS: readonly Bar[] = [
  ...CONVERSION_CASES.map(
    ({ p, treated, small }): Bar => ({
      group: "One look",
      name: `A/A conversion ${100 * p} %, ${100 * treated}/${100 - 100 * treated} split, score test`,
      limit: AA_RATE,
      format: "percent",
      runs: { quick: 3000, full: 10_000 },
      simulate: (runs, random) =>
        shareOf(runs, () => rejects(proportionDifference(conversionArms(random, { p, treated, small })))),
    }),
  ),
  {
    group: "One look",
    name: "relative interval covers, n = 500 an arm, p = 1 %",
    limit: { min: 0.945 },
    format: "percent",
    runs: { quick: 2000, full: 20_000 },
    simulate: (runs, random) =>
      shareOf(runs, () => {
        const arm = (): Proportion => ({ n: 500, successes: random.binomial(500, 0.01) });
        return covers(proportionRelative({ control: arm(), treatment: arm() }), 0);
      }),
  },
  {
    group: "One look",
    name: "CUPED, rho 0.7: variance ratio",
    limit: { min: 0.48, max: 0.54 },
    format: "number",
    runs: { quick: 40, full: 1000 },
    simulate: (runs, random) => meanOver(runs, () => numberOf(cupedDifference(cupedArms(random, 2000)), "varianceRatio")),
  },
  {
    group: "One look",
    name: "CUPED, rho 0.7: A/A",
    limit: { max: 0.059 },
    format: "percent",
    runs: { quick: 200, full: 4000 },
    simulate: (runs, random) => shareOf(runs, () => rejects(cupedDifference(cupedArms(random, 2000)))),
  },
  {
    group: "One look",
    name: "ratio metric: A/A",
    limit: { min: 0.04, max: 0.06 },
    format: "percent",
    runs: { quick: 300, full: 4000 },
    simulate: (runs, random) =>
      shareOf(runs, () => rejects(ratioDifference({ control: ratioArm(random), treatment: ratioArm(random) }))),
  },
  {
    group: "One look",
    name: "95th percentile, events clustered by unit: A/A",
    limit: { max: 0.065 },
    format: "percent",
    runs: { quick: 60, full: 2000 },
    simulate: (runs, random) => shareOf(runs, () => rejects(clusteredQuantiles(random))),
  },
  {
    group: "Many metrics",
    name: "20 metrics, 4 true, correlation 0.3: false discovery share, BH",
    limit: { max: 0.053 },
    format: "percent",
    runs: { quick: 2000, full: 20_000 },
    simulate: (runs, random) => meanOver(runs, () => falseFindings(random, "benjamini-hochberg").share),
  },
  {
    group: "Many metrics",
    name: "20 metrics, 4 true, correlation 0.3: any false finding, Holm",
    limit: { max: 0.053 },
    format: "percent",
    runs: { quick: 2000, full: 20_000 },
    simulate: (runs, random) => shareOf(runs, () => falseFindings(random, "holm").any),
  },
  {
    group: "Many metrics",
    name: "interaction of two experiments with main effects and none of it",
    limit: { min: 0.044, max: 0.059 },
    format: "percent",
    runs: { quick: 3000, full: 10_000 },
    simulate: (runs, random) => shareOf(runs, () => rejects(noInteraction(random))),
  },
];

/** Whether an estimate excludes 0 at 5 %. */
export function rejects(result: Result<{ readonly pValue: number }>): boolean {
  return result.status === "ok" && result.pValue < 0.05;
}

export function covers(
  result: Result<{ readonly interval: { readonly low: number; readonly high: number } }>,
  truth: number,
): boolean {
  return result.status === "ok" && result.interval.low <= truth && truth <= result.interval.high;
}

function numberOf<K extends string>(result: Result<Readonly<Record<K, number>>>, key: K): number {
  return result.status === "ok" ? result[key] : Number.NaN;
}

function conversionArms(random: Random, { p, treated, small }: { p: number; treated: number; small: number }) {
  const large = Math.round((small * (1 - treated)) / treated);
  return {
    control: { n: large, successes: random.binomial(large, p) },
    treatment: { n: small, successes: random.binomial(small, p) },
  };
}

function cupedArms(random: Random, n: number): { control: JointMoments; treatment: JointMoments } {
  const arm = (): JointMoments =>
    jointMomentsOf(
      Array.from({ length: n }, () => {
        const x = random.normal();
        return [0.7 * x + Math.sqrt(0.51) * random.normal(), x];
      }),
    );
  return { control: arm(), treatment: arm() };
}

// Requests per user and errors among them, with users of different habits: events of one user are alike.
function ratioArm(random: Random): JointMoments {
  return jointMomentsOf(
    Array.from({ length: 1000 }, () => {
      const requests = random.poisson(Math.exp(1 + 0.8 * random.normal()));
      return [random.binomial(requests, 1 / (1 + Math.exp(3 + random.normal()))), requests];
    }),
  );
}

function clusteredQuantiles(random: Random) {
  const drawn = { control: latencies(random), treatment: latencies(random) };
  // One threshold for the share below, from both arms together.
  const pooled = rankedSample([...drawn.control.flat(), ...drawn.treatment.flat()]);
  const threshold = pooled.at(Math.ceil(0.95 * pooled.n));
  const estimate = (units: readonly number[][]) =>
    quantileEstimate(rankedSample(units.flat()), {
      quantile: 0.95,
      clusters: jointMomentsOf(units.map((events) => [events.filter((x) => x <= threshold).length, events.length])),
    });
  return quantileDifference({ control: estimate(drawn.control), treatment: estimate(drawn.treatment) });
}

function latencies(random: Random): number[][] {
  return Array.from({ length: 1000 }, () => {
    const habit = 0.6 * random.normal();
    return Array.from({ length: 1 + random.geometric(1 / 10) }, () => Math.exp(5 + habit + 0.5 * random.normal()));
  });
}

function falseFindings(random: Random, method: "holm" | "benjamini-hochberg"): { share: number; any: boolean } {
  const common = random.normal();
  const pValues = Array.from({ length: 20 }, (_, metric) => {
    const z = Math.sqrt(0.3) * common + Math.sqrt(0.7) * random.normal() + (metric < 4 ? 3 : 0);
    const estimate = normalEstimate({ value: z, variance: 1 });
    return estimate.status === "ok" ? estimate.pValue : 1;
  });
  const adjusted = adjustPValues(pValues, { method });
  if (adjusted.status !== "ok") return { share: 0, any: false };
  const found = adjusted.tests.filter(({ rejected }) => rejected).length;
  const wrong = adjusted.tests.slice(4).filter(({ rejected }) => rejected).length;
  return { share: found === 0 ? 0 : wrong / found, any: wrong > 0 };
}

function noInteraction(random: Random) {
  const cell = (p: number) => {
    const point = proportionPoint({ n: 10_000, successes: random.binomial(10_000, p) });
    return point.status === "ok" ? point : { value: 0, variance: 1 };
  };
  return interactionOf({ cc: cell(0.1), ct: cell(0.11), tc: cell(0.12), tt: cell(0.13) });
}
