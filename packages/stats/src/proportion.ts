/** Conversions: every unit did it or did not. Assumes independent units, one outcome each. */
import {
  type AlphaOption,
  type Arms,
  type ClosedInterval,
  DEFAULT_ALPHA,
  type Estimate,
  isRate,
  ok,
  type Point,
  type Result,
  refuse,
} from "./result.ts";
import { normalTwoSided, twoSidedZ } from "./special/normal.ts";

/** n units of which `successes` did it. */
export interface Proportion {
  readonly n: number;
  readonly successes: number;
}

export interface ProportionOptions extends AlphaOption {
  /** Default "newcombe". "wald" is here for comparison with other tools: it covers too little when successes are few. */
  readonly interval?: "newcombe" | "agresti-caffo" | "wald";
}

export interface ProportionEstimate extends Estimate {
  /** The score statistic: the difference in pooled standard errors. 0 when nobody, or everybody, succeeded in both arms. */
  readonly z: number;
}

/**
 * Difference of two shares (0.01 is one percentage point): score test with pooled share, interval by Newcombe's method 10.
 * Sources: Newcombe, Statistics in Medicine 17 (1998) 873-890; Agresti and Caffo, The American Statistician 54 (2000).
 * Defined at 0 and at n successes: 0/500 against 40/500 is a result. `insufficient` without a unit in each arm.
 * `standardError` is that of the score test.
 * @example proportionDifference({ control: { n: 1000, successes: 100 }, treatment: { n: 1000, successes: 130 } }) // value 0.03
 */
export function proportionDifference(
  arms: Arms<Proportion>,
  { alpha = DEFAULT_ALPHA, interval = "newcombe" }: ProportionOptions = {},
): Result<ProportionEstimate> {
  const { control, treatment } = arms;
  if (!isRate(alpha) || !isProportion(control) || !isProportion(treatment)) return refuse("invalid-input");
  if (control.n === 0 || treatment.n === 0) return refuse("too-few-units");
  const value = share(treatment) - share(control);
  const standardError = Math.sqrt(pooledVariance(arms));
  const z = standardError === 0 ? 0 : value / standardError;
  return ok({ value, standardError, interval: INTERVALS[interval](arms, alpha), pValue: normalTwoSided(z), z });
}

/**
 * Relative difference (0.1 is +10 %) from the log ratio with half a success added: holds with few successes, where the delta method misses.
 * Source: Walter, Biometrika 62 (1975); Pettigrew, Gart and Thomas, Biometrika 73 (1986). `value` and `interval` come from that ratio, so `value` is slightly
 * nearer to 0 than the raw lift; `standardError` is that of ln(ratio).
 * @example proportionRelative({ control: { n: 1000, successes: 100 }, treatment: { n: 1000, successes: 130 } }) // value 0.2985
 */
export function proportionRelative(arms: Arms<Proportion>, { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<Estimate> {
  const { control, treatment } = arms;
  if (!isRate(alpha) || !isProportion(control) || !isProportion(treatment)) return refuse("invalid-input");
  if (control.n === 0 || treatment.n === 0) return refuse("too-few-units");
  const variance = logShareVariance(control) + logShareVariance(treatment);
  if (!(variance > 0)) return refuse("no-variance");
  const logRatio = logShare(treatment) - logShare(control);
  const standardError = Math.sqrt(variance);
  const reach = twoSidedZ(alpha) * standardError;
  return ok({
    value: Math.expm1(logRatio),
    standardError,
    interval: { low: Math.expm1(logRatio - reach), high: Math.expm1(logRatio + reach), level: 1 - alpha },
    pValue: normalTwoSided(logRatio / standardError),
  });
}

/**
 * Wilson's interval of one share, never outside [0, 1]. Source: Wilson, JASA 22 (1927).
 * @example wilsonInterval({ n: 10, successes: 0 }) // low 0, high 0.2775
 */
export function wilsonInterval(proportion: Proportion, { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<ClosedInterval> {
  if (!isRate(alpha) || !isProportion(proportion)) return refuse("invalid-input");
  return proportion.n === 0 ? refuse("too-few-units") : ok(wilson(proportion, alpha));
}

/**
 * The share with a variance that is never 0: half a success and half a failure are added in the variance only.
 * @example proportionPoint({ n: 100, successes: 0 }) // value 0, variance 0.00004926
 */
export function proportionPoint(proportion: Proportion): Result<Point> {
  if (!isProportion(proportion)) return refuse("invalid-input");
  if (proportion.n === 0) return refuse("too-few-units");
  const p = (proportion.successes + 0.5) / (proportion.n + 1);
  return ok({ value: share(proportion), variance: (p * (1 - p)) / proportion.n });
}

/** Variance of the difference if both arms share one rate: what a test of "no difference" may assume. */
export function pooledVariance({ control, treatment }: Arms<Proportion>): number {
  const p = (control.successes + treatment.successes) / (control.n + treatment.n);
  return Math.max(0, p * (1 - p)) * (1 / control.n + 1 / treatment.n);
}

/** A count that a double holds exactly, and no more successes than units. */
export function isProportion({ n, successes }: Proportion): boolean {
  return n <= Number.MAX_SAFE_INTEGER && successes >= 0 && successes <= n;
}

/** successes / n. */
export function share({ n, successes }: Proportion): number {
  return successes / n;
}

const INTERVALS: Readonly<
  Record<NonNullable<ProportionOptions["interval"]>, (arms: Arms<Proportion>, alpha: number) => ClosedInterval>
> = {
  newcombe: ({ control, treatment }, alpha) => {
    const c = wilson(control, alpha);
    const t = wilson(treatment, alpha);
    const [pC, pT] = [share(control), share(treatment)];
    return {
      low: pT - pC - Math.hypot(pT - t.low, c.high - pC),
      high: pT - pC + Math.hypot(t.high - pT, pC - c.low),
      level: 1 - alpha,
    };
  },
  "agresti-caffo": ({ control, treatment }, alpha) =>
    waldInterval({ control: addOneEach(control), treatment: addOneEach(treatment) }, alpha),
  wald: (arms, alpha) => waldInterval(arms, alpha),
};

function addOneEach({ n, successes }: Proportion): Proportion {
  return { n: n + 2, successes: successes + 1 };
}

function waldInterval({ control, treatment }: Arms<Proportion>, alpha: number): ClosedInterval {
  const [pC, pT] = [share(control), share(treatment)];
  const reach = twoSidedZ(alpha) * Math.sqrt((pC * (1 - pC)) / control.n + (pT * (1 - pT)) / treatment.n);
  return { low: pT - pC - reach, high: pT - pC + reach, level: 1 - alpha };
}

function wilson({ n, successes }: Proportion, alpha: number): ClosedInterval {
  const z = twoSidedZ(alpha);
  const p = successes / n;
  const centre = (p + (z * z) / (2 * n)) / (1 + (z * z) / n);
  const reach = (z / (1 + (z * z) / n)) * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  // At the ends the bound is the end itself, not a rounding error beside it.
  return { low: successes === 0 ? 0 : centre - reach, high: successes === n ? 1 : centre + reach, level: 1 - alpha };
}

function logShare({ n, successes }: Proportion): number {
  return Math.log((successes + 0.5) / (n + 0.5));
}

function logShareVariance({ n, successes }: Proportion): number {
  return 1 / (successes + 0.5) - 1 / (n + 0.5);
}
