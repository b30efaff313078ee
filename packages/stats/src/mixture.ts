/**
 * Mixture sequences: evidence that may be looked at after every unit, for ever. The likelihood ratio of "effect drawn from N(0, scale^2)"
 * against "no effect" is a martingale without effect, so it exceeds 1/alpha at any time with chance at most alpha.
 * Sources: Robbins, Annals of Mathematical Statistics 41 (1970); Johari, Koomen, Pekelis and Walsh, Operations Research 70 (2022);
 * one-sided: the same with the half-normal mixture, Robbins and Siegmund (1970). Assumes the effect is nearly normal from the first look on (burn-in of
 * `signal.ts`) and that `scale` was fixed before the data.
 */
import {
  type AlphaOption,
  type ClosedInterval,
  DEFAULT_ALPHA,
  type Interval,
  isRate,
  ok,
  type Point,
  type Result,
  refuse,
} from "./result.ts";
import { logNormalTail } from "./special/normal.ts";
import { bisect } from "./special/root.ts";

export interface MixtureOptions extends AlphaOption {
  /** Standard deviation of the effects the test is tuned for, in the unit of the effect: see `mixtureScale`. */
  readonly scale: number;
}

export interface SequenceEstimate {
  readonly value: number;
  /** Holds the truth at all looks together with chance 1 - alpha. */
  readonly interval: ClosedInterval;
  /** ln of the evidence against no effect; reject when it reaches ln(1/alpha). The largest so far stays valid. */
  readonly logE: number;
  /** min(1, exp(-logE)): a p-value that may be looked at any time. */
  readonly pValue: number;
}

export interface OneSidedOptions extends MixtureOptions {
  /** Which sign of the effect is being looked for. */
  readonly direction: "increase" | "decrease";
}

export interface OneSidedEvidence {
  readonly value: number;
  /** Bounded on the side away from `direction`: the effect is at least (at most) this. */
  readonly interval: Interval;
  readonly logE: number;
  readonly pValue: number;
}

/**
 * Two-sided sequence for an effect whose variance is known or well estimated.
 * @example mixtureSequence({ value: 0.02, variance: 1e-5 }, { scale: 0.01 }) // logE 16.98
 */
export function mixtureSequence(
  { value, variance }: Point,
  { scale, alpha = DEFAULT_ALPHA }: MixtureOptions,
): Result<SequenceEstimate> {
  if (!isRate(alpha) || !(variance > 0) || !(scale > 0)) return refuse("invalid-input");
  const r = (scale * scale) / variance;
  const reach = Math.sqrt(variance * criticalSquare(r, alpha));
  const logE = ((value / variance) * value * r) / (2 * (1 + r)) - Math.log1p(r) / 2;
  return ok({
    value,
    interval: { low: value - reach, high: value + reach, level: 1 - alpha },
    logE,
    pValue: Math.min(1, Math.exp(-logE)),
  });
}

/**
 * The scale that makes the two-sided bound lowest where the effect will have this variance: tune at the planned end, or at the number of
 * units where an answer is wanted most. Solves r = 2 ln(1/alpha) + ln(1 + r), the minimum of the critical value in r.
 * @example mixtureScale({ variance: 1 }, { alpha: 0.005 }) // scale 3.641
 */
export function mixtureScale(
  { variance }: { readonly variance: number },
  { alpha = DEFAULT_ALPHA }: AlphaOption = {},
): Result<{ scale: number }> {
  if (!isRate(alpha) || !(variance > 0)) return refuse("invalid-input");
  let r = 10;
  const target = -2 * Math.log(alpha);
  for (let previous = 0; Math.abs(r - previous) > 1e-12 * r; ) {
    previous = r;
    r = target + Math.log1p(r);
  }
  return ok({ scale: Math.sqrt(r * variance) });
}

/**
 * One-sided sequence: evidence only for an increase, or only for a decrease. Tighter than the two-sided one at twice alpha.
 * @example oneSidedMixture({ value: 3, variance: 1 }, { scale: 2, direction: "increase", alpha: 0.01 }) // logE 3.485, low -0.4343
 */
export function oneSidedMixture(
  point: Point,
  { scale, direction, alpha = DEFAULT_ALPHA }: OneSidedOptions,
): Result<OneSidedEvidence> {
  const { value, variance } = point;
  if (!isRate(alpha) || !(variance > 0) || !(scale > 0)) return refuse("invalid-input");
  const sign = direction === "increase" ? 1 : -1;
  const r = (scale * scale) / variance;
  const logE = oneSidedLogE((sign * value) / Math.sqrt(variance), r);
  const bound = value - sign * oneSidedCritical(r, alpha) * Math.sqrt(variance);
  return ok({
    value,
    interval: { ...(sign > 0 ? { low: bound } : { high: bound }), level: 1 - alpha },
    logE,
    pValue: Math.min(1, Math.exp(-logE)),
  });
}

/**
 * The evidence of `oneSidedMixture`, ln, without the interval, which takes a search: for whoever judges at every flush.
 * @example oneSidedEvidence({ value: 3, variance: 1 }, { scale: 2, direction: "increase" }) // logE 3.485
 */
export function oneSidedEvidence(
  { value, variance }: Point,
  { scale, direction }: Pick<OneSidedOptions, "scale" | "direction">,
): Result<{ logE: number }> {
  if (!(variance > 0) || !(scale > 0)) return refuse("invalid-input");
  const sign = direction === "increase" ? 1 : -1;
  return ok({ logE: oneSidedLogE((sign * value) / Math.sqrt(variance), (scale * scale) / variance) });
}

/** ln of 2 (1+r)^(-1/2) exp(z^2 r / 2(1+r)) Phi(z sqrt(r / (1+r))). */
export function oneSidedLogE(z: number, r: number): number {
  const shrink = r / (1 + r);
  return Math.LN2 - Math.log1p(r) / 2 + (z * z * shrink) / 2 + logNormalTail(-z * Math.sqrt(shrink));
}

/** The z at which the one-sided evidence reaches 1/alpha. */
export function oneSidedCritical(r: number, alpha: number): number {
  const target = -Math.log(alpha);
  return bisect((z) => oneSidedLogE(z, r) - target, { low: -1, high: 1 + Math.sqrt(criticalSquare(r, alpha / 2)) }, 1e-12);
}

/** The |z| at which the two-sided evidence reaches 1/alpha. */
export function mixtureCritical(r: number, alpha: number): number {
  return Math.sqrt(criticalSquare(r, alpha));
}

function criticalSquare(r: number, alpha: number): number {
  return (1 + 1 / r) * (-2 * Math.log(alpha) + Math.log1p(r));
}
