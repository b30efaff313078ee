import { describe, expect, it } from "vitest";
import * as stats from "./index.ts";

/** The examples of the doc comments, with the numbers they state. */
const EXAMPLES: readonly (readonly [name: string, actual: unknown, stated: unknown])[] = [
  ["erf", stats.erf(0.5), 0.5204998778130465],
  ["normalCdf", stats.normalCdf(1.96), 0.9750021048517795],
  ["normalQuantile", stats.normalQuantile(0.975), 1.959963984540054],
  ["normalTailQuantile", stats.normalTailQuantile(1e-20), 9.26234009],
  ["logErfc", stats.logErfc(100), -10005.1776],
  ["logNormalTail", stats.logNormalTail(50), -1254.8314],
  ["chiSquareTail", stats.chiSquareTail(3.841458820694124, 1), 0.05],
  ["studentTailQuantile", stats.studentTailQuantile(0.025, 10), 2.22813885198627],
  ["fisherTailQuantile", stats.fisherTailQuantile(0.05, 1, 10), 4.9646],
  ["binomialCdf", stats.binomialCdf(5, { n: 10, p: 0.5 }), 0.623046875],
  ["binomialQuantile", stats.binomialQuantile(0.5, { n: 10, p: 0.5 }), 5],
  ["ok", stats.ok({ value: 1 / 0 }), { status: "undefined", reason: "not-finite" }],
  ["momentsOf", stats.momentsOf([1, 2, 3]), { n: 3, mean: 2, m2: 2 }],
  [
    "jointMomentsOf",
    stats.jointMomentsOf([
      [1, 2],
      [3, 6],
    ]).cross,
    [
      [2, 4],
      [4, 8],
    ],
  ],
  ["unitIncrement", stats.unitIncrement({ before: [3], added: [2] }, [0]).second, [[16]]],
  ["rateRatio", stats.rateRatio([{ share: 0.5, treated: 30, total: 50 }]), { value: 0.5 }],
  ["normalEstimate", stats.normalEstimate({ value: 1, variance: 0.25 }), { pValue: 0.0455, interval: { low: 0.02, high: 1.98 } }],
  [
    "relativeEffect",
    stats.relativeEffect({ control: { value: 10, variance: 0.1 }, treatment: { value: 11, variance: 0.1 } }),
    { value: 0.1 },
  ],
  [
    "proportionRelative",
    stats.proportionRelative({ control: { n: 1000, successes: 100 }, treatment: { n: 1000, successes: 130 } }),
    { value: 0.2985 },
  ],
  [
    "meanDifference",
    stats.meanDifference({ control: stats.momentsOf([1, 2, 3]), treatment: stats.momentsOf([2, 3, 4]) }),
    { value: 1, df: 4 },
  ],
  [
    "ratioPoint",
    stats.ratioPoint(
      stats.jointMomentsOf([
        [1, 2],
        [3, 2],
        [2, 4],
      ]),
    ),
    { value: 0.75 },
  ],
  [
    "normalPosterior",
    stats.normalPosterior({ value: 2, variance: 1 }, { prior: { mean: 0, sd: 1 } }),
    { value: 1, sd: Math.SQRT1_2, chanceToBeat: 0.9214 },
  ],
  [
    "conversionSignal",
    stats.conversionSignal({ control: { n: 9500, successes: 95 }, treatment: { n: 500, successes: 9 } }),
    { value: 0.008 },
  ],
  ["mixtureSequence", stats.mixtureSequence({ value: 0.02, variance: 1e-5 }, { scale: 0.01 }), { logE: 16.9829 }],
  ["spentAlpha", stats.spentAlpha({ alpha: 0.05 }, 0.5), 0.00305],
  ["nextLook", stats.nextLook({ alpha: 0.05 }, [], 0.2), { fraction: 0.2, bound: 4.8769 }],
  ["planInflation", stats.planInflation({ alpha: 0.05 }, { looks: 14, power: 0.8 }), { factor: 1.0424 }],
  ["planLooks", stats.planLooks({ informationMax: 1e6 }, [0.5, 1]), { looks: { 0: { bound: 3.00685 }, 1: { bound: 2.01028 } } }],
  ["ledgerInflation", stats.ledgerInflation({}, { looks: 14 }), { factor: 1.07006 }],
  ["planLook", stats.planLook({ informationMax: 1e6 }, [], { variance: 4e-6 }), { fraction: 0.25 }],
  ["effectDecay", stats.effectDecay([4, 2, 1].map((effect, time) => ({ time, value: effect, variance: 0.01 }))), { halfLife: 1 }],
  ["eventSplit", stats.eventSplit([{ hour: 0, share: 0.05, treated: 8, total: 20 }]), { logE: Math.log(3414.5) }],
  ["guardrailVerdict", stats.guardrailVerdict({ logE: Math.log(250), guardrails: 2 }), "rollback"],
  [
    "nonInferiority",
    stats.nonInferiority({ value: -0.1, variance: 0.01 }, { margin: 0.5, good: "increase" }),
    { isNonInferior: true },
  ],
  ["srmTest", stats.srmTest({ counts: [44_700, 45_489], weights: [1, 1] }), { pValue: 0.0086 }],
  ["requiredUnits", stats.requiredUnits({ unitVariance: 1, effect: 0.5 }), { units: 128 }],
  ["powerOf", stats.powerOf({ unitVariance: 1, effect: 0.5, units: 128 }), { power: 0.8015 }],
  ["detectableEffect", stats.detectableEffect({ unitVariance: 1, units: 100_000 }), { effect: 0.0177 }],
  [
    "requiredDuration",
    stats.requiredDuration({
      unitVariance: 0.09,
      effect: 0.01,
      schedule: Array.from({ length: 10 }, () => ({ units: 4000, treatmentShare: 0.5 })),
    }),
    { stretches: 8, units: 32_000 },
  ],
  [
    "betweenVariance",
    stats.betweenVariance([
      { value: 0, variance: 1 },
      { value: 4, variance: 1 },
    ]),
    7,
  ],
  ["shrink", stats.shrink({ value: 0.04, variance: 1e-4 }, { mean: 0, sd: 0.01 }), { value: 0.02 }],
  ["crpsNormal", stats.crpsNormal({ mean: 0, sd: 1 }, 0), 0.2337],
  ["exactInterval", stats.exactInterval({ n: 10, successes: 8 }), { low: 0.4439, high: 0.9748 }],
  [
    "crossingHealth",
    stats.crossingHealth([
      { n: 10_000, successes: 20 },
      { n: 10_000, successes: 25 },
    ]),
    { share: 0.00225, isUnhealthy: false },
  ],
];

describe("examples of the doc comments", () => {
  it.each(EXAMPLES)("%s", (_, actual, stated) => {
    expectStated(actual, stated);
  });
});

// Numbers are stated to four decimals or more.
function expectStated(actual: unknown, stated: unknown): void {
  if (typeof stated === "number") expect(actual).toBeCloseTo(stated, 4);
  else if (typeof stated !== "object" || stated === null) expect(actual).toBe(stated);
  else for (const [key, inner] of Object.entries(stated)) expectStated((actual as Record<string, unknown>)[key], inner);
}
