import fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as stats from "./index.ts";

/** Numbers that break naive code: tiny samples, offsets that eat digits, extremes, and what is no number at all. */
const nasty = fc.oneof(
  fc.constantFrom(0, -0, 1, -1, 2, 0.5, 1e12, -1e12, 1e-12, 1e300, -1e300, 1e-300, 5e-324, Number.MAX_VALUE),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY),
  fc.double({ noNaN: true }),
  fc.double({ min: -10, max: 10, noNaN: true }),
);
const sane = fc.oneof(fc.constantFrom(0, 1, 5, 1e12), fc.double({ min: -100, max: 100, noNaN: true }));
const offset = fc.constantFrom(0, 1e12, -1e12, 1e-9);

/** Real samples of 0 to 3 units, often constant, at any offset; and made-up sums that no sample has. */
const moments = fc.oneof(
  fc
    .tuple(fc.array(sane, { maxLength: 3 }), offset)
    .map(([values, shift]) => stats.momentsOf(values.map((value) => value + shift))),
  fc.record({ n: fc.oneof(fc.integer({ min: 0, max: 3 }), nasty), mean: nasty, m2: nasty }),
);
const jointOf = (width: number) =>
  fc.oneof(
    fc
      .tuple(fc.array(fc.array(sane, { minLength: width, maxLength: width }), { maxLength: width + 6 }), offset)
      .map(([rows, shift]) =>
        stats.jointMomentsOf(
          rows.map((row) => row.map((value) => value + shift)),
          width,
        ),
      ),
    fc.record({
      n: fc.oneof(fc.integer({ min: 0, max: 9 }), nasty),
      means: fc.array(nasty, { minLength: width, maxLength: width }),
      cross: fc.array(fc.array(nasty, { minLength: width, maxLength: width }), { minLength: width, maxLength: width }),
    }),
  );
const count = fc.oneof(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 1_000_000 }));
const proportion = fc.oneof(
  fc.tuple(count, count).map(([a, b]) => ({ n: Math.max(a, b), successes: Math.min(a, b) })),
  fc.record({ n: nasty, successes: nasty }),
);
const point = fc.record({ value: nasty, variance: nasty });
const arms = <T>(one: fc.Arbitrary<T>) => fc.record({ control: one, treatment: one });
const rate = fc.oneof(fc.constantFrom(0.05, 0.001, 0, 1), nasty);

/** Every function that answers a result, with arbitrary input. */
const CALLS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  meanPoint: moments.map(stats.meanPoint),
  meanDifference: fc.tuple(arms(moments), rate).map(([a, alpha]) => stats.meanDifference(a, { alpha })),
  meanRelative: fc
    .tuple(arms(moments), fc.constantFrom("fieller", "delta"))
    .map(([a, method]) => stats.meanRelative(a, { method: method as "delta" })),
  relativeEffect: arms(point).map((a) => stats.relativeEffect(a)),
  normalEstimate: point.map((p) => stats.normalEstimate(p)),
  proportionDifference: fc
    .tuple(arms(proportion), rate, fc.constantFrom("newcombe", "agresti-caffo", "wald"))
    .map(([a, alpha, interval]) => stats.proportionDifference(a, { alpha, interval: interval as "wald" })),
  proportionRelative: arms(proportion).map((a) => stats.proportionRelative(a)),
  wilsonInterval: proportion.map((p) => stats.wilsonInterval(p)),
  exactInterval: proportion.map((p) => stats.exactInterval(p)),
  proportionPoint: proportion.map(stats.proportionPoint),
  ratioPoint: jointOf(2).map(stats.ratioPoint),
  ratioDifference: arms(jointOf(2)).map((a) => stats.ratioDifference(a)),
  ratioRelative: arms(jointOf(2)).map((a) => stats.ratioRelative(a)),
  cupedDifference: arms(jointOf(2)).map((a) => stats.cupedDifference(a)),
  cupedRelative: arms(jointOf(2)).map((a) => stats.cupedRelative(a)),
  cupedRatioDifference: arms(jointOf(4)).map((a) => stats.cupedRatioDifference(a)),
  adjustedDifference: arms(jointOf(3)).map((a) => stats.adjustedDifference(a)),
  withMissingFlag: fc
    .tuple(jointOf(2), jointOf(1), jointOf(3))
    .map(([seen, unseen, other]) => stats.adjustedDifference({ control: stats.withMissingFlag(seen, unseen), treatment: other })),
  quantileEstimate: fc
    .tuple(fc.array(nasty, { maxLength: 200 }), rate, jointOf(2))
    .map(([values, quantile, clusters]) => stats.quantileEstimate(stats.rankedSample(values), { quantile, clusters })),
  winsoriseArms: fc
    .tuple(arms(fc.array(nasty, { maxLength: 5 })), rate)
    .map(([a, quantile]) => stats.winsoriseArms(a, { quantile })),
  effectDecay: fc
    .array(fc.tuple(nasty, point), { maxLength: 5 })
    .map((list) => stats.effectDecay(list.map(([time, { value, variance }]) => ({ time, value, variance })))),
  describeSample: fc.array(nasty, { maxLength: 5 }).map(stats.describeSample),
  stratifiedMeans: fc
    .array(arms(moments), { maxLength: 3 })
    .map((list) => stats.stratifiedMeans(list.map((a, i) => ({ key: String(i), arms: a })))),
  stratifiedProportions: fc.array(arms(proportion), { maxLength: 3 }).map((list) =>
    stats.stratifiedProportions(
      list.map((a, i) => ({ key: String(i), arms: a })),
      { weights: "population" },
    ),
  ),
  pooledProportions: fc
    .array(arms(proportion), { maxLength: 3 })
    .map((list) => stats.pooledProportions(list.map((a, i) => ({ key: String(i), arms: a })))),
  pooledMeans: fc
    .array(arms(moments), { maxLength: 3 })
    .map((list) => stats.pooledMeans(list.map((a, i) => ({ key: String(i), arms: a })))),
  normalPosterior: fc.tuple(point, nasty, nasty).map(([p, mean, sd]) => stats.normalPosterior(p, { prior: { mean, sd } })),
  normalPosteriorFlat: point.map((p) => stats.normalPosterior(p, { prior: "flat" })),
  conversionSignal: arms(proportion).map((a) => stats.conversionSignal(a)),
  valueSignal: arms(moments).map((a) => stats.valueSignal(a)),
  mixtureSequence: fc.tuple(point, nasty, rate).map(([p, scale, alpha]) => stats.mixtureSequence(p, { scale, alpha })),
  mixtureScale: fc.tuple(nasty, rate).map(([variance, alpha]) => stats.mixtureScale({ variance }, { alpha })),
  oneSidedMixture: fc
    .tuple(point, nasty, rate)
    .map(([p, scale, alpha]) => stats.oneSidedMixture(p, { scale, alpha, direction: "decrease" })),
  valueGuardrail: fc
    .tuple(arms(moments), nasty, nasty)
    .map(([a, scale, tolerance]) => stats.valueGuardrail(a, { harm: "increase", scale, tolerance })),
  conversionGuardrail: fc
    .tuple(arms(proportion), nasty)
    .map(([a, scale]) => stats.conversionGuardrail(a, { harm: "decrease", scale })),
  nextLook: fc
    .tuple(rate, nasty, fc.constantFrom("obrien-fleming", "pocock"))
    .map(([alpha, fraction, spending]) => stats.nextLook({ alpha, spending: spending as "pocock" }, [], fraction)),
  sequentialBounds: fc
    .tuple(rate, fc.array(fc.oneof(fc.double({ min: 0, max: 1.5, noNaN: true }), nasty), { maxLength: 4 }))
    .map(([alpha, fractions]) => stats.sequentialBounds({ alpha }, fractions)),
  ledgerInflation: fc
    .tuple(rate, nasty, rate)
    .map(([alpha, looks, power]) => stats.ledgerInflation({ alpha }, { looks: Math.min(looks, 12), power })),
  judge: fc.tuple(point, nasty).map(([p, informationMax]) => stats.judge({ informationMax }, [], p)),
  eventSplit: fc
    .array(
      fc.record({
        hour: fc.oneof(fc.integer({ min: 0, max: 50 }), nasty),
        share: fc.oneof(rate, nasty),
        treated: nasty,
        total: nasty,
      }),
      { maxLength: 3 },
    )
    .map((cells) => stats.eventSplit(cells)),
  eventSplitOrdered: fc
    .tuple(fc.array(count, { maxLength: 4 }), fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }), nasty)
    .map(([counts, share, tolerance]) =>
      stats.eventSplit(
        counts.map((total, i) => ({ hour: 100 * i, share, treated: i % 2 === 0 ? total : 0, total })),
        { tolerance },
      ),
    ),
  countNonInferiority: fc
    .tuple(proportion, rate, nasty)
    .map(([{ n, successes }, share, tolerance]) =>
      stats.countNonInferiority([{ hour: 0, share, treated: successes, total: n }], { tolerance }),
    ),
  nonInferiority: fc.tuple(point, nasty).map(([p, margin]) => stats.nonInferiority(p, { margin, good: "increase" })),
  relativeNonInferiority: fc
    .tuple(arms(point), nasty)
    .map(([a, margin]) => stats.relativeNonInferiority(a, { margin, good: "decrease" })),
  srmTest: fc
    .tuple(fc.array(nasty, { maxLength: 3 }), fc.array(nasty, { maxLength: 3 }))
    .map(([counts, weights]) => stats.srmTest({ counts, weights })),
  srmSequence: fc
    .tuple(fc.array(count, { minLength: 2, maxLength: 3 }), nasty)
    .map(([counts, concentration]) => stats.srmSequence([{ counts, weights: counts.map((_, i) => i) }], { concentration })),
  srmBySegment: fc
    .array(fc.array(nasty, { minLength: 2, maxLength: 2 }), { maxLength: 3 })
    .map((list) => stats.srmBySegment(list.map((counts, i) => ({ key: String(i), counts, weights: [1, 1] })))),
  independenceTest: fc.array(fc.array(nasty, { minLength: 2, maxLength: 2 }), { maxLength: 3 }).map(stats.independenceTest),
  crossingHealth: fc.array(proportion, { maxLength: 3 }).map(stats.crossingHealth),
  adjustPValues: fc.array(nasty, { maxLength: 4 }).map((ps) => stats.adjustPValues(ps, { method: "holm" })),
  interactionOf: fc.tuple(point, point, point, point).map(([cc, ct, tc, tt]) => stats.interactionOf({ cc, ct, tc, tt })),
  requiredUnits: fc
    .tuple(nasty, nasty, rate)
    .map(([unitVariance, effect, alpha]) => stats.requiredUnits({ unitVariance, effect }, { alpha })),
  powerOf: fc
    .tuple(nasty, nasty, nasty, rate)
    .map(([unitVariance, effect, units, treatmentShare]) => stats.powerOf({ unitVariance, effect, units }, { treatmentShare })),
  detectableEffect: fc.tuple(nasty, nasty).map(([unitVariance, units]) => stats.detectableEffect({ unitVariance, units })),
  requiredDuration: fc
    .tuple(nasty, nasty, nasty)
    .map(([unitVariance, effect, units]) =>
      stats.requiredDuration({ unitVariance, effect, schedule: [{ units, treatmentShare: 0.5 }] }),
    ),
  ratioUnitVariance: jointOf(2).map(stats.ratioUnitVariance),
  shareVariance: nasty.map(stats.shareVariance),
  fitPrior: fc
    .tuple(fc.array(point, { maxLength: 4 }), nasty)
    .map(([list, defaultSd]) => stats.fitPrior(list, { defaultSd, testsMin: 2 })),
  shrink: fc.tuple(point, nasty, nasty).map(([p, mean, sd]) => stats.shrink(p, { mean, sd })),
  cumulativeEffect: fc
    .tuple(fc.array(point, { maxLength: 3 }), nasty)
    .map(([list, sd]) => stats.cumulativeEffect(list, { mean: 0, sd })),
  scorePrediction: fc
    .tuple(nasty, nasty, rate, nasty)
    .map(([low, high, level, actual]) => stats.scorePrediction({ interval: { low, high, level } }, actual)),
  calibrate: fc
    .array(fc.tuple(sane, nasty), { maxLength: 4 })
    .map((list) =>
      stats.calibrate(list.map(([low, actual]) => ({ prediction: { interval: { low, high: low + 1, level: 0.8 } }, actual }))),
    ),
  holdoutEffect: fc.tuple(moments, moments).map(([heldOut, rest]) => stats.holdoutEffect({ heldOut, rest })),
  momentsFromSums: fc
    .tuple(nasty, nasty, nasty, nasty)
    .map(([n, shift, first, second]) => stats.momentsFromSums({ n, shift: [shift], first: [first], second: [[second]] })),
};

describe("no input makes a number that is not finite", () => {
  it.each(Object.entries(CALLS))("%s", (_, results) => {
    fc.assert(
      fc.property(results, (result) => {
        expect(faults(result)).toEqual([]);
      }),
      { numRuns: 300, seed: 20_261_122 },
    );
  });

  it("betaBinomial, which is slow", () => {
    fc.assert(
      fc.property(arms(proportion), nasty, (a, prior) => {
        expect(faults(stats.betaBinomial(a, { prior: { a: prior, b: prior } }))).toEqual([]);
      }),
      { numRuns: 25, seed: 20_261_122 },
    );
  });
});

/** Paths to numbers that are not finite, and answers that are no results. */
function faults(result: unknown, path = "result"): string[] {
  if (typeof result === "number") return Number.isFinite(result) ? [] : [`${path} = ${result}`];
  if (typeof result !== "object" || result === null) return result === undefined ? [`${path} is undefined`] : [];
  return Object.entries(result).flatMap(([key, inner]) => faults(inner, `${path}.${key}`));
}
