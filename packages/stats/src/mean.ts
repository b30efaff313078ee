/** Values per unit: revenue, duration, counts. Assumes independent units and enough of them in each arm for a normal mean. */
import { type RelativeOptions, relativeEffect } from "./effect.ts";
import { isMoments, type Moments, meanPoint, unitVariance } from "./moments.ts";
import {
  type AlphaOption,
  type Arms,
  andThen,
  bothArms,
  DEFAULT_ALPHA,
  type Estimate,
  isRate,
  ok,
  type Result,
  refuse,
} from "./result.ts";
import { studentTailQuantile, studentTwoSided } from "./special/student.ts";

export interface MeanEstimate extends Estimate {
  /** Welch and Satterthwaite's degrees of freedom. */
  readonly df: number;
  readonly t: number;
}

/**
 * Difference of two means in the metric's unit, by Welch's t test. One constant arm is fine (the other's degrees of freedom).
 * Source: Welch, Biometrika 34 (1947). `insufficient` below two units an arm, `undefined` when both arms are constant.
 * @example meanDifference({ control: momentsOf([1, 2, 3]), treatment: momentsOf([2, 3, 4]) }) // value 1, df 4
 */
export function meanDifference(arms: Arms<Moments>, { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<MeanEstimate> {
  const { control, treatment } = arms;
  if (!isRate(alpha) || !isMoments(control) || !isMoments(treatment)) return refuse("invalid-input");
  const [sC, sT] = [unitVariance(control), unitVariance(treatment)];
  if (sC === undefined || sT === undefined) return refuse("too-few-units");
  const [vC, vT] = [sC / control.n, sT / treatment.n];
  if (vC + vT === 0) return refuse("no-variance");
  const df = satterthwaite({ variance: vC, df: control.n - 1 }, { variance: vT, df: treatment.n - 1 });
  return studentEstimate({ value: treatment.mean - control.mean, variance: vC + vT, df }, alpha);
}

/**
 * Difference of two means as a share of the control's |mean| (0.1 is +10 %), by Fieller's interval or the delta method.
 * @example meanRelative({ control: momentsOf([9, 10, 11]), treatment: momentsOf([10, 11, 12]) }) // value 0.1
 */
export function meanRelative(arms: Arms<Moments>, options: RelativeOptions = {}): Result<Estimate> {
  return andThen(bothArms(arms, meanPoint), (points) => relativeEffect(points, options));
}

/** An estimate whose variance has `df` degrees of freedom. */
export function studentEstimate(
  { value, variance, df }: { value: number; variance: number; df: number },
  alpha: number,
): Result<MeanEstimate> {
  const standardError = Math.sqrt(variance);
  const t = value / standardError;
  const reach = studentTailQuantile(alpha / 2, df) * standardError;
  const interval = { low: value - reach, high: value + reach, level: 1 - alpha };
  return ok({ value, standardError, interval, pValue: studentTwoSided(t, df), df, t });
}

/** Degrees of freedom of a sum of two estimated variances. Written in shares so that extreme scales do not overflow. */
export function satterthwaite(a: { variance: number; df: number }, b: { variance: number; df: number }): number {
  const total = a.variance + b.variance;
  const [shareA, shareB] = [a.variance / total, b.variance / total];
  return 1 / ((shareA * shareA) / a.df + (shareB * shareB) / b.df);
}
