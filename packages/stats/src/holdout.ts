/**
 * What everything that shipped did together, measured against the units that were kept out. They are compared with *all* the others, not with
 * an equal slice of them: at 5 % kept out the standard error is a quarter smaller. The sum of single results is `cumulativeEffect`.
 */
import { type MeanEstimate, meanDifference, meanRelative } from "./mean.ts";
import type { Moments } from "./moments.ts";
import { type Proportion, type ProportionEstimate, proportionDifference } from "./proportion.ts";
import { type AlphaOption, andThen, type Estimate, ok, type Result } from "./result.ts";

/** Units kept out of all new treatments, and all the rest. */
export interface Holdout<T> {
  readonly heldOut: T;
  readonly rest: T;
}

export interface HoldoutEffect {
  readonly absolute: MeanEstimate;
  /** Absent where the kept-out mean cannot be told from 0. */
  readonly relative?: Estimate;
}

/**
 * Effect of all that shipped on a mean, rest minus held out, by Welch's test and Fieller's interval.
 * @example holdoutEffect({ heldOut: momentsOf([9, 10, 11]), rest: momentsOf([10, 11, 12, 11]) }) // value 1, df 3.857
 */
export function holdoutEffect({ heldOut, rest }: Holdout<Moments>, options: AlphaOption = {}): Result<HoldoutEffect> {
  const arms = { control: heldOut, treatment: rest };
  return andThen(meanDifference(arms, options), ({ status: _, ...absolute }) => {
    const relative = meanRelative(arms, options);
    if (relative.status !== "ok") return ok({ absolute });
    const { status: __, ...estimate } = relative;
    return ok({ absolute, relative: estimate });
  });
}

/**
 * The same for a share.
 * @example holdoutProportion({ heldOut: { n: 100, successes: 10 }, rest: { n: 1900, successes: 209 } }) // value 0.01
 */
export function holdoutProportion({ heldOut, rest }: Holdout<Proportion>, options: AlphaOption = {}): Result<ProportionEstimate> {
  return proportionDifference({ control: heldOut, treatment: rest }, options);
}
