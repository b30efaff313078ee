/**
 * Bayesian reading of an effect with a normal prior. With a prior fitted to the organisation's own past effects (`fitPrior`) the stated
 * chances are honest under any stopping; with a flat prior, peeking makes "chance to beat" wrong 38-70 % of the time on A/A tests,
 * so a flat prior is possible but comes with a warning. Source: Gelman et al., Bayesian Data Analysis, 2.5.
 */
import { type AlphaOption, type ClosedInterval, DEFAULT_ALPHA, isRate, ok, type Point, type Result, refuse } from "./result.ts";
import { normalCdf, normalDensity, normalTail, twoSidedZ } from "./special/normal.ts";

/** A normal prior of true effects, in the unit of the effect. */
export interface NormalPrior {
  readonly mean: number;
  readonly sd: number;
}

export interface Posterior {
  /** Mean of the posterior. */
  readonly value: number;
  readonly sd: number;
  readonly interval: ClosedInterval;
  /** P(the true effect is above 0). */
  readonly chanceToBeat: number;
  /** Expected loss, in the unit of the effect, if treatment ships and is in truth worse. */
  readonly lossIfShipped: number;
  /** Expected loss if it does not ship and is in truth better. */
  readonly lossIfKept: number;
  readonly warning?: "flat-prior";
}

export interface PosteriorOptions extends AlphaOption {
  readonly prior: NormalPrior | "flat";
}

/**
 * What to believe about an effect after seeing it.
 * @example normalPosterior({ value: 2, variance: 1 }, { prior: { mean: 0, sd: 1 } }) // value 1, sd 0.707, chanceToBeat 0.921
 */
export function normalPosterior(point: Point, { prior, alpha = DEFAULT_ALPHA }: PosteriorOptions): Result<Posterior> {
  if (!isRate(alpha) || !(point.variance >= 0) || (prior !== "flat" && !(prior.sd > 0))) return refuse("invalid-input");
  if (point.variance === 0) return refuse("no-variance");
  const { value, variance } = prior === "flat" ? point : shrinkTo(prior, point);
  const sd = Math.sqrt(variance);
  const a = value / sd;
  const reach = twoSidedZ(alpha) * sd;
  return ok({
    value,
    sd,
    interval: { low: value - reach, high: value + reach, level: 1 - alpha },
    chanceToBeat: normalCdf(a),
    lossIfShipped: sd * expectedShortfall(a),
    lossIfKept: sd * expectedShortfall(-a),
    ...(prior === "flat" ? { warning: "flat-prior" as const } : {}),
  });
}

/** The posterior of a normal point under a normal prior: precisions add. */
export function shrinkTo({ mean, sd }: NormalPrior, { value, variance }: Point): Point {
  const weight = (sd * sd) / (sd * sd + variance);
  return { value: mean + weight * (value - mean), variance: weight * variance };
}

// E max(0, -(a + Z)) = density(a) - a tail(a): a difference of near equals far out, so never below 0.
function expectedShortfall(a: number): number {
  return Math.max(0, normalDensity(a) - a * normalTail(a));
}
