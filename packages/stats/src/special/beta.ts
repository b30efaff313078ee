import type { Tails } from "./gamma.ts";
import { bisect } from "./root.ts";
import { deviance, stirlingError } from "./stirling.ts";

const EPSILON = 2e-16;
const TINY = 1e-300;
const STEPS_MAX = 1_000_000;
/** exp of more is beyond a double. */
const LOG_ODDS_MAX = 700;

/**
 * The regularised incomplete beta function: both tails of Beta(a, b) at x, for a, b > 0. `y` is 1 - x, given apart because near 1
 * it cannot be had from x. Source: the continued fraction of Abramowitz and Stegun 26.5.8 (Lentz), prefactor from Stirling
 * differences (Loader 2000), so that a + b of a million keeps its digits. Relative error 1e-12 for the smaller tail.
 * `betaTails(2, 2, 0.5).lower // 0.5`
 */
export function betaTails(a: number, b: number, x: number, y: number = 1 - x): Tails {
  if (x <= 0) return { lower: 0, upper: 1 };
  if (y <= 0) return { lower: 1, upper: 0 };
  const prefactor = betaPrefactor(a, b, x, y);
  if (x < (a + 1) / (a + b + 2)) {
    const lower = Math.min(1, (prefactor * fraction(a, b, x)) / a);
    return { lower, upper: 1 - lower };
  }
  const upper = Math.min(1, (prefactor * fraction(b, a, y)) / b);
  return { lower: 1 - upper, upper };
}

/**
 * The x with P(X > x) = q for Beta(a, b), by halving on the scale of log-odds, where both ends keep their digits: relative error 1e-12.
 * `betaTailQuantile(0.5, 2, 2) // 0.5`
 */
export function betaTailQuantile(q: number, a: number, b: number): number {
  const gap = (logOdds: number): number => {
    const tails = betaTails(a, b, 1 / (1 + Math.exp(-logOdds)), 1 / (1 + Math.exp(logOdds)));
    return q <= 0.5 ? Math.log(q) - Math.log(tails.upper) : Math.log(tails.lower) - Math.log(1 - q);
  };
  return 1 / (1 + Math.exp(-bisect(gap, { low: -LOG_ODDS_MAX, high: LOG_ODDS_MAX }, 1e-15)));
}

/** x^a y^b / B(a, b): the density times x y. */
export function betaPrefactor(a: number, b: number, x: number, y: number): number {
  const n = a + b;
  const logRest = stirlingError(n) - stirlingError(a) - stirlingError(b) - deviance(a, n * x) - deviance(b, n * y);
  return Math.sqrt((a * b) / (2 * Math.PI * n)) * Math.exp(logRest);
}

function fraction(a: number, b: number, x: number): number {
  let c = 1;
  let d = 1 / nonZero(1 - ((a + b) * x) / (a + 1));
  let h = d;
  for (let m = 1; m < STEPS_MAX; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / nonZero(1 + even * d);
    c = nonZero(1 + even / c);
    h *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / nonZero(1 + odd * d);
    c = nonZero(1 + odd / c);
    const step = d * c;
    h *= step;
    // Written so that NaN ends the loop too.
    if (!(Math.abs(step - 1) > EPSILON)) break;
  }
  return h;
}

function nonZero(x: number): number {
  return Math.abs(x) < TINY ? TINY : x;
}
