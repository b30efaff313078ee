/**
 * What every function of this package answers: a value with its interval, or a status with a reason. Never NaN, never Infinity.
 *
 *   Result<T> = { status: "ok", ...T } | { status: "insufficient" | "undefined" | "not-yet", reason }
 *
 * `insufficient`  more data will give an answer
 * `undefined`     the question has no answer on these numbers, however many of them there are
 * `not-yet`       the answer exists, but looking now would break a promise about error rates
 */
export type Result<T> = Ok<T> | Refusal;

export type Ok<T> = { readonly status: "ok" } & T;

export type Status = Result<unknown>["status"];

export interface Refusal {
  readonly status: "insufficient" | "undefined" | "not-yet";
  readonly reason: Reason;
}

/** Why there is no value. Each reason has one status and one sentence: see `REASONS`. */
export type Reason =
  | "too-few-units"
  | "too-few-events"
  | "too-few-strata"
  | "invalid-input"
  | "no-variance"
  | "zero-denominator"
  | "control-near-zero"
  | "allocation-moved"
  | "assignment-dependent"
  | "not-finite"
  | "unreachable"
  | "burn-in"
  | "information-not-grown"
  | "plan-ended";

/** The closed dictionary of reasons: what a person is told, and which status it carries. */
export const REASONS: Readonly<Record<Reason, { readonly status: Refusal["status"]; readonly text: string }>> = {
  "too-few-units": { status: "insufficient", text: "There are too few units in at least one arm." },
  "too-few-events": { status: "insufficient", text: "There are too few events for this method to hold." },
  "too-few-strata": { status: "insufficient", text: "No stratum has units in both arms." },
  "invalid-input": { status: "undefined", text: "The numbers contradict each other or lie outside their range." },
  "no-variance": { status: "undefined", text: "All values are equal, so there is nothing to measure chance by." },
  "zero-denominator": { status: "undefined", text: "The denominator adds up to zero in at least one arm." },
  "control-near-zero": {
    status: "undefined",
    text: "The control's mean cannot be told from zero, so a relative effect has no finite interval; read the absolute one.",
  },
  "allocation-moved": {
    status: "undefined",
    text: "The allocation changed over time, so pooling would mix a change of time into the effect; use the stratified estimate.",
  },
  "assignment-dependent": { status: "undefined", text: "The two assignments depend on each other: suspect the hashing." },
  "not-finite": { status: "undefined", text: "The numbers are too large or too small to compute with." },
  unreachable: { status: "undefined", text: "No amount of data within reach gives this." },
  "burn-in": { status: "not-yet", text: "The small arm has not had enough units or expected events to be judged." },
  "information-not-grown": { status: "not-yet", text: "There is no more information than at the last look." },
  "plan-ended": { status: "not-yet", text: "The planned looks are used up; only the endless sequence may speak." },
};

/** A range of plausible values. An absent bound is unbounded on that side (one-sided methods). */
export interface Interval {
  readonly low?: number;
  readonly high?: number;
  /** Share of such intervals that hold the truth, for example 0.95. */
  readonly level: number;
}

/** An interval with both of its ends. */
export interface ClosedInterval extends Interval {
  readonly low: number;
  readonly high: number;
}

/** An effect with what chance can do to it. `value` and `interval` are in the unit of the metric, or a share of control when relative. */
export interface Estimate {
  readonly value: number;
  /** Standard deviation of `value` over repetitions of the experiment. */
  readonly standardError: number;
  readonly interval: ClosedInterval;
  /** Two-sided p-value of "no effect"; 0 only where it is below the smallest positive double. */
  readonly pValue: number;
}

/** A point and the variance of that point (not of one unit). */
export interface Point {
  readonly value: number;
  readonly variance: number;
}

/** The two sides of every comparison. Effects are treatment minus control. */
export interface Arms<T> {
  readonly control: T;
  readonly treatment: T;
}

/** The chance of a false positive that a caller accepts. */
export interface AlphaOption {
  /** Two-sided unless the function says otherwise. Default 0.05. */
  readonly alpha?: number;
}

export const DEFAULT_ALPHA = 0.05;

/**
 * The only way a value leaves this package: a number in it that is not finite turns the whole into a refusal.
 * @example ok({ value: 1 / 0 }) // { status: "undefined", reason: "not-finite" }
 * @example ok({ value: 1 }) // value 1
 */
export function ok<T extends object>(fields: T): Result<T> {
  return isFiniteThroughout(fields) ? { status: "ok", ...fields } : refuse("not-finite");
}

/**
 * A refusal with the status its reason carries.
 * @example refuse("burn-in").status // "not-yet"
 */
export function refuse(reason: Reason): Refusal {
  return { status: REASONS[reason].status, reason };
}

/**
 * Applies `next` to a value and passes a refusal through.
 * @example andThen(ok({ x: 6 }), ({ x }) => ok({ half: x / 2 })) // half 3
 */
export function andThen<T, U>(result: Result<T>, next: (value: Ok<T>) => Result<U>): Result<U> {
  return result.status === "ok" ? next(result) : result;
}

/**
 * Both arms computed by one function; the first refusal wins.
 * @example bothArms({ control: [1, 2], treatment: [3, 4, 5] }, (values) => ok({ n: values.length })) // n 2, n 3
 */
export function bothArms<T, U>(arms: Arms<T>, compute: (arm: T) => Result<U>): Result<Arms<Ok<U>>> {
  return andThen(compute(arms.control), (control) =>
    andThen(compute(arms.treatment), (treatment) => ({ status: "ok", control, treatment })),
  );
}

/** Whether a false-positive rate can be used: strictly between 0 and 1. */
export function isRate(alpha: number): boolean {
  return alpha > 0 && alpha < 1;
}

function isFiniteThroughout(value: unknown): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  for (const key in value) {
    if (!isFiniteThroughout((value as Record<string, unknown>)[key])) return false;
  }
  return true;
}
