/**
 * CUPED: what a unit did before its first exposure explains part of what it did after, and that part is taken out.
 * Source: Deng, Xu, Kohavi and Walker, "Improving the sensitivity of online controlled experiments by utilizing pre-experiment data",
 * WSDM 2013. Assumes the covariate lies wholly before the unit's own first exposure, in a window of the same length for every unit.
 * The variance falls by the factor 1 - rho^2.
 */

import { normalEstimate } from "./effect.ts";
import { satterthwaite, studentEstimate } from "./mean.ts";
import {
  combination,
  combinedCross,
  crossAt,
  isJoint,
  type JointMoments,
  mergeJoint,
  unitVariance,
  withinCross,
} from "./moments.ts";
import { ratioPoint } from "./ratio.ts";
import {
  type AlphaOption,
  type Arms,
  andThen,
  bothArms,
  DEFAULT_ALPHA,
  type Estimate,
  isRate,
  ok,
  type Point,
  type Result,
  refuse,
} from "./result.ts";
import { twoSidedZ } from "./special/normal.ts";

export interface CupedEstimate extends Estimate {
  /** Slope of outcome on covariate, one for both arms; 0 when the covariate is constant and the estimate is the plain one. */
  readonly theta: number;
  /** Variance of the adjusted difference over that of the plain one: 0.5 means half the units are enough. */
  readonly varianceRatio: number;
  readonly control: ControlLevel;
}

/** The control's unadjusted mean or ratio: what a relative effect is a share of. */
export interface ControlLevel extends Point {
  /** Of this level with the adjusted difference: both have the control's units in them. */
  readonly covariance: number;
}

/**
 * Difference of means adjusted by one covariate. Each arm: joint moments of [outcome, covariate] per unit. Welch's test on
 * Y - theta (X - mean X), theta from the deviations within both arms together. `insufficient` below two units an arm.
 * @example cupedDifference({ control: jointMomentsOf([[1, 1], [3, 2], [4, 4]]), treatment: jointMomentsOf([[2, 1], [5, 3], [5, 4]]) })
 *   // value 1, theta 1
 */
export function cupedDifference(arms: Arms<JointMoments>, { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<CupedEstimate> {
  return andThen(adjust(arms, alpha), (adjusted) =>
    andThen(studentEstimate(adjusted, alpha), (estimate) => cupedEstimate(estimate, adjusted)),
  );
}

/**
 * The adjusted difference as a share of the control's unadjusted |mean|: `relativeToControl`.
 * @example cupedRelative({ control: jointMomentsOf([[9, 1], [11, 2], [12, 4]]), treatment: jointMomentsOf([[10, 1], [13, 3], [13, 4]]) })
 *   // value 0.09375
 */
export function cupedRelative(arms: Arms<JointMoments>, { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<Estimate> {
  return andThen(adjust(arms, alpha), (adjusted) => relativeToControl(adjusted, adjusted.control, { alpha }));
}

/**
 * CUPED for ratios. Each arm: joint moments of [numerator, denominator, numerator before, denominator before] per unit. Both periods are
 * linearised, then the ratio of the period before serves as the covariate. A period before without denominator leaves the plain ratio.
 * @example cupedRatioDifference({ control: jointMomentsOf([[1, 2, 1, 2], [3, 2, 2, 2], [2, 4, 2, 3]]), treatment: jointMomentsOf([[2, 2, 1, 2],
 *   [3, 3, 2, 2], [4, 4, 2, 3]]) }) // value 0.25, theta 1.001
 */
export function cupedRatioDifference(
  arms: Arms<JointMoments>,
  { alpha = DEFAULT_ALPHA }: AlphaOption = {},
): Result<CupedEstimate> {
  return andThen(adjustRatio(arms, alpha), (adjusted) =>
    andThen(normalEstimate(adjusted, { alpha }), (estimate) => cupedEstimate(estimate, adjusted)),
  );
}

/**
 * The adjusted difference of ratios as a share of the control's unadjusted |ratio|: `relativeToControl`.
 * @example cupedRatioRelative({ control: jointMomentsOf([[5, 2, 1, 2], [6, 2, 2, 2], [9, 4, 2, 3]]), treatment: jointMomentsOf([[6, 2, 1, 2],
 *   [9, 3, 2, 2], [13, 4, 2, 3]]) }) // value 0.2444, standardError 0.1059
 */
export function cupedRatioRelative(arms: Arms<JointMoments>, { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<Estimate> {
  return andThen(adjustRatio(arms, alpha), (adjusted) => relativeToControl(adjusted, adjusted.control, { alpha }));
}

/**
 * An adjusted difference as a share of the control's unadjusted |level|, by the delta method with the covariance of the two. Source: Casella and
 * Berger 5.5.4. Assumes many units. `undefined` where the control's level cannot be told from 0 at this alpha.
 * @example relativeToControl({ value: 1, variance: 0.1 }, { value: 10, variance: 0.2, covariance: -0.05 }) // value 0.1, standardError 0.03347
 */
export function relativeToControl(
  { value, variance }: Point,
  control: ControlLevel,
  { alpha = DEFAULT_ALPHA }: AlphaOption = {},
): Result<Estimate> {
  if (!isRate(alpha) || !(control.variance >= 0)) return refuse("invalid-input");
  if (control.value ** 2 <= twoSidedZ(alpha) ** 2 * control.variance) return refuse("control-near-zero");
  const share = value / control.value;
  const spread = variance - 2 * share * control.covariance + share ** 2 * control.variance;
  return normalEstimate(
    { value: value / Math.abs(control.value), variance: Math.max(0, spread) / control.value ** 2 },
    { alpha },
  );
}

/**
 * Joint moments for units of which some have no covariate: [outcome, covariate or 0, 1 if missing]. Feed them to
 * `adjustedDifference`; dropping such units after randomisation would bias the effect.
 * @param observed joint moments of [outcome, covariate] of the units that have it
 * @param missing joint moments of [outcome] of the others
 * @example withMissingFlag(jointMomentsOf([[1, 2], [3, 4]]), jointMomentsOf([[5]])).means // means 3, 2, 0.3333
 */
export function withMissingFlag(observed: JointMoments, missing: JointMoments): JointMoments {
  const widen = (joint: JointMoments, flag: number): JointMoments => ({
    n: joint.n,
    means: [joint.means[0] ?? 0, flag === 1 ? 0 : (joint.means[1] ?? 0), flag],
    cross: [
      [crossAt(joint, 0, 0), flag === 1 ? 0 : crossAt(joint, 0, 1), 0],
      [flag === 1 ? 0 : crossAt(joint, 1, 0), flag === 1 ? 0 : crossAt(joint, 1, 1), 0],
      [0, 0, 0],
    ],
  });
  return mergeJoint(widen(observed, 0), widen(missing, 1));
}

interface Adjusted extends Point {
  readonly theta: number;
  readonly plainVariance: number;
  readonly control: ControlLevel;
}

function cupedEstimate(
  { value, standardError, interval, pValue }: Estimate,
  { theta, variance, plainVariance, control }: Adjusted,
): Result<CupedEstimate> {
  return ok({ value, standardError, interval, pValue, theta, varianceRatio: variance / plainVariance, control });
}

function adjust(arms: Arms<JointMoments>, alpha: number): Result<Adjusted & { readonly df: number }> {
  const { control, treatment } = arms;
  if (!isRate(alpha) || !isJoint(control, 2) || !isJoint(treatment, 2)) return refuse("invalid-input");
  if (control.n < 2 || treatment.n < 2) return refuse("too-few-units");
  const levels = { control: control.means[0] ?? 0, treatment: treatment.means[0] ?? 0 };
  const covariates = { control: control.means[1] ?? 0, treatment: treatment.means[1] ?? 0 };
  const adjusted = adjustedBy(arms, levels, covariates);
  if (adjusted.variance === 0) return refuse("no-variance");
  const own = variancesOf(arms, adjusted.theta);
  const df = satterthwaite({ variance: own.control, df: control.n - 1 }, { variance: own.treatment, df: treatment.n - 1 });
  return ok({ ...adjusted, df });
}

function adjustRatio(arms: Arms<JointMoments>, alpha: number): Result<Adjusted> {
  if (!isRate(alpha) || !isJoint(arms.control, 4) || !isJoint(arms.treatment, 4)) return refuse("invalid-input");
  return andThen(bothArms(arms, linearised), ({ control, treatment }) =>
    ok(
      adjustedBy(
        { control: control.joint, treatment: treatment.joint },
        { control: control.after, treatment: treatment.after },
        { control: control.before, treatment: treatment.before },
      ),
    ),
  );
}

/** The difference of levels less what the difference of covariates explains; `joints` are moments of [outcome, covariate] around them. */
function adjustedBy(joints: Arms<JointMoments>, levels: Arms<number>, covariates: Arms<number>): Adjusted {
  const theta = slope(withinCross(joints.control, joints.treatment));
  const plain = variancesOf(joints, 0);
  const adjusted = variancesOf(joints, theta);
  const { n } = joints.control;
  return {
    theta,
    value: levels.treatment - levels.control - theta * (covariates.treatment - covariates.control),
    variance: adjusted.control + adjusted.treatment,
    plainVariance: plain.control + plain.treatment,
    control: {
      value: levels.control,
      variance: plain.control,
      // Only the control's level is in both: cov(D', C) = -cov(Y', Y) / n within the control.
      covariance: -combinedCross(joints.control, [1, -theta], [1, 0]) / (n - 1) / n,
    },
  };
}

// cov(X, Y) / var(X), or 0 when X does not vary: then there is nothing to adjust by.
function slope(sums: readonly (readonly number[])[]): number {
  const [xy, xx] = [sums[0]?.[1] ?? 0, sums[1]?.[1] ?? 0];
  const theta = xx > 0 ? xy / xx : 0;
  return Number.isFinite(theta) ? theta : 0;
}

function variancesOf(arms: Arms<JointMoments>, theta: number): Arms<number> {
  const variance = (joint: JointMoments): number => (unitVariance(combination(joint, [1, -theta])) ?? 0) / joint.n;
  return { control: variance(arms.control), treatment: variance(arms.treatment) };
}

interface Linearised {
  readonly after: number;
  readonly before: number;
  /** Moments of [linearised after, linearised before], both with mean 0. */
  readonly joint: JointMoments;
}

function linearised(joint: JointMoments): Result<Linearised> {
  const [m = 0, d = 0, x = 0, w = 0] = joint.means;
  return andThen(ratioPoint(firstTwo(joint)), ({ value: after }) => {
    const before = w === 0 ? 0 : x / w;
    const weightsAfter = [1 / d, -m / d / d, 0, 0];
    const weightsBefore = w === 0 ? [0, 0, 0, 0] : [0, 0, 1 / w, -before / w];
    const cross = combinedCross(joint, weightsAfter, weightsBefore);
    return ok({
      after,
      before,
      joint: {
        n: joint.n,
        means: [0, 0],
        cross: [
          [combination(joint, weightsAfter).m2, cross],
          [cross, combination(joint, weightsBefore).m2],
        ],
      },
    });
  });
}

function firstTwo(joint: JointMoments): JointMoments {
  return { n: joint.n, means: joint.means.slice(0, 2), cross: joint.cross.slice(0, 2).map((row) => row.slice(0, 2)) };
}
