/** How many times as often treated units fail, from failures counted once a unit while a known share was treated. */
import { type AlphaOption, DEFAULT_ALPHA, type Estimate, isRate, ok, type Result, refuse } from "./result.ts";
import { normalTwoSided, twoSidedZ } from "./special/normal.ts";

/** First failures of units under one share. */
export interface RateStratum {
  /** Share of units that were treated, strictly between 0 and 1. */
  readonly share: number;
  readonly treated: number;
  /** Failures of both arms. */
  readonly total: number;
}

/**
 * The rate ratio less 1 over all strata, so that a drift of the base rate over a ramp is no effect, with an interval that is
 * symmetric in its logarithm. Sources: Mantel and Haenszel's ratio for rates, its variance by Greenland and Robins, Biometrics 41
 * (1985). `insufficient` while one arm has no failure.
 *
 * @example rateRatio([{ share: 0.5, treated: 30, total: 50 }]) // value 0.5
 */
export function rateRatio(strata: readonly RateStratum[], { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<Estimate> {
  if (!isRate(alpha) || !strata.every(isStratum)) return refuse("invalid-input");
  const above = sum(strata, ({ share, treated }) => treated * (1 - share));
  const below = sum(strata, ({ share, treated, total }) => (total - treated) * share);
  if (above === 0 || below === 0) return refuse("too-few-events");
  const ratio = above / below;
  const sd = Math.sqrt(sum(strata, ({ share, total }) => total * share * (1 - share)) / (above * below));
  const reach = Math.exp(twoSidedZ(alpha) * sd);
  return ok({
    value: ratio - 1,
    standardError: ratio * sd,
    interval: { low: ratio / reach - 1, high: ratio * reach - 1, level: 1 - alpha },
    pValue: normalTwoSided(Math.log(ratio) / sd),
  });
}

function isStratum({ share, treated, total }: RateStratum): boolean {
  return share > 0 && share < 1 && Number.isInteger(treated) && Number.isInteger(total) && treated >= 0 && treated <= total;
}

function sum(strata: readonly RateStratum[], of: (stratum: RateStratum) => number): number {
  return strata.reduce((all, stratum) => all + of(stratum), 0);
}
