import { betaTails } from "./beta.ts";
import { normalQuantile, normalTailQuantile } from "./normal.ts";

/** A binomial distribution: `n` trials with chance `p`. */
export interface Binomial {
  readonly n: number;
  readonly p: number;
}

/** P(X <= k). Source: Abramowitz and Stegun 26.5.24. `binomialCdf(5, { n: 10, p: 0.5 }) // 0.623046875` */
export function binomialCdf(k: number, { n, p }: Binomial): number {
  const whole = Math.floor(k);
  if (whole < 0) return 0;
  if (whole >= n) return 1;
  return betaTails(whole + 1, n - whole, p).upper;
}

/** P(X >= k): the upper tail including k, computed directly. */
export function binomialTail(k: number, { n, p }: Binomial): number {
  const whole = Math.ceil(k);
  if (whole <= 0) return 1;
  if (whole > n) return 0;
  return betaTails(whole, n - whole + 1, p).lower;
}

/** The smallest k with P(X <= k) >= q. `binomialQuantile(0.5, { n: 10, p: 0.5 }) // 5` */
export function binomialQuantile(q: number, law: Binomial): number {
  const { n, p } = law;
  if (q <= 0 || p <= 0) return 0;
  if (q >= 1 || p >= 1) return n;
  const guess = Math.round(n * p + normalQuantile(q) * Math.sqrt(n * p * (1 - p)));
  return search(Math.min(n, Math.max(0, guess)), (k) => binomialCdf(k, law) >= q, n);
}

/** The smallest k with P(X > k) <= q: exact for tiny q, where 1 - q would be 1. `binomialTailQuantile(0.5, { n: 10, p: 0.5 }) // 5` */
export function binomialTailQuantile(q: number, law: Binomial): number {
  const { n, p } = law;
  if (q >= 1 || p <= 0) return 0;
  if (!(q > 0) || p >= 1) return n;
  const guess = Math.round(n * p + normalTailQuantile(q) * Math.sqrt(n * p * (1 - p)));
  return search(Math.min(n, Math.max(0, guess)), (k) => binomialTail(k + 1, law) <= q, n);
}

// Steps outward in doubling strides from the guess, then halves: a handful of evaluations for any n.
function search(guess: number, isEnough: (k: number) => boolean, n: number): number {
  let stride = 1;
  let low = guess;
  let high = guess;
  while (low >= 0 && isEnough(low)) {
    high = low;
    low -= stride;
    stride *= 2;
  }
  stride = 1;
  while (high < n && !isEnough(high)) {
    low = high;
    high = Math.min(n, high + stride);
    stride *= 2;
  }
  low = Math.max(-1, low);
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (isEnough(middle)) high = middle;
    else low = middle;
  }
  return high;
}
