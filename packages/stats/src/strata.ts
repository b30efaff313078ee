/**
 * Effects within strata (countries, platforms, allocation epochs), put together. A ramp from 1 % to 50 % while the base rate moves makes
 * the pooled comparison wrong, not noisy: within an epoch the arms saw the same days, so epochs are the strata that repair it.
 * Sources: Miratrix, Sekhon and Yu, JRSS B 75 (2013); overlap weights: Crump, Hotz, Imbens and Mitnik, Biometrika 96 (2009).
 * Assumes strata fixed before treatment: an epoch is that of the unit's first exposure.
 */
import { normalEstimate } from "./effect.ts";
import { type Moments, meanPoint, mergeMoments, NO_MOMENTS } from "./moments.ts";
import { isProportion, type Proportion, pooledVariance, proportionPoint, share } from "./proportion.ts";
import { type AlphaOption, type Arms, andThen, bothArms, type Estimate, ok, type Point, type Result, refuse } from "./result.ts";
import { chiSquareTail } from "./special/chi-square.ts";
import { normalTwoSided } from "./special/normal.ts";

/** One stratum, for example one allocation epoch. */
export interface Stratum<T> {
  readonly key: string;
  readonly arms: Arms<T>;
}

export interface StratifiedOptions extends AlphaOption {
  /** "overlap" (default): nC nT / (nC + nT), the least noise. "population": by units, the effect on the average unit. */
  readonly weights?: "overlap" | "population";
}

export interface StratifiedEstimate extends Estimate {
  /** Weight of each stratum that took part; they add up to 1. */
  readonly weights: readonly { readonly key: string; readonly weight: number }[];
  /** Strata left out: an arm was empty or had no variance to measure by. */
  readonly leftOut: readonly string[];
  /** Set when pooling all strata would show the opposite sign: Simpson's paradox is present. */
  readonly signReversed: boolean;
}

/**
 * Stratified difference of means.
 * @example stratifiedMeans([{ key: "1", arms: { control: momentsOf([1, 2, 3]), treatment: momentsOf([2, 3, 4, 3]) } }]) // value 1,
 *   standardError 0.7071
 */
export function stratifiedMeans(
  strata: readonly Stratum<Moments>[],
  options: StratifiedOptions = {},
): Result<StratifiedEstimate> {
  const parts = strata.map(({ key, arms }) =>
    toPart(
      key,
      arms,
      andThen(bothArms(arms, meanPoint), ({ control, treatment }) =>
        control.variance + treatment.variance > 0
          ? ok({ value: treatment.value - control.value, variance: control.variance + treatment.variance })
          : refuse("no-variance"),
      ),
    ),
  );
  const control = strata.reduce((all, { arms }) => mergeMoments(all, arms.control), NO_MOMENTS);
  const treatment = strata.reduce((all, { arms }) => mergeMoments(all, arms.treatment), NO_MOMENTS);
  return combine(parts, treatment.mean - control.mean, options);
}

/**
 * Stratified difference of shares: test by pooled variance within each stratum (Mantel and Haenszel's idea), interval by a variance that
 * is never 0, so that strata with few successes neither vanish nor dominate.
 * @example stratifiedProportions([{ key: "1", arms: { control: { n: 1000, successes: 100 }, treatment: { n: 1000, successes: 130 } } }])
 *   // value 0.03, standardError 0.01427
 */
export function stratifiedProportions(
  strata: readonly Stratum<Proportion>[],
  options: StratifiedOptions = {},
): Result<StratifiedEstimate> {
  if (!strata.every(({ arms }) => isProportion(arms.control) && isProportion(arms.treatment))) return refuse("invalid-input");
  const parts = strata.map(({ key, arms }) =>
    toPart(
      key,
      arms,
      andThen(bothArms(arms, proportionPoint), ({ control, treatment }) =>
        ok({
          value: treatment.value - control.value,
          variance: control.variance + treatment.variance,
          nullVariance: pooledVariance(arms),
        }),
      ),
    ),
  );
  return combine(parts, share(total(strata, "treatment")) - share(total(strata, "control")), options);
}

/**
 * The plain difference over all strata, refused when the share of treated units moved between them (`allocation-moved`): then it would
 * mix a change over time into the effect. Shares count as moved when a chi-square test of arm against stratum has p < 0.001.
 * @example pooledMeans([{ key: "1", arms: { control: momentsOf([1, 2, 3]), treatment: momentsOf([2, 3, 4, 3]) } }]) // n 4, mean 3
 */
export function pooledMeans(strata: readonly Stratum<Moments>[]): Result<Arms<Moments>> {
  const counts = strata.map(({ arms }) => ({ control: arms.control.n, treatment: arms.treatment.n }));
  if (allocationMoved(counts)) return refuse("allocation-moved");
  return ok({
    control: strata.reduce((all, { arms }) => mergeMoments(all, arms.control), NO_MOMENTS),
    treatment: strata.reduce((all, { arms }) => mergeMoments(all, arms.treatment), NO_MOMENTS),
  });
}

/**
 * As `pooledMeans`, for shares.
 * @example pooledProportions([{ key: "1", arms: { control: { n: 990, successes: 99 }, treatment: { n: 10, successes: 1 } } }, { key: "2",
 *   arms: { control: { n: 1000, successes: 100 }, treatment: { n: 1000, successes: 130 } } }]) // "allocation-moved"
 */
export function pooledProportions(strata: readonly Stratum<Proportion>[]): Result<Arms<Proportion>> {
  const counts = strata.map(({ arms }) => ({ control: arms.control.n, treatment: arms.treatment.n }));
  if (allocationMoved(counts)) return refuse("allocation-moved");
  return ok({ control: total(strata, "control"), treatment: total(strata, "treatment") });
}

/** Whether the share of treated units differs between strata beyond chance (p < 0.001). */
function allocationMoved(counts: readonly Arms<number>[]): boolean {
  const filled = counts.filter(({ control, treatment }) => control + treatment > 0);
  const units = filled.reduce((sum, { control, treatment }) => sum + control + treatment, 0);
  const treated = filled.reduce((sum, { treatment }) => sum + treatment, 0);
  const p = treated / units;
  if (filled.length < 2 || !(p > 0 && p < 1)) return false;
  const statistic = filled.reduce((sum, { control, treatment }) => {
    const n = control + treatment;
    return sum + (treatment - n * p) ** 2 / (n * p * (1 - p));
  }, 0);
  return chiSquareTail(statistic, filled.length - 1) < 0.001;
}

interface PartEffect extends Point {
  /** Variance under "no effect", where it is known better than the plain one. */
  readonly nullVariance?: number;
}

interface Part {
  readonly key: string;
  readonly units: Arms<number>;
  readonly effect: Result<PartEffect>;
}

function toPart(key: string, arms: Arms<{ readonly n: number }>, effect: Result<PartEffect>): Part {
  return { key, units: { control: arms.control.n, treatment: arms.treatment.n }, effect };
}

function combine(
  parts: readonly Part[],
  pooled: number,
  { alpha, weights = "overlap" }: StratifiedOptions,
): Result<StratifiedEstimate> {
  const used = parts.flatMap(({ key, units, effect }) =>
    effect.status === "ok" ? [{ key, effect, weight: WEIGHTS[weights](units) }] : [],
  );
  const totalWeight = used.reduce((sum, { weight }) => sum + weight, 0);
  if (!(totalWeight > 0)) return refuse("too-few-strata");
  const shares = used.map(({ key, effect, weight }) => ({ key, effect, weight: weight / totalWeight }));
  const sum = (of: (effect: PartEffect, weight: number) => number): number =>
    shares.reduce((all, { effect, weight }) => all + of(effect, weight), 0);
  const value = sum((effect, weight) => weight * effect.value);
  const variance = sum((effect, weight) => weight * weight * effect.variance);
  const nullVariance = sum((effect, weight) => weight * weight * (effect.nullVariance ?? effect.variance));
  return andThen(normalEstimate({ value, variance }, alpha === undefined ? {} : { alpha }), ({ interval, standardError }) =>
    ok({
      value,
      standardError,
      interval,
      pValue: nullVariance > 0 ? normalTwoSided(value / Math.sqrt(nullVariance)) : 1,
      weights: shares.map(({ key, weight }) => ({ key, weight })),
      leftOut: parts.filter(({ effect }) => effect.status !== "ok").map(({ key }) => key),
      signReversed: value * pooled < 0,
    }),
  );
}

const WEIGHTS: Readonly<Record<NonNullable<StratifiedOptions["weights"]>, (units: Arms<number>) => number>> = {
  overlap: ({ control, treatment }) => (control * treatment) / (control + treatment),
  population: ({ control, treatment }) => control + treatment,
};

function total(strata: readonly Stratum<Proportion>[], arm: keyof Arms<Proportion>): Proportion {
  return strata.reduce((all, { arms }) => ({ n: all.n + arms[arm].n, successes: all.successes + arms[arm].successes }), {
    n: 0,
    successes: 0,
  });
}
