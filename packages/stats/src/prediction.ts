/**
 * Scoring what people predicted before a launch against what happened. Sources: Gneiting and Raftery, "Strictly proper scoring rules,
 * prediction, and estimation", JASA 102 (2007). Proper: nobody gains by stating anything but what they believe.
 */

import { studentEstimate } from "./mean.ts";
import { momentsOf, unitVariance } from "./moments.ts";
import { type ClosedInterval, type Estimate, ok, type Result, refuse } from "./result.ts";
import { binomialCdf, binomialTail } from "./special/binomial.ts";
import { normalCdf, normalDensity, normalTailQuantile } from "./special/normal.ts";
import { bisect } from "./special/root.ts";

/** A frozen prediction: an interval with the level its author gave it, and a mean (default: the middle). */
export interface Prediction {
  readonly interval: ClosedInterval;
  readonly mean?: number;
}

export interface ScoredPrediction {
  /** Width of the interval plus 2/alpha times what it missed by; lower is better. In the unit of the effect. */
  readonly intervalScore: number;
  /** Continuous ranked probability score of the normal distribution with that interval; lower is better. In the unit of the effect. */
  readonly crps: number;
  readonly covered: boolean;
}

export interface CalibrationRow {
  /** The level that was claimed. */
  readonly level: number;
  readonly predictions: number;
  readonly covered: number;
  /** 95 % exact (Clopper and Pearson) band of the true coverage. Outside it lies `level`: the team is not calibrated at that level. */
  readonly band: ClosedInterval;
}

export interface Calibration {
  readonly predictions: number;
  readonly meanIntervalScore: number;
  readonly meanCrps: number;
  /** Share of actual values inside their interval. */
  readonly coverage: number;
  readonly byLevel: readonly CalibrationRow[];
  /** Slope of actual on predicted means with its interval: below 1 the predictions are too far from 0. Absent below 3 predictions. */
  readonly biasSlope?: Estimate;
}

/** Beyond a million, exact tails cost time and tell nothing that `wilsonInterval` does not. */
const EXACT_MAX = 1e6;

/**
 * Scores one prediction against the actual effect.
 * @example scorePrediction({ interval: { low: 0, high: 2, level: 0.8 } }, 3) // intervalScore 12, crps 1.562
 */
export function scorePrediction(prediction: Prediction, actual: number): Result<ScoredPrediction> {
  const { low, high, level } = prediction.interval;
  if (!(low <= high) || !(level > 0 && level < 1) || !Number.isFinite(actual)) return refuse("invalid-input");
  const missed = Math.max(0, low - actual, actual - high);
  const sd = (high - low) / 2 / normalTailQuantile((1 - level) / 2);
  return ok({
    intervalScore: high - low + (2 / (1 - level)) * missed,
    crps: crpsNormal({ mean: meanOf(prediction), sd }, actual),
    covered: missed === 0,
  });
}

/** CRPS of a normal prediction; of a certain one (sd 0) it is the absolute error. `crpsNormal({ mean: 0, sd: 1 }, 0) // 0.2337` */
export function crpsNormal({ mean, sd }: { readonly mean: number; readonly sd: number }, actual: number): number {
  if (sd === 0) return Math.abs(actual - mean);
  const z = (actual - mean) / sd;
  return sd * (z * (2 * normalCdf(z) - 1) + 2 * normalDensity(z) - 1 / Math.sqrt(Math.PI));
}

/**
 * How well a team predicts: mean scores, coverage with a binomial band per claimed level, and the slope of actual on predicted.
 * @example calibrate([{ prediction: { interval: { low: 0, high: 2, level: 0.8 } }, actual: 3 }]) // meanIntervalScore 12, coverage 0
 */
export function calibrate(history: readonly { readonly prediction: Prediction; readonly actual: number }[]): Result<Calibration> {
  if (history.length === 0) return refuse("too-few-events");
  const scores: ScoredPrediction[] = [];
  for (const { prediction, actual } of history) {
    const score = scorePrediction(prediction, actual);
    if (score.status !== "ok") return score;
    scores.push(score);
  }
  const n = history.length;
  const slope = biasSlope(history.map(({ prediction, actual }) => ({ predicted: meanOf(prediction), actual })));
  return ok({
    predictions: n,
    meanIntervalScore: scores.reduce((sum, { intervalScore }) => sum + intervalScore, 0) / n,
    meanCrps: scores.reduce((sum, { crps }) => sum + crps, 0) / n,
    coverage: scores.filter(({ covered }) => covered).length / n,
    byLevel: calibrationTable(
      history.map(({ prediction }) => prediction.interval.level),
      scores,
    ),
    ...(slope.status === "ok" ? { biasSlope: withoutStatus(slope) } : {}),
  });
}

/**
 * The slope of actual on predicted values by least squares, with Student's interval. `undefined` when all predictions are equal.
 * @example biasSlope([{ predicted: 1, actual: 0.5 }, { predicted: 2, actual: 1 }, { predicted: 3, actual: 1.6 }]) // value 0.55
 */
export function biasSlope(pairs: readonly { readonly predicted: number; readonly actual: number }[]): Result<Estimate> {
  if (pairs.length < 3) return refuse("too-few-events");
  const x = momentsOf(pairs.map(({ predicted }) => predicted));
  const y = momentsOf(pairs.map(({ actual }) => actual));
  const xy = pairs.reduce((sum, { predicted, actual }) => sum + (predicted - x.mean) * (actual - y.mean), 0);
  if (!((unitVariance(x) ?? 0) > 0)) return refuse("no-variance");
  const slope = xy / x.m2;
  const df = pairs.length - 2;
  const variance = Math.max(0, y.m2 - slope * xy) / df / x.m2;
  if (variance === 0) return refuse("no-variance");
  const estimate = studentEstimate({ value: slope, variance, df }, 0.05);
  return estimate.status === "ok" ? ok(withoutStatus(estimate)) : estimate;
}

/**
 * Clopper and Pearson's exact interval of a share, Biometrika 26 (1934).
 * @example exactInterval({ n: 10, successes: 8 }) // low 0.4439, high 0.9748
 */
export function exactInterval({ n, successes }: { n: number; successes: number }, alpha = 0.05): Result<ClosedInterval> {
  if (!(n > 0) || !(successes >= 0 && successes <= n)) return refuse("invalid-input");
  if (n > EXACT_MAX) return refuse("not-finite");
  const low = successes === 0 ? 0 : bisect((p) => binomialTail(successes, { n, p }) - alpha / 2, { low: 0, high: 1 });
  const high = successes === n ? 1 : bisect((p) => alpha / 2 - binomialCdf(successes, { n, p }), { low: 0, high: 1 });
  return ok({ low, high, level: 1 - alpha });
}

function meanOf({ interval, mean }: Prediction): number {
  return mean ?? (interval.low + interval.high) / 2;
}

function calibrationTable(levels: readonly number[], scores: readonly ScoredPrediction[]): CalibrationRow[] {
  return [...new Set(levels)]
    .sort((a, b) => a - b)
    .flatMap((level) => {
      const ofLevel = scores.filter((_, i) => levels[i] === level);
      const covered = ofLevel.filter((score) => score.covered).length;
      const band = exactInterval({ n: ofLevel.length, successes: covered });
      if (band.status !== "ok") return [];
      return [{ level, predictions: ofLevel.length, covered, band: { low: band.low, high: band.high, level: band.level } }];
    });
}

function withoutStatus({ value, standardError, interval, pValue }: Estimate): Estimate {
  return { value, standardError, interval, pValue };
}
