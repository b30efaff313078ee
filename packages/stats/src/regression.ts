/**
 * Adjustment by several covariates: least squares with treatment-by-covariate terms, the covariates centred at their overall mean.
 * Sources: Lin, "Agnostic notes on regression adjustments to experimental data", Annals of Applied Statistics 7 (2013); the term for
 * covariate means that are themselves a sample: Negi and Wooldridge, Econometric Reviews 40 (2021).
 *
 * It is fitted from joint moments alone: with full interactions the regression is one per arm, read at the common mean. The intercept
 * of a regression at its own centre has the residual variance over n as its leading term whether or not residuals are equally
 * spread, so no per-unit leverages are needed; against HC2 the variance differs by terms of order k/n.
 */
import type { ControlLevel } from "./cuped.ts";
import { independentRows, solve, submatrix } from "./linear-solve.ts";
import { satterthwaite, studentEstimate } from "./mean.ts";
import { crossAt, isJoint, type JointMoments, withinCross } from "./moments.ts";
import { type AlphaOption, type Arms, andThen, DEFAULT_ALPHA, type Estimate, isRate, ok, type Result, refuse } from "./result.ts";

export interface AdjustedEstimate extends Estimate {
  /** Slopes of the kept covariates, in their order. */
  readonly slopes: Arms<readonly number[]>;
  /** Covariates left out, counted from 0, because they are constant or a sum of others in at least one arm. */
  readonly dropped: readonly number[];
  /** Variance of the adjusted difference over that of the plain one. */
  readonly varianceRatio: number;
  /** For `relativeToControl`. */
  readonly control: ControlLevel;
}

/**
 * Difference of means adjusted by every covariate. Each arm: joint moments of [outcome, covariate 1, covariate 2, ...] per unit.
 * `insufficient` with fewer than three units more than covariates in an arm.
 * @example adjustedDifference({ control: jointMomentsOf([[1, 1], [3, 2], [4, 4], [4, 3]]), treatment: jointMomentsOf([[2, 1], [5, 3], [5,
 *   4], [4, 2]]) }) // value 1, standardError 0.5
 */
export function adjustedDifference(
  arms: Arms<JointMoments>,
  { alpha = DEFAULT_ALPHA }: AlphaOption = {},
): Result<AdjustedEstimate> {
  const { control, treatment } = arms;
  const width = control.means.length;
  if (!isRate(alpha) || width === 0 || !isJoint(control, width) || !isJoint(treatment, width)) return refuse("invalid-input");
  const kept = independentCovariates(arms);
  if (Math.min(control.n, treatment.n) < kept.length + 3) return refuse("too-few-units");
  const fits = { control: fit(control, kept), treatment: fit(treatment, kept) };
  const slopes = { control: fits.control.slopes, treatment: fits.treatment.slopes };
  const spread = slopeSpread(arms, kept, slopes);
  const variance = fits.control.variance + fits.treatment.variance + spread;
  if (!(variance > 0)) return refuse("no-variance");
  const plain = { control: plainVariance(control), treatment: plainVariance(treatment) };
  const value = (treatment.means[0] ?? 0) - (control.means[0] ?? 0) - covariateShift(arms, kept, slopes);
  const df = satterthwaite(fits.control, { variance: fits.treatment.variance + spread, df: fits.treatment.df });
  return andThen(studentEstimate({ value, variance, df }, alpha), ({ standardError, interval, pValue }) =>
    ok({
      value,
      standardError,
      interval,
      pValue,
      slopes,
      dropped: droppedOf(kept, width),
      varianceRatio: variance / (plain.control + plain.treatment),
      control: {
        value: control.means[0] ?? 0,
        variance: plain.control,
        // What the covariates explain of the control's mean is taken out of the difference: what is left is in both.
        covariance: -fits.control.variance,
      },
    }),
  );
}

interface Fit {
  readonly slopes: readonly number[];
  readonly variance: number;
  readonly df: number;
}

function fit(joint: JointMoments, kept: readonly number[]): Fit {
  const right = kept.map((k) => crossAt(joint, 0, k));
  const slopes = solve(submatrix(joint.cross, kept), right);
  const explained = slopes.reduce((sum, slope, i) => sum + slope * (right[i] ?? 0), 0);
  const df = joint.n - kept.length - 1;
  return { slopes, variance: Math.max(0, crossAt(joint, 0, 0) - explained) / df / joint.n, df };
}

function independentCovariates(arms: Arms<JointMoments>): number[] {
  const all = range(1, arms.control.means.length);
  const inControl = pick(all, independentRows(submatrix(arms.control.cross, all)).kept);
  return pick(inControl, independentRows(submatrix(arms.treatment.cross, inControl)).kept);
}

function slopeSpread(arms: Arms<JointMoments>, kept: readonly number[], slopes: Arms<readonly number[]>): number {
  const within = submatrix(withinCross(arms.control, arms.treatment), kept);
  const n = arms.control.n + arms.treatment.n;
  const gap = kept.map((_, i) => (slopes.treatment[i] ?? 0) - (slopes.control[i] ?? 0));
  const square = gap.reduce((sum, gi, i) => sum + gap.reduce((inner, gj, j) => inner + gi * gj * (within[i]?.[j] ?? 0), 0), 0);
  return Math.max(0, square) / (n - 2) / n;
}

// Each arm is read at the common covariate mean, which lies between the two arms' means.
function covariateShift(arms: Arms<JointMoments>, kept: readonly number[], slopes: Arms<readonly number[]>): number {
  const { control, treatment } = arms;
  const controlShare = control.n / (control.n + treatment.n);
  return kept.reduce((sum, k, i) => {
    const gap = (treatment.means[k] ?? 0) - (control.means[k] ?? 0);
    return sum + gap * ((slopes.treatment[i] ?? 0) * controlShare + (slopes.control[i] ?? 0) * (1 - controlShare));
  }, 0);
}

function plainVariance(joint: JointMoments): number {
  return crossAt(joint, 0, 0) / (joint.n - 1) / joint.n;
}

function droppedOf(kept: readonly number[], width: number): number[] {
  return range(1, width)
    .filter((k) => !kept.includes(k))
    .map((k) => k - 1);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

function pick(values: readonly number[], indexes: readonly number[]): number[] {
  return indexes.flatMap((i) => values[i] ?? []);
}
