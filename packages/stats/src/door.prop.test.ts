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
const crowd = fc.record({ value: nasty, variance: nasty, n: fc.oneof(count, nasty) });
const cell = fc.record({
  hour: fc.oneof(fc.integer({ min: 0, max: 50 }), nasty),
  share: fc.oneof(rate, nasty),
  treated: nasty,
  total: nasty,
});
const parameter = fc.oneof(nasty, fc.double({ min: 1e-3, max: 1e4, noNaN: true }));
const distribution: fc.Arbitrary<stats.Distribution> = fc
  .tuple(fc.constantFrom("normal", "student", "chi-square", "fisher", "beta", "binomial"), parameter, parameter, count)
  .map(([law, a, b, n]) => ({ law, df: a, df1: a, df2: b, a, b, n, p: b }) as unknown as stats.Distribution);

/** What the package names at its door, types aside. */
type Name = keyof typeof stats;

/** Every name of the door, fed with arbitrary input. A name without a row does not compile, and fails the first test below. */
const ROWS: Readonly<Record<Name, fc.Arbitrary<unknown>>> = {
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
  relativeToControl: fc
    .tuple(point, point, nasty)
    .map(([effect, control, covariance]) => stats.relativeToControl(effect, { ...control, covariance })),
  cupedRatioRelative: arms(jointOf(4)).map((a) => stats.cupedRatioRelative(a)),
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
  normalPosterior: fc
    .tuple(point, fc.oneof(fc.constant("flat" as const), fc.record({ mean: nasty, sd: nasty })))
    .map(([p, prior]) => stats.normalPosterior(p, { prior })),
  conversionSignal: arms(proportion).map((a) => stats.conversionSignal(a)),
  valueSignal: arms(moments).map((a) => stats.valueSignal(a)),
  mixtureSequence: fc.tuple(point, nasty, rate).map(([p, scale, alpha]) => stats.mixtureSequence(p, { scale, alpha })),
  mixtureScale: fc.tuple(nasty, rate).map(([variance, alpha]) => stats.mixtureScale({ variance }, { alpha })),
  oneSidedEvidence: fc.tuple(point, nasty).map(([p, scale]) => stats.oneSidedEvidence(p, { scale, direction: "decrease" })),
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
  eventSplit: fc.oneof(
    fc.array(cell, { maxLength: 3 }).map((cells) => stats.eventSplit(cells)),
    fc
      .tuple(fc.array(count, { maxLength: 4 }), fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true }), nasty)
      .map(([counts, share, tolerance]) =>
        stats.eventSplit(
          counts.map((total, i) => ({ hour: 100 * i, share, treated: i % 2 === 0 ? total : 0, total })),
          { tolerance },
        ),
      ),
  ),
  startEventSplit: fc.constant(stats.startEventSplit()),
  observeFailures: fc
    .tuple(cell, nasty)
    .map(([one, tolerance]) => stats.observeFailures(stats.startEventSplit(), one, { tolerance, harm: "decrease" })),
  splitEvidence: fc.array(cell, { maxLength: 3 }).map((cells) => {
    let state = stats.startEventSplit();
    for (const one of cells) {
      const next = stats.observeFailures(state, one);
      if (next.status === "ok") state = next;
    }
    return stats.splitEvidence(state);
  }),
  restartWeight: nasty.map(stats.restartWeight),
  countNonInferiority: fc
    .tuple(proportion, rate, nasty)
    .map(([{ n, successes }, share, tolerance]) =>
      stats.countNonInferiority([{ hour: 0, share, treated: successes, total: n }], { tolerance }),
    ),
  expectedNonInferiority: fc
    .tuple(rate, fc.oneof(count, nasty), nasty)
    .map(([share, total, tolerance]) => stats.expectedNonInferiority({ share, total }, { tolerance })),
  timesUntil: fc.tuple(nasty, nasty).map(([slope, logE]) => stats.timesUntil((times) => slope * times, logE)),
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
  shareVariance: fc
    .tuple(rate, nasty, rate)
    .map(([p, effect, treatmentShare]) => stats.shareVariance(p, { effect, treatmentShare })),
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

  // What a person is told, and which verdict follows: words, whatever the numbers.
  REASONS: fc.constant(stats.REASONS),
  guardrailVerdict: fc.tuple(nasty, nasty).map(([logE, guardrails]) => stats.guardrailVerdict({ logE, guardrails })),
  shipAdvice: fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()).map(([improved, deteriorated, sampleRatio]) =>
    stats.shipAdvice([{ metric: "m", role: "success", improved, deteriorated }], {
      sampleRatio,
      beforeStart: true,
      crossing: true,
    }),
  ),
  refuse: fc.constantFrom(...Object.keys(stats.REASONS)).map((reason) => stats.refuse(reason as stats.Reason)),
  ok: nasty.map((value) => stats.ok({ value, inside: [value] })),
  andThen: nasty.map((value) => stats.andThen(stats.ok({ value }), (it) => stats.ok({ value: 1 / it.value }))),
  bothArms: arms(nasty).map((a) => stats.bothArms(a, (value) => stats.ok({ value }))),

  tailsOf: fc.tuple(distribution, nasty).map(([law, at]) => stats.tailsOf(law, at)),
  quantileOf: fc.tuple(distribution, rate).map(([law, upper]) => stats.quantileOf(law, { upper })),
  quantileDifference: arms(fc.array(nasty, { maxLength: 40 })).map(({ control, treatment }) => {
    const median = (values: number[]) => stats.quantileEstimate(stats.rankedSample(values), { quantile: 0.5 });
    return stats.quantileDifference({ control: median(control), treatment: median(treatment) });
  }),
  capOf: fc.tuple(arms(fc.array(nasty, { maxLength: 5 })), rate).map(([a, quantile]) => stats.capOf(a, { quantile, of: "all" })),
  rateRatio: fc
    .array(fc.record({ share: rate, treated: fc.oneof(count, nasty), total: fc.oneof(count, nasty) }), { maxLength: 3 })
    .map((strata) => stats.rateRatio(strata)),
  holdoutProportion: fc.tuple(proportion, proportion).map(([heldOut, rest]) => stats.holdoutProportion({ heldOut, rest })),
  biasSlope: fc.array(fc.record({ predicted: nasty, actual: nasty }), { maxLength: 4 }).map(stats.biasSlope),
  interactionScreen: fc.tuple(fc.array(fc.tuple(crowd, crowd, crowd, crowd), { maxLength: 3 }), rate).map(([list, alpha]) =>
    stats.interactionScreen(
      list.map(([cc, ct, tc, tt], i) => ({ key: String(i), cells: { cc, ct, tc, tt } })),
      { alpha, cellMin: 2 },
    ),
  ),
  detectableOverRamp: fc
    .tuple(nasty, nasty, nasty, rate)
    .map(([unitVariance, units, treatmentShare, alpha]) =>
      stats.detectableOverRamp({ unitVariance, schedule: [{ units, treatmentShare }] }, { alpha }),
    ),
  evenLooks: nasty.map((looks) => stats.evenLooks(Math.min(looks, 1000))),
  planInflation: fc
    .tuple(rate, nasty, rate)
    .map(([alpha, looks, power]) => stats.planInflation({ alpha, sides: 1 }, { looks: Math.min(looks, 12), power })),
  planLooks: fc
    .tuple(nasty, rate, fc.array(fc.double({ min: 0, max: 1.5, noNaN: true }), { maxLength: 3 }))
    .map(([informationMax, planShare, fractions]) => stats.planLooks({ informationMax, planShare }, fractions)),
  planLook: fc
    .tuple(nasty, nasty, nasty, nasty)
    .map(([informationMax, variance, fraction, spent]) =>
      stats.planLook({ informationMax }, [{ fraction, spent }], { variance }),
    ),
  ledgerVerdict: fc
    .tuple(point, nasty, nasty, nasty)
    .map(([p, informationMax, fraction, bound]) => stats.ledgerVerdict({ informationMax }, p, { fraction, spent: 0, bound })),
  betaBinomial: fc.tuple(arms(proportion), nasty).map(([a, prior]) => stats.betaBinomial(a, { prior: { a: prior, b: prior } })),

  // Sufficient statistics, by what the methods make of them: of broken numbers, a refusal.
  NO_MOMENTS: fc.constant(stats.NO_MOMENTS),
  momentsOf: fc.array(nasty, { maxLength: 3 }).map((values) => stats.meanPoint(stats.momentsOf(values))),
  mergeMoments: fc.tuple(moments, moments).map(([a, b]) => stats.meanPoint(stats.mergeMoments(a, b))),
  unitVariance: moments.map((one) => stats.unitVariance(one) ?? "absent"),
  jointMomentsOf: fc
    .array(fc.tuple(nasty, nasty), { maxLength: 3 })
    .map((rows) => stats.ratioPoint(stats.jointMomentsOf(rows, 2))),
  mergeJoint: fc.tuple(jointOf(2), jointOf(2)).map(([a, b]) => stats.ratioPoint(stats.mergeJoint(a, b))),
  marginal: jointOf(2).map((joint) => stats.meanPoint(stats.marginal(joint, 1))),
  combination: fc.tuple(jointOf(2), nasty).map(([joint, w]) => stats.meanPoint(stats.combination(joint, [1, w]))),
  noSums: fc.array(nasty, { maxLength: 2 }).map((shift) => stats.momentsFromSums(stats.noSums(shift))),
  unitIncrement: fc
    .tuple(nasty, nasty, nasty)
    .map(([before, added, shift]) =>
      stats.momentsFromSums({ ...stats.unitIncrement({ before: [before], added: [added] }, [shift]), n: 1 }),
    ),
  addSums: fc
    .tuple(nasty, nasty, nasty)
    .map(([added, shift, other]) =>
      stats.momentsFromSums(
        stats.addSums(stats.unitIncrement({ added: [added] }, [shift]), stats.unitIncrement({ added: [added] }, [other])),
      ),
    ),
  rankedSample: fc
    .array(nasty, { maxLength: 40 })
    .map((values) => stats.quantileEstimate(stats.rankedSample(values), { quantile: 0.5 })),
  winsorise: fc
    .tuple(fc.array(nasty, { maxLength: 4 }), nasty)
    .map(([values, cap]) => stats.describeSample(stats.winsorise(values, cap))),
  differenceOf: arms(point).map((a) => stats.normalEstimate(stats.differenceOf(a))),
};

/** Fewer runs where one takes long. */
const RUNS: Readonly<Partial<Record<Name, number>>> = { betaBinomial: 25 };

describe("no input makes a number that is not finite", () => {
  it("has a row for every name of the door, and for no other", () => {
    expect(Object.keys(ROWS).sort()).toEqual(Object.keys(stats).sort());
  });

  it.each(Object.entries(ROWS))("%s", (name, results) => {
    fc.assert(
      fc.property(results, (result) => {
        expect(faults(result)).toEqual([]);
      }),
      { numRuns: RUNS[name as Name] ?? 300, seed: 20_261_122 },
    );
  });
});

/** Paths to numbers that are not finite, and answers that are no results. */
function faults(result: unknown, path = "result"): string[] {
  if (typeof result === "number") return Number.isFinite(result) ? [] : [`${path} = ${result}`];
  if (typeof result !== "object" || result === null) return result === undefined ? [`${path} is undefined`] : [];
  return Object.entries(result).flatMap(([key, inner]) => faults(inner, `${path}.${key}`));
}
