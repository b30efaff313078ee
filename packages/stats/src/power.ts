/**
 * Before the start: how many units, how long, how small an effect. One formula, in information: an effect is found with the wanted power
 * once 1 / Var(effect) reaches ((z_alpha + z_beta) / effect)^2, and every unit brings s(1-s) / variance of it. CUPED, ratios, unequal
 * arms, sequential plans and ramps only change the terms. Source: Chow, Shao and Wang, Sample Size Calculations in Clinical Research;
 * small samples: the noncentral t. CUPED: variance x (1 - rho^2).
 */
import { combination, isJoint, type JointMoments, unitVariance as varianceOf } from "./moments.ts";
import { type Arms, isRate, ok, type Result, refuse } from "./result.ts";
import { noncentralStudentTail } from "./special/noncentral-student.ts";
import { normalTail, normalTailQuantile } from "./special/normal.ts";
import { studentTailQuantile } from "./special/student.ts";

export interface Design {
  /** Two-sided, before division over success metrics. Default 0.05. */
  readonly alpha?: number;
  /** Default 0.8. */
  readonly power?: number;
  /** Share of units that are treated. Default 0.5. */
  readonly treatmentShare?: number;
  /** Correlation of outcome and covariate: CUPED leaves 1 - rho^2 of the variance. Default 0. */
  readonly correlation?: number;
  /** Information of a sequential plan over that of one look: see `ledgerInflation` and `planInflation`. Default 1. */
  readonly inflation?: number;
  /** Alpha is divided by it, because one improved success metric is enough to ship. Default 1. */
  readonly successMetrics?: number;
  /** The chance of missing is divided by it plus 1, because every guardrail must pass. Default 0. */
  readonly guardrails?: number;
}

export interface Sizing {
  readonly units: number;
  readonly perArm: Arms<number>;
  /** 1 / variance of the effect at that size: `informationMax` of an `AnalysisPlan`. */
  readonly informationMax: number;
  /** Units over those that equal arms would need: 1 / (4 s (1 - s)). */
  readonly allocationLoss: number;
}

/** A stretch of a ramp: a day, or an epoch. */
export interface Stretch {
  /** Units newly exposed in it, both arms. */
  readonly units: number;
  readonly treatmentShare: number;
}

const SMALL_SAMPLE = 2000;

/**
 * Units for an effect to be found. Rounded up to whole units per arm.
 * @param question unitVariance: variance of one unit's value (`shareVariance`, `ratioUnitVariance`); effect: in the metric's unit, not 0
 * @example requiredUnits({ unitVariance: 1, effect: 0.5 }) // units 128
 */
export function requiredUnits(question: { unitVariance: number; effect: number }, design: Design = {}): Result<Sizing> {
  const terms = termsOf(design);
  const { unitVariance, effect } = question;
  if (terms === undefined || !(unitVariance > 0) || !Number.isFinite(effect)) return refuse("invalid-input");
  if (effect === 0) return refuse("unreachable");
  const informationMax = (terms.zSum / effect) ** 2 * terms.inflation;
  const byNormal = (informationMax * unitVariance * terms.varianceLeft) / (terms.share * (1 - terms.share));
  const units = byNormal > SMALL_SAMPLE || terms.inflation > 1 ? byNormal : bySmallSample(question, design, byNormal);
  const perArm = { control: Math.ceil(units * (1 - terms.share)), treatment: Math.ceil(units * terms.share) };
  return ok({
    units: perArm.control + perArm.treatment,
    perArm,
    informationMax,
    allocationLoss: 1 / (4 * terms.share * (1 - terms.share)),
  });
}

/**
 * The chance to find an effect with this many units, by the noncentral t (normal above 2,000 units), both directions counted.
 * @example powerOf({ unitVariance: 1, effect: 0.5, units: 128 }) // power 0.8015
 */
export function powerOf(
  question: { unitVariance: number; effect: number; units: number },
  design: Design = {},
): Result<{ power: number }> {
  const terms = termsOf(design);
  const { unitVariance, effect, units } = question;
  if (terms === undefined || !(unitVariance > 0) || !Number.isFinite(effect)) return refuse("invalid-input");
  if (!(units >= 4)) return refuse("too-few-units");
  const information = (units * terms.share * (1 - terms.share)) / (unitVariance * terms.varianceLeft * terms.inflation);
  return ok({ power: chanceToFind(Math.abs(effect) * Math.sqrt(information), units - 2, terms.alpha) });
}

/**
 * The smallest effect found with the wanted power, in the metric's unit.
 * @example detectableEffect({ unitVariance: 1, units: 100_000 }) // effect 0.01772
 */
export function detectableEffect(
  question: { unitVariance: number; units: number },
  design: Design = {},
): Result<{ effect: number }> {
  const { unitVariance, units } = question;
  if (!(units > 0)) return refuse("too-few-units");
  return detectableOverRamp({ unitVariance, schedule: [{ units, treatmentShare: design.treatmentShare ?? 0.5 }] }, design);
}

/**
 * The same for a ramp: information adds up over its stretches, so that a day at 1 % counts for the little it brings.
 * @example detectableOverRamp({ unitVariance: 1, schedule: [{ units: 10000, treatmentShare: 0.01 }, { units: 10000,
 *   treatmentShare: 0.5 }] }) // effect 0.05495
 */
export function detectableOverRamp(
  { unitVariance, schedule }: { unitVariance: number; schedule: readonly Stretch[] },
  design: Design = {},
): Result<{ effect: number }> {
  const terms = termsOf(design);
  if (terms === undefined || !(unitVariance > 0) || !schedule.every(isStretch)) return refuse("invalid-input");
  const information = schedule.reduce((sum, stretch) => sum + weightOf(stretch), 0) / (unitVariance * terms.varianceLeft);
  if (!(information > 0)) return refuse("too-few-units");
  return ok({ effect: terms.zSum * Math.sqrt(terms.inflation / information) });
}

/**
 * After how many stretches (days) of a schedule the wanted power is reached. `undefined` (unreachable) when the schedule ends before: then
 * `detectableOverRamp` says which effect it does reach.
 * @example requiredDuration({ unitVariance: 0.09, effect: 0.01, schedule: Array(10).fill({ units: 4000, treatmentShare: 0.5 }) })
 *   // stretches 8, units 32000
 */
export function requiredDuration(
  { unitVariance, effect, schedule }: { unitVariance: number; effect: number; schedule: readonly Stretch[] },
  design: Design = {},
): Result<{ stretches: number; units: number }> {
  const terms = termsOf(design);
  if (terms === undefined || !(unitVariance > 0) || !Number.isFinite(effect) || !schedule.every(isStretch))
    return refuse("invalid-input");
  if (effect === 0) return refuse("unreachable");
  const needed = (terms.zSum / effect) ** 2 * terms.inflation * unitVariance * terms.varianceLeft;
  let weight = 0;
  let units = 0;
  for (const [index, stretch] of schedule.entries()) {
    weight += weightOf(stretch);
    units += stretch.units;
    if (weight >= needed) return ok({ stretches: index + 1, units });
  }
  return refuse("unreachable");
}

/**
 * Variance of one unit's outcome for a share p: p (1 - p). With the effect looked for (added to p in treatment) it is that of both arms
 * together, which the score test divides by: sized by the control's alone, an effect of +10 % on 10 % is found in 78.1 % of experiments
 * instead of 80 %. Source: Fleiss, Levin and Paik, Statistical Methods for Rates and Proportions (2003), 4.2.
 * @example shareVariance(0.1) // unitVariance 0.09
 * @example shareVariance(0.1, { effect: 0.01 }) // unitVariance 0.09398
 */
export function shareVariance(
  p: number,
  { effect = 0, treatmentShare = 0.5 }: { readonly effect?: number; readonly treatmentShare?: number } = {},
): Result<{ unitVariance: number }> {
  if (!isRate(p) || !isRate(p + effect) || !isRate(treatmentShare)) return refuse("invalid-input");
  const together = p + treatmentShare * effect;
  return ok({ unitVariance: together * (1 - together) });
}

/**
 * Variance of one unit's linearised value for a ratio, from joint moments of [numerator, denominator] of past units.
 * @example ratioUnitVariance(jointMomentsOf([[1, 2], [3, 2], [2, 4]])) // unitVariance 0.2461
 */
export function ratioUnitVariance(joint: JointMoments): Result<{ unitVariance: number }> {
  if (!isJoint(joint, 2)) return refuse("invalid-input");
  const [numerator = 0, denominator = 0] = joint.means;
  if (denominator === 0) return refuse("zero-denominator");
  const variance = varianceOf(combination(joint, [1 / denominator, -numerator / denominator / denominator]));
  return variance === undefined ? refuse("too-few-units") : ok({ unitVariance: variance });
}

interface Terms {
  readonly alpha: number;
  readonly zSum: number;
  readonly share: number;
  readonly varianceLeft: number;
  readonly inflation: number;
}

function termsOf(design: Design): Terms | undefined {
  const {
    alpha = 0.05,
    power = 0.8,
    treatmentShare = 0.5,
    correlation = 0,
    inflation = 1,
    successMetrics = 1,
    guardrails = 0,
  } = design;
  const sane = isRate(alpha) && isRate(power) && isRate(treatmentShare) && Math.abs(correlation) < 1;
  if (!sane || !(inflation >= 1) || !(successMetrics >= 1) || !(guardrails >= 0)) return undefined;
  const divided = alpha / successMetrics;
  return {
    alpha: divided,
    zSum: normalTailQuantile(divided / 2) + normalTailQuantile((1 - power) / (guardrails + 1)),
    share: treatmentShare,
    varianceLeft: 1 - correlation * correlation,
    inflation,
  };
}

function chanceToFind(shift: number, df: number, alpha: number): number {
  if (df > SMALL_SAMPLE) {
    const z = normalTailQuantile(alpha / 2);
    return normalTail(z - shift) + normalTail(z + shift);
  }
  const t = studentTailQuantile(alpha / 2, df);
  return noncentralStudentTail({ t, df, shift }) + noncentralStudentTail({ t, df, shift: -shift });
}

// The t needs a few units more than the normal; the chance rises with units, so halving between bounds finds them.
function bySmallSample(question: { unitVariance: number; effect: number }, design: Design, byNormal: number): number {
  const { power = 0.8, guardrails = 0 } = design;
  const wanted = 1 - (1 - power) / (guardrails + 1);
  let low = 4;
  let high = Math.max(20, byNormal * 2);
  while (high - low > 0.01) {
    const middle = (low + high) / 2;
    const reached = powerOf({ ...question, units: middle }, design);
    if (reached.status === "ok" && reached.power >= wanted) high = middle;
    else low = middle;
  }
  return high;
}

function weightOf({ units, treatmentShare }: Stretch): number {
  return units * treatmentShare * (1 - treatmentShare);
}

function isStretch({ units, treatmentShare }: Stretch): boolean {
  return Number.isFinite(units) && units >= 0 && treatmentShare >= 0 && treatmentShare <= 1;
}
