/**
 * Ratios of sums, such as errors per request, where users are randomised but requests are counted. The variance is that of users.
 * Source: Deng, Knoblich and Lu, "Applying the delta method in metric analytics", KDD 2018. Assumes many independent units; units
 * with denominator 0 stay in (dropping them after randomisation would bias the ratio).
 */
import { differenceOf, normalEstimate, type RelativeOptions, relativeEffect } from "./effect.ts";
import { combination, isJoint, type JointMoments, unitVariance } from "./moments.ts";
import { type AlphaOption, type Arms, andThen, bothArms, type Estimate, ok, type Point, type Result, refuse } from "./result.ts";

/**
 * Sum of the first variable over sum of the second, with the variance of that ratio. `undefined` when the denominator sums to 0.
 * @example ratioPoint(jointMomentsOf([[1, 2], [3, 2], [2, 4]])) // value 0.75
 */
export function ratioPoint(joint: JointMoments): Result<Point> {
  if (!isJoint(joint, 2)) return refuse("invalid-input");
  const [numerator = 0, denominator = 0] = joint.means;
  if (joint.n < 2) return refuse("too-few-units");
  if (denominator === 0) return refuse("zero-denominator");
  const value = numerator / denominator;
  const variance = unitVariance(combination(joint, [1 / denominator, -value / denominator])) ?? 0;
  return ok({ value, variance: variance / joint.n });
}

/**
 * Difference of two ratios, in the unit of the ratio. Each arm: joint moments of [numerator, denominator] per unit.
 * @example ratioDifference({ control: jointMomentsOf([[1, 2], [3, 2], [2, 4]]), treatment: jointMomentsOf([[2, 2], [3, 3], [4, 4]]) })
 *   // value 0.25, standardError 0.2864
 */
export function ratioDifference(arms: Arms<JointMoments>, options: AlphaOption = {}): Result<Estimate> {
  return andThen(bothArms(arms, ratioPoint), (points) => normalEstimate(differenceOf(points), options));
}

/**
 * Difference of two ratios as a share of the control's (0.1 is +10 %).
 * @example ratioRelative({ control: jointMomentsOf([[1, 2], [3, 2], [2, 4]]), treatment: jointMomentsOf([[2, 2], [3, 3], [4, 4]]) }, {
 *   method: "delta", alpha: 0.2 }) // value 0.3333, standardError 0.5092
 */
export function ratioRelative(arms: Arms<JointMoments>, options: RelativeOptions = {}): Result<Estimate> {
  return andThen(bothArms(arms, ratioPoint), (points) => relativeEffect(points, options));
}
