/**
 * Non-inferiority: is the metric at most this much worse? "No alarm" is not an answer to that; this is. The margin must be chosen before
 * the data. Source: Wellek, Testing Statistical Hypotheses of Equivalence and Noninferiority (2010). Counts of rare failures:
 * `countNonInferiority`.
 */
import { type Arms, type Interval, isRate, ok, type Point, type Result, refuse } from "./result.ts";
import { normalTail, normalTailQuantile } from "./special/normal.ts";

export interface NonInferiorityOptions {
  /** How much worse is still acceptable, positive: in the metric's unit, or a share of control for the relative test (0.01 is 1 %). */
  readonly margin: number;
  /** Which direction of the metric is good. */
  readonly good: "increase" | "decrease";
  /** One-sided. Default 0.05. */
  readonly alpha?: number;
}

export interface NonInferiority {
  /** The effect in the metric's unit, or relative to control. */
  readonly value: number;
  /** Bounded on the bad side only. */
  readonly interval: Interval;
  /** One-sided p-value of "worse by the margin or more". */
  readonly pValue: number;
  readonly isNonInferior: boolean;
}

/**
 * Non-inferiority of an effect with a known variance, margin in the metric's unit: (s D + margin) / se >= z.
 * @example nonInferiority({ value: -0.1, variance: 0.01 }, { margin: 0.5, good: "increase" }) // pValue 0.00003167
 */
export function nonInferiority(effect: Point, { margin, good, alpha = 0.05 }: NonInferiorityOptions): Result<NonInferiority> {
  if (!isRate(alpha) || !(margin > 0) || !(effect.variance >= 0)) return refuse("invalid-input");
  if (effect.variance === 0) return refuse("no-variance");
  const sign = good === "increase" ? 1 : -1;
  const standardError = Math.sqrt(effect.variance);
  const bound = effect.value - sign * normalTailQuantile(alpha) * standardError;
  const pValue = normalTail((sign * effect.value + margin) / standardError);
  return ok({ value: effect.value, interval: badSide(sign, bound, alpha), pValue, isNonInferior: pValue <= alpha });
}

/**
 * Non-inferiority with a margin relative to control, tested without dividing: good "increase" asks mT > (1 - margin) mC, good "decrease"
 * asks mT < (1 + margin) mC. Needs a control mean above 0; the bound is the margin at which the test would just pass.
 * @example relativeNonInferiority({ control: { value: 10, variance: 0.01 }, treatment: { value: 9.95, variance: 0.01 } }, { margin: 0.03,
 *   good: "increase" }) // value -0.005, pValue 0.03637
 */
export function relativeNonInferiority(
  arms: Arms<Point>,
  { margin, good, alpha = 0.05 }: NonInferiorityOptions,
): Result<NonInferiority> {
  const { control, treatment } = arms;
  if (!isRate(alpha) || !(margin > 0) || !(control.variance >= 0) || !(treatment.variance >= 0)) return refuse("invalid-input");
  if (control.value <= 0) return refuse("control-near-zero");
  if (control.variance + treatment.variance === 0) return refuse("no-variance");
  const sign = good === "increase" ? 1 : -1;
  const z = (at: number): number =>
    (sign * (treatment.value - at * control.value)) / Math.sqrt(treatment.variance + at * at * control.variance);
  const pValue = normalTail(z(1 - sign * margin));
  const bound = fiellerBound(arms, normalTailQuantile(alpha), sign);
  if (bound === undefined) return refuse("control-near-zero");
  const value = treatment.value / control.value - 1;
  return ok({ value, interval: badSide(sign, bound - 1, alpha), pValue, isNonInferior: pValue <= alpha });
}

function badSide(sign: number, bound: number, alpha: number): Interval {
  return sign > 0 ? { low: bound, level: 1 - alpha } : { high: bound, level: 1 - alpha };
}

// The ratio R on the bad side with sign (mT - R mC) = z sqrt(vT + R^2 vC): Fieller's one-sided bound.
function fiellerBound({ control, treatment }: Arms<Point>, z: number, sign: number): number | undefined {
  const g = (z * z * (control.variance / control.value)) / control.value;
  if (g >= 1) return undefined;
  const ratio = treatment.value / control.value;
  const spread = (z / control.value) * Math.sqrt(Math.max(0, treatment.variance * (1 - g) + ratio * ratio * control.variance));
  return (ratio - sign * spread) / (1 - g);
}
