import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { spentAlpha } from "./group-sequential.ts";
import * as stats from "./index.ts";
import { crpsNormal } from "./prediction.ts";
import { betweenVariance } from "./shrinkage.ts";
import { betaTailQuantile } from "./special/beta.ts";
import { binomialCdf, binomialQuantile, binomialTailQuantile } from "./special/binomial.ts";
import { chiSquareTail } from "./special/chi-square.ts";
import { erf, logErfc } from "./special/erfc.ts";
import { fisherTailQuantile } from "./special/fisher.ts";
import { logNormalTail, normalCdf, normalQuantile, normalTailQuantile } from "./special/normal.ts";
import { studentTailQuantile } from "./special/student.ts";

/** The examples of the doc comments, with the numbers they state. */
const EXAMPLES: readonly (readonly [name: string, actual: unknown, stated: unknown])[] = [
  ["erf", erf(0.5), 0.5204998778130465],
  ["normalCdf", normalCdf(1.96), 0.9750021048517795],
  ["normalQuantile", normalQuantile(0.975), 1.959963984540054],
  ["normalTailQuantile", normalTailQuantile(1e-20), 9.26234009],
  ["logErfc", logErfc(100), -10005.1776],
  ["logNormalTail", logNormalTail(50), -1254.8314],
  ["chiSquareTail", chiSquareTail(3.841458820694124, 1), 0.05],
  ["studentTailQuantile", studentTailQuantile(0.025, 10), 2.22813885198627],
  ["fisherTailQuantile", fisherTailQuantile(0.05, 1, 10), 4.9646],
  ["binomialCdf", binomialCdf(5, { n: 10, p: 0.5 }), 0.623046875],
  ["binomialQuantile", binomialQuantile(0.5, { n: 10, p: 0.5 }), 5],
  ["binomialTailQuantile", binomialTailQuantile(0.5, { n: 10, p: 0.5 }), 5],
  ["betaTailQuantile", betaTailQuantile(0.5, 2, 2), 0.5],
  ["tailsOf", stats.tailsOf({ law: "normal" }, 1.96), { lower: 0.975002, upper: 0.024998 }],
  ["quantileOf", stats.quantileOf({ law: "normal" }, { upper: 0.025 }), { value: 1.959964 }],
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
  ["spentAlpha", spentAlpha({ alpha: 0.05 }, 0.5), 0.00305],
  ["nextLook", stats.nextLook({ alpha: 0.05 }, [], 0.2), { fraction: 0.2, bound: 4.8769 }],
  ["planInflation", stats.planInflation({ alpha: 0.05 }, { looks: 14, power: 0.8 }), { factor: 1.0424 }],
  ["planLooks", stats.planLooks({ informationMax: 1e6 }, [0.5, 1]), { looks: { 0: { bound: 3.00431 }, 1: { bound: 2.01031 } } }],
  ["ledgerInflation", stats.ledgerInflation({}, { looks: 14 }), { factor: 1.06949 }],
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
    betweenVariance([
      { value: 0, variance: 1 },
      { value: 4, variance: 1 },
    ]),
    7,
  ],
  ["shrink", stats.shrink({ value: 0.04, variance: 1e-4 }, { mean: 0, sd: 0.01 }), { value: 0.02 }],
  ["crpsNormal", crpsNormal({ mean: 0, sd: 1 }, 0), 0.2337],
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

describe("examples of the door", () => {
  const functions = Object.entries(stats).flatMap(([name, value]) => (typeof value === "function" ? [name] : []));

  it.each(functions)("%s: has one, it runs, and it gives what it says", (name) => {
    const examples = examplesOf(name);
    expect(examples.length).toBeGreaterThan(0);
    for (const { expression, stated } of examples) {
      const found = leaves(new Function(...Object.keys(stats), `return ${expression}`)(...Object.values(stats)));
      const claims = stated.match(/"[a-z-]+"|-?\d[\d_.]*(e-?\d+)?/g) ?? [];
      expect(claims.length).toBeGreaterThan(0);
      for (const claim of claims)
        expect(
          found.some((leaf) => isClaimed(leaf, claim)),
          `${claim} in ${found}`,
        ).toBe(true);
    }
  });
});

const SOURCES = readdirSync(new URL(".", import.meta.url))
  .filter((file) => file.endsWith(".ts") && !/\.(test|fixture)\.ts$/.test(file))
  .map((file) => readFileSync(new URL(file, import.meta.url), "utf8"));

/** The examples in the doc comment right above a function: an expression, and after its slashes what it gives. */
function examplesOf(name: string): { expression: string; stated: string }[] {
  const source = SOURCES.find((text) => new RegExp(`^export function ${name}\\b`, "m").test(text)) ?? "";
  const comment =
    source
      .slice(0, source.search(new RegExp(`^export function ${name}\\b`, "m")))
      .split("/**")
      .at(-1) ?? "";
  return [...comment.matchAll(/@example ([^@]*?) \/\/ ([^@]*?)(?=\n \* @|\n? \*\/)/g)].map(
    ([, expression = "", stated = ""]) => ({
      expression: expression.replace(/\n \*/g, " "),
      stated: stated.replace(/\n \*/g, " "),
    }),
  );
}

/** Every number and word in an answer, however deep. */
function leaves(answer: unknown): (number | string)[] {
  if (typeof answer === "number" || typeof answer === "string") return [answer];
  return typeof answer === "object" && answer !== null ? Object.values(answer).flatMap(leaves) : [];
}

/** A number is what it is claimed to be when it rounds to it: half a step of the last digit shown. */
function isClaimed(leaf: number | string, claim: string): boolean {
  if (typeof leaf === "string") return `"${leaf}"` === claim;
  const [digits = "", power = "0"] = claim.split("e");
  const decimals = (digits.split(".")[1] ?? "").length - Number(power);
  return Math.abs(leaf - Number(claim)) <= 0.5000001 * 10 ** -decimals;
}

// Numbers are stated to four decimals or more.
function expectStated(actual: unknown, stated: unknown): void {
  if (typeof stated === "number") expect(actual).toBeCloseTo(stated, 4);
  else if (typeof stated !== "object" || stated === null) expect(actual).toBe(stated);
  else for (const [key, inner] of Object.entries(stated)) expectStated((actual as Record<string, unknown>)[key], inner);
}
