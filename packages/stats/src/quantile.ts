/**
 * Quantiles of events (a 95th percentile of latency), where events come in clusters of one unit.
 * Sources: Liu, Sun, Varshney and Xu, "Large-scale online experimentation with quantile metrics" (2018) for the width from order
 * statistics; Deng, Knoblich and Lu (KDD 2018) for the variance of the share below under clustering.
 */
import { normalEstimate } from "./effect.ts";
import type { JointMoments } from "./moments.ts";
import { ratioPoint } from "./ratio.ts";
import {
  type AlphaOption,
  type Arms,
  andThen,
  type ClosedInterval,
  DEFAULT_ALPHA,
  type Estimate,
  isRate,
  ok,
  type Point,
  type Result,
  refuse,
} from "./result.ts";
import { binomialQuantile } from "./special/binomial.ts";
import { twoSidedZ } from "./special/normal.ts";

/** Sorted events behind a rank: an array, or a digest that answers by rank. */
export interface RankedSample {
  readonly n: number;
  /** The value of rank 1 (smallest) to n. */
  readonly at: (rank: number) => number;
}

export interface QuantileOptions extends AlphaOption {
  /** Which quantile, strictly between 0 and 1, for example 0.95. */
  readonly quantile: number;
  /**
   * Per unit: [events below the quantile, events], as joint moments. Give it whenever a unit can have several events; without it
   * events are taken as independent, which for 30 events a user means one false alarm in three.
   */
  readonly clusters?: JointMoments;
}

export interface QuantileEstimate extends Point {
  readonly interval: ClosedInterval;
  /** Variance against that of independent events; 1 without clusters. */
  readonly designEffect: number;
}

const EXPECTED_TAIL_MIN = 4;

/**
 * Sorts a copy of the values.
 * @example rankedSample([30, 10, 20]).at(1) // 10
 */
export function rankedSample(values: readonly number[]): RankedSample {
  const sorted = Float64Array.from(values).sort();
  return { n: sorted.length, at: (rank) => sorted[Math.min(sorted.length, Math.max(1, rank)) - 1] ?? Number.NaN };
}

/**
 * One arm's quantile with an interval between two order statistics: exact binomial ranks for independent events, widened by the
 * design effect for clustered ones. `insufficient` when fewer than 4 events are expected beyond the quantile.
 * @example quantileEstimate(rankedSample(Array.from({ length: 200 }, (_, i) => i)), { quantile: 0.95 }) // value 189, low 183, high 196
 */
export function quantileEstimate(
  sample: RankedSample,
  { quantile, alpha = DEFAULT_ALPHA, clusters }: QuantileOptions,
): Result<QuantileEstimate> {
  const { n } = sample;
  if (!isRate(alpha) || !isRate(quantile) || !(n >= 0)) return refuse("invalid-input");
  if (n * Math.min(quantile, 1 - quantile) < EXPECTED_TAIL_MIN) return refuse("too-few-events");
  return andThen(designEffectOf({ n, quantile, clusters }), ({ designEffect }) => {
    const ranks = designEffect === 1 ? binomialRanks(n, quantile, alpha) : clusteredRanks({ n, quantile, alpha, designEffect });
    if (ranks.low < 1 || ranks.high > n) return refuse("too-few-events");
    const [low, high] = [sample.at(ranks.low), sample.at(ranks.high)];
    const standardError = (high - low) / (2 * twoSidedZ(alpha));
    const value = sample.at(Math.ceil(n * quantile));
    return ok({ value, variance: standardError * standardError, interval: { low, high, level: 1 - alpha }, designEffect });
  });
}

/**
 * Difference of two arms' quantiles in the unit of the events; a normal interval from the two widths.
 * @example quantileDifference({ control: quantileEstimate({ n: 1000, at: (rank) => rank }, { quantile: 0.9 }),
 *   treatment: quantileEstimate({ n: 1000, at: (rank) => rank + 50 }, { quantile: 0.9 }) }) // value 50, pValue 0.0002652
 */
export function quantileDifference(arms: Arms<Result<QuantileEstimate>>, options: AlphaOption = {}): Result<Estimate> {
  return andThen(arms.control, (control) =>
    andThen(arms.treatment, (treatment) =>
      normalEstimate({ value: treatment.value - control.value, variance: treatment.variance + control.variance }, options),
    ),
  );
}

interface Ranks {
  readonly low: number;
  readonly high: number;
}

function designEffectOf({
  n,
  quantile,
  clusters,
}: {
  n: number;
  quantile: number;
  clusters: JointMoments | undefined;
}): Result<{ designEffect: number }> {
  if (clusters === undefined) return ok({ designEffect: 1 });
  return andThen(ratioPoint(clusters), ({ variance }) =>
    ok({ designEffect: Math.max(1, (variance * n) / (quantile * (1 - quantile))) }),
  );
}

function binomialRanks(n: number, quantile: number, alpha: number): Ranks {
  const law = { n, p: quantile };
  return { low: binomialQuantile(alpha / 2, law), high: binomialQuantile(1 - alpha / 2, law) + 1 };
}

function clusteredRanks(given: { n: number; quantile: number; alpha: number; designEffect: number }): Ranks {
  const { n, quantile, alpha, designEffect } = given;
  const reach = twoSidedZ(alpha) * Math.sqrt(n * quantile * (1 - quantile) * designEffect);
  return { low: Math.floor(n * quantile - reach), high: Math.ceil(n * quantile + reach) + 1 };
}
