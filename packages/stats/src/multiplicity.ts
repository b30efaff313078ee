/**
 * Many metrics, one experiment. Holm keeps the chance of any false finding at alpha: use it for ship decisions. Benjamini and Hochberg keep
 * the share of false findings among the findings at alpha: use it for exploring. Each test also gets the alpha of an interval that
 * agrees with its decision: it excludes 0 exactly when the adjusted p-value is at most alpha.
 */
import { type AlphaOption, DEFAULT_ALPHA, isRate, ok, type Result, refuse } from "./result.ts";

export interface AdjustedTest {
  readonly adjustedP: number;
  readonly rejected: boolean;
  /** Compute this test's interval at this alpha: it is wider than at the plain one, by as much as the adjustment asks. */
  readonly intervalAlpha: number;
}

export type MultiplicityMethod = "holm" | "benjamini-hochberg";

export interface MultiplicityOptions extends AlphaOption {
  readonly method: MultiplicityMethod;
}

/**
 * Adjusted p-values in the order given. Sources: Holm, Scandinavian Journal of Statistics 6 (1979); Benjamini and Hochberg, JRSS B 57
 * (1995); intervals for selected parameters: Benjamini and Yekutieli, JASA 100 (2005). Holm holds under any dependence, BH under
 * positive dependence (metrics of the same users).
 * @example adjustPValues([0.01, 0.04, 0.03], { method: "holm" }) // adjustedP 0.06, intervalAlpha 0.025
 */
export function adjustPValues(
  pValues: readonly number[],
  { method, alpha = DEFAULT_ALPHA }: MultiplicityOptions,
): Result<{ tests: readonly AdjustedTest[] }> {
  if (!isRate(alpha) || !pValues.every((p) => p >= 0 && p <= 1)) return refuse("invalid-input");
  const ranked = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p);
  const sorted = ranked.map(({ p }) => p);
  const adjusted = method === "holm" ? holm(sorted) : benjaminiHochberg(sorted);
  const rejections = adjusted.filter((p) => p <= alpha).length;
  const tests = new Array<AdjustedTest>(pValues.length);
  ranked.forEach(({ index }, rank) => {
    const adjustedP = adjusted[rank] ?? 1;
    const rejected = adjustedP <= alpha;
    tests[index] = {
      adjustedP,
      rejected,
      intervalAlpha: INTERVAL_ALPHAS[method]({ rank, rejected, rejections, tests: sorted.length, alpha }),
    };
  });
  return ok({ tests });
}

interface Placed {
  /** Place among the sorted p-values, from 0. */
  readonly rank: number;
  readonly rejected: boolean;
  readonly rejections: number;
  readonly tests: number;
  readonly alpha: number;
}

// The level at which a test was in fact compared: a rejected one passed it, and the first that failed sets it for all that follow.
const INTERVAL_ALPHAS: Readonly<Record<MultiplicityMethod, (placed: Placed) => number>> = {
  holm: ({ rank, rejected, rejections, tests, alpha }) => alpha / (tests - (rejected ? rank : rejections)),
  "benjamini-hochberg": ({ rejected, rejections, tests, alpha }) => (alpha * (rejections + (rejected ? 0 : 1))) / tests,
};

function holm(sorted: readonly number[]): number[] {
  let largest = 0;
  return sorted.map((p, rank) => {
    largest = Math.max(largest, Math.min(1, p * (sorted.length - rank)));
    return largest;
  });
}

function benjaminiHochberg(sorted: readonly number[]): number[] {
  let smallest = 1;
  const adjusted = new Array<number>(sorted.length);
  for (let rank = sorted.length - 1; rank >= 0; rank--) {
    smallest = Math.min(smallest, ((sorted[rank] ?? 1) * sorted.length) / (rank + 1));
    adjusted[rank] = smallest;
  }
  return adjusted;
}
