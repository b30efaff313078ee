/**
 * Sample ratio mismatch: do the arms have the sizes they were designed to have? A mismatch means lost or misassigned units, and every
 * other number of the experiment is in doubt. Count first exposures of units, never events.
 */
import { adjustPValues } from "./multiplicity.ts";
import { isRate, ok, type Result, refuse } from "./result.ts";
import { chiSquareTail } from "./special/chi-square.ts";
import { logGamma } from "./special/stirling.ts";

/** Units per arm against designed weights, in the same order. Weights need not add up to 1. */
export interface ArmCounts {
  readonly counts: readonly number[];
  readonly weights: readonly number[];
}

/** One segment's arms, for finding where a mismatch comes from. */
export interface SegmentCounts extends ArmCounts {
  readonly key: string;
}

export interface SegmentSrm {
  readonly key: string;
  readonly pValue: number;
  /** By Holm over the segments that could be tested. */
  readonly adjustedP: number;
  readonly mismatched: boolean;
}

export interface SrmTest {
  readonly statistic: number;
  readonly df: number;
  readonly pValue: number;
  /** Arms with weight 0 that have units all the same: a hard alarm, whatever the p-value. */
  readonly impossibleArms: readonly number[];
  readonly observedShares: readonly number[];
  readonly expectedShares: readonly number[];
}

export interface SrmSequenceOptions {
  /** Default 0.001. */
  readonly alpha?: number;
  /** How near to the designed weights an alternative is expected; default 1000. More is slower to alarm on gross mismatches. */
  readonly concentration?: number;
  /** The largest `logEMax` of earlier looks. */
  readonly logEBefore?: number;
}

export interface SrmSequence {
  readonly logE: number;
  /** The largest evidence so far: give it back as `logEBefore` at the next look. */
  readonly logEMax: number;
  /** min(1, exp(-logEMax)). */
  readonly pValue: number;
  readonly alarm: boolean;
  readonly impossibleArms: readonly number[];
}

/**
 * Pearson's chi-square at one look decided in advance. Looked at 1,000 times at alpha 0.001 it would alarm in 2.7 % of clean experiments:
 * for continuous watching use `srmSequence`. Arms with weight 0 are no degree of freedom. Source: Pearson (1900);
 * Fabijan et al., "Diagnosing sample ratio mismatch in online controlled experiments", KDD 2019.
 * @example srmTest({ counts: [44700, 45489], weights: [1, 1] }) // pValue 0.0086
 */
export function srmTest(arms: ArmCounts): Result<SrmTest> {
  if (!isArmCounts(arms)) return refuse("invalid-input");
  const { counts, weights } = arms;
  const designed = weights.map((weight, i) => ({ weight, count: counts[i] ?? 0 })).filter(({ weight }) => weight > 0);
  const n = designed.reduce((sum, { count }) => sum + count, 0);
  const totalWeight = sum(weights);
  if (n === 0 || designed.length < 2) return refuse("too-few-units");
  const statistic = designed.reduce((all, { weight, count }) => {
    const expected = (n * weight) / totalWeight;
    return all + (count - expected) ** 2 / expected;
  }, 0);
  const df = designed.length - 1;
  return ok({
    statistic,
    df,
    pValue: chiSquareTail(statistic, df),
    impossibleArms: impossibleArms(arms),
    observedShares: counts.map((count) => count / Math.max(1, sum(counts))),
    expectedShares: weights.map((weight) => weight / totalWeight),
  });
}

/**
 * The segments (browser, country, epoch) in which the arms have the wrong sizes, by Holm, smallest p-value first. Run it once a mismatch
 * is known: it tells the cause, it is no alarm of its own. Segments without units are left out.
 * @example srmBySegment([{ key: "safari", counts: [900, 700], weights: [1, 1] }]) // pValue 5.733e-7
 */
export function srmBySegment(
  segments: readonly SegmentCounts[],
  { alpha = 0.001 }: { readonly alpha?: number } = {},
): Result<{ segments: readonly SegmentSrm[] }> {
  if (!segments.every(isArmCounts)) return refuse("invalid-input");
  const tested = segments.flatMap((segment) => {
    const test = srmTest(segment);
    return test.status === "ok" ? [{ key: segment.key, pValue: test.pValue }] : [];
  });
  const pValues = tested.map(({ pValue }) => pValue);
  const adjusted = adjustPValues(pValues, { method: "holm", alpha });
  if (adjusted.status !== "ok") return adjusted;
  const judged = tested.map(({ key, pValue }, i) => {
    const { adjustedP = 1, rejected = false } = adjusted.tests[i] ?? {};
    return { key, pValue, adjustedP, mismatched: rejected };
  });
  return ok({ segments: judged.sort((a, b) => a.pValue - b.pValue) });
}

/**
 * SRM watched continuously: the Bayes factor of Dirichlet-distributed shares around the designed ones against exactly those, a martingale,
 * multiplied over allocation epochs; alarm at 1/alpha. Source: Lindon and Malek, "Anytime-valid inference for multinomial count
 * data", NeurIPS 2022. Finds 51/49 instead of 50/50 after about 41,500 units at alpha 0.001.
 * @example srmSequence([{ counts: [5200, 4800], weights: [1, 1] }]) // logE 6.076, pValue 0.002298
 */
export function srmSequence(epochs: readonly ArmCounts[], options: SrmSequenceOptions = {}): Result<SrmSequence> {
  const { alpha = 0.001, concentration = 1000, logEBefore = 0 } = options;
  if (!isRate(alpha) || !(concentration > 0) || !epochs.every(isArmCounts)) return refuse("invalid-input");
  const logE = sum(epochs.map((epoch) => logBayesFactor(epoch, concentration)));
  const logEMax = Math.max(logE, logEBefore, 0);
  const impossible = [...new Set(epochs.flatMap(impossibleArms))];
  return ok({
    logE,
    logEMax,
    pValue: Math.exp(-logEMax),
    alarm: impossible.length > 0 || logEMax >= -Math.log(alpha),
    impossibleArms: impossible,
  });
}

/**
 * Whether two assignments of the same units are independent, by chi-square on their table of joint counts (rows: arms of one test).
 * Empty rows and columns are no degree of freedom. p below 0.001 points at the hashing.
 * @example independenceTest([[250, 250], [250, 250]]) // pValue 1, df 1
 */
export function independenceTest(
  table: readonly (readonly number[])[],
): Result<{ statistic: number; df: number; pValue: number }> {
  const width = table[0]?.length ?? 0;
  if (!table.every((row) => row.length === width && row.every(isCount))) return refuse("invalid-input");
  const rows = table.map(sum);
  const columns = Array.from({ length: width }, (_, j) => sum(table.map((row) => row[j] ?? 0)));
  const n = sum(rows);
  const df = (rows.filter((total) => total > 0).length - 1) * (columns.filter((total) => total > 0).length - 1);
  if (!(df > 0)) return refuse("too-few-units");
  let statistic = 0;
  table.forEach((row, i) => {
    row.forEach((count, j) => {
      const expected = ((rows[i] ?? 0) * (columns[j] ?? 0)) / n;
      if (expected > 0) statistic += (count - expected) ** 2 / expected;
    });
  });
  return ok({ statistic, df, pValue: chiSquareTail(statistic, df) });
}

export interface Crossing {
  /** Share of units that saw two variants. */
  readonly share: number;
  /** p-value of "both arms cross equally"; absent when nobody or everybody crossed. */
  readonly pValue?: number;
  /** Over 0.5 %, or unequal between arms with p < 0.001: give no ship advice. */
  readonly isUnhealthy: boolean;
}

/**
 * How many units saw two variants, per arm first assigned. Such units stay in the arm they first saw: dropping them biases the effect.
 * @example crossingHealth([{ n: 10000, successes: 20 }, { n: 10000, successes: 25 }]) // share 0.00225
 */
export function crossingHealth(arms: readonly { readonly n: number; readonly successes: number }[]): Result<Crossing> {
  if (!arms.every(({ n, successes }) => isCount(n) && isCount(successes) && successes <= n)) return refuse("invalid-input");
  const n = sum(arms.map((arm) => arm.n));
  if (n === 0) return refuse("too-few-units");
  const share = sum(arms.map((arm) => arm.successes)) / n;
  const test = independenceTest(arms.map((arm) => [arm.successes, arm.n - arm.successes]));
  const pValue = test.status === "ok" ? test.pValue : undefined;
  return ok({
    share,
    ...(pValue === undefined ? {} : { pValue }),
    isUnhealthy: share > 0.005 || (pValue !== undefined && pValue < 0.001),
  });
}

function logBayesFactor({ counts, weights }: ArmCounts, concentration: number): number {
  const totalWeight = sum(weights);
  let n = 0;
  let log = 0;
  weights.forEach((weight, i) => {
    const count = counts[i] ?? 0;
    if (weight === 0) return;
    n += count;
    const share = weight / totalWeight;
    log += logGamma(concentration * share + count) - logGamma(concentration * share) - count * Math.log(share);
  });
  return log + logGamma(concentration) - logGamma(concentration + n);
}

function impossibleArms({ counts, weights }: ArmCounts): number[] {
  return counts.flatMap((count, i) => (count > 0 && weights[i] === 0 ? [i] : []));
}

function isArmCounts({ counts, weights }: ArmCounts): boolean {
  return counts.length === weights.length && counts.every(isCount) && weights.every(isCount) && sum(weights) > 0;
}

function isCount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
