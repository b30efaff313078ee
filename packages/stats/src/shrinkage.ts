/**
 * What an organisation's past says about its next effect. Shipped because significant, effects look larger than they are; pulled toward
 * the spread of all past effects, they are right on average. Sources: DerSimonian and Laird, Controlled Clinical Trials 7 (1986);
 * Efron and Morris, JASA 70 (1975). Assumes effects comparable in unit (relative effects of one metric) and nearly normal.
 */
import { type NormalPrior, shrinkTo } from "./bayes.ts";
import { type AlphaOption, type ClosedInterval, DEFAULT_ALPHA, isRate, ok, type Point, type Result, refuse } from "./result.ts";
import { twoSidedZ } from "./special/normal.ts";

export interface PriorOptions {
  /** Standard deviation used while there are too few past tests, in the unit of the effects. */
  readonly defaultSd: number;
  /** Finished tests needed for a fit. Default 20. */
  readonly testsMin?: number;
}

export interface FittedPrior extends NormalPrior {
  /** "default" while there are too few tests, or where the past shows no spread beyond noise. */
  readonly source: "fitted" | "default";
  readonly tests: number;
}

export interface Shrunken {
  readonly value: number;
  readonly interval: ClosedInterval;
  /** How much of the raw effect's distance from the prior's mean is kept, 0 to 1. */
  readonly kept: number;
}

/**
 * A normal prior from past effects (all finished tests, not only the shipped ones).
 * @example fitPrior([{ value: 0.01, variance: 1e-4 }], { defaultSd: 0.02 }) // sd 0.02, tests 1
 */
export function fitPrior(effects: readonly Point[], { defaultSd, testsMin = 20 }: PriorOptions): Result<FittedPrior> {
  if (!(defaultSd > 0) || !effects.every(({ value, variance }) => Number.isFinite(value) && variance > 0))
    return refuse("invalid-input");
  const fallback = { mean: 0, sd: defaultSd, source: "default" as const, tests: effects.length };
  if (effects.length < Math.max(2, testsMin)) return ok(fallback);
  const between = betweenVariance(effects);
  if (!(between > 0)) return ok(fallback);
  const weights = effects.map(({ variance }) => 1 / (variance + between));
  const mean = weightedMean(effects, weights);
  return ok({ mean, sd: Math.sqrt(between), source: "fitted", tests: effects.length });
}

/**
 * DerSimonian and Laird's variance of true effects; 0 when the spread is no more than noise explains.
 * @example betweenVariance([{ value: 0, variance: 1 }, { value: 4, variance: 1 }]) // 7
 */
export function betweenVariance(effects: readonly Point[]): number {
  const weights = effects.map(({ variance }) => 1 / variance);
  const mean = weightedMean(effects, weights);
  const total = weights.reduce((sum, w) => sum + w, 0);
  const squares = weights.reduce((sum, w) => sum + w * w, 0);
  const q = effects.reduce((sum, { value }, i) => sum + (weights[i] ?? 0) * (value - mean) ** 2, 0);
  const denominator = total - squares / total;
  return denominator > 0 ? Math.max(0, (q - (effects.length - 1)) / denominator) : 0;
}

/**
 * An effect pulled toward the prior, to show beside the raw one.
 * @example shrink({ value: 0.04, variance: 1e-4 }, { mean: 0, sd: 0.01 }) // value 0.02
 */
export function shrink(effect: Point, prior: NormalPrior, { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<Shrunken> {
  if (!isRate(alpha) || !(effect.variance >= 0) || !(prior.sd > 0)) return refuse("invalid-input");
  const { value, variance } = shrinkTo(prior, effect);
  const reach = twoSidedZ(alpha) * Math.sqrt(variance);
  return ok({
    value,
    interval: { low: value - reach, high: value + reach, level: 1 - alpha },
    kept: (prior.sd * prior.sd) / (prior.sd * prior.sd + effect.variance),
  });
}

export interface CumulativeEffect {
  /** Sum of the raw effects: too large when only the significant ones shipped. */
  readonly raw: number;
  /** Sum of the shrunken effects: right on average, to be set beside a holdout. */
  readonly value: number;
  readonly interval: ClosedInterval;
}

/**
 * What a quarter's shipped effects add up to.
 * @example cumulativeEffect([{ value: 0.04, variance: 1e-4 }, { value: 0.02, variance: 1e-4 }], { mean: 0, sd: 0.01 }) // raw 0.06,
 *   value 0.03
 */
export function cumulativeEffect(
  shipped: readonly Point[],
  prior: NormalPrior,
  { alpha = DEFAULT_ALPHA }: AlphaOption = {},
): Result<CumulativeEffect> {
  if (!isRate(alpha) || !(prior.sd > 0) || !shipped.every(({ variance }) => variance >= 0)) return refuse("invalid-input");
  const posteriors = shipped.map((effect) => shrinkTo(prior, effect));
  const value = posteriors.reduce((sum, point) => sum + point.value, 0);
  const variance = posteriors.reduce((sum, point) => sum + point.variance, 0);
  const reach = twoSidedZ(alpha) * Math.sqrt(variance);
  return ok({
    raw: shipped.reduce((sum, point) => sum + point.value, 0),
    value,
    interval: { low: value - reach, high: value + reach, level: 1 - alpha },
  });
}

function weightedMean(effects: readonly Point[], weights: readonly number[]): number {
  const total = weights.reduce((sum, w) => sum + w, 0);
  return effects.reduce((sum, { value }, i) => sum + (weights[i] ?? 0) * value, 0) / total;
}
