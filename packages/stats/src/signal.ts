/**
 * What a sequential test is fed: an effect and the variance of that effect, computed so that a small treatment arm cannot fool it.
 * A plug-in variance is near 0 while the small arm has few or no conversions; a variance from both arms together is not. On skewed values
 * Welch's variance raises false alarms of a fall and the pooled one of a rise; the larger of both raises neither.
 */
import { isMoments, type Moments, unitVariance } from "./moments.ts";
import { isProportion, type Proportion, pooledVariance, share } from "./proportion.ts";
import { type Arms, ok, type Point, type Result, refuse } from "./result.ts";

export interface ConversionSignalOptions {
  /** Expected conversions (or non-conversions, if fewer) of the smaller arm before the first look. Default 5. */
  readonly burnIn?: number;
}

export interface ValueSignalOptions {
  /** "when-unequal" (default): the larger of Welch's and the pooled variance where arms differ more than 2:1. "always": for guardrails. */
  readonly careful?: "when-unequal" | "always";
  /** Units of the smaller arm before the first look. Default 2; guardrails use 50. */
  readonly burnIn?: number;
}

const UNEQUAL_FROM = 2;

/**
 * Difference of shares with the score variance. `not-yet` during burn-in, which counts *expected* conversions of the small arm (pooled
 * conversions times its share of units), so that passing it tells nothing about the difference.
 * @example conversionSignal({ control: { n: 9500, successes: 95 }, treatment: { n: 500, successes: 9 } }) // value 0.008
 */
export function conversionSignal(arms: Arms<Proportion>, { burnIn = 5 }: ConversionSignalOptions = {}): Result<Point> {
  const { control, treatment } = arms;
  if (!isProportion(control) || !isProportion(treatment)) return refuse("invalid-input");
  if (control.n === 0 || treatment.n === 0) return refuse("too-few-units");
  const n = control.n + treatment.n;
  const successes = control.successes + treatment.successes;
  const expected = (Math.min(successes, n - successes) * Math.min(control.n, treatment.n)) / n;
  const variance = pooledVariance(arms);
  if (expected < burnIn || variance === 0) return refuse("burn-in");
  return ok({ value: share(treatment) - share(control), variance });
}

/**
 * Difference of means with a variance that holds under skew. Cap the values before (one cap for both arms, fixed in advance).
 * @example valueSignal({ control: { n: 900, mean: 10, m2: 3600 }, treatment: { n: 100, mean: 9, m2: 400 } }, { careful: "always",
 *   burnIn: 50 }) // value -1, variance 0.04485
 */
export function valueSignal(
  arms: Arms<Moments>,
  { careful = "when-unequal", burnIn = 2 }: ValueSignalOptions = {},
): Result<Point> {
  const { control, treatment } = arms;
  if (!isMoments(control) || !isMoments(treatment)) return refuse("invalid-input");
  const [sC, sT] = [unitVariance(control), unitVariance(treatment)];
  if (sC === undefined || sT === undefined || Math.min(control.n, treatment.n) < burnIn) return refuse("burn-in");
  const welch = sC / control.n + sT / treatment.n;
  const pooled = ((control.m2 + treatment.m2) / (control.n + treatment.n - 2)) * (1 / control.n + 1 / treatment.n);
  const unequal = Math.max(control.n, treatment.n) > UNEQUAL_FROM * Math.min(control.n, treatment.n);
  const variance = careful === "always" || unequal ? Math.max(welch, pooled) : welch;
  if (variance === 0) return refuse("no-variance");
  return ok({ value: treatment.mean - control.mean, variance });
}
