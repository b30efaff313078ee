import { betaPrefactor, betaTails } from "./beta.ts";
import { normalTail, normalTailQuantile } from "./normal.ts";
import { bracketedNewton } from "./root.ts";

const LARGE_DF = 1e7;

/** P(T > t) for Student's t with `df` > 0 (not necessarily whole). Source: Abramowitz and Stegun 26.7.1. */
export function studentTail(t: number, df: number): number {
  const half = halfTail(Math.abs(t), df);
  return t >= 0 ? half : 1 - half;
}

/** P(T <= t). */
export function studentCdf(t: number, df: number): number {
  return studentTail(-t, df);
}

/** P(|T| > |t|): the two-sided p-value of a t statistic. */
export function studentTwoSided(t: number, df: number): number {
  return 2 * halfTail(Math.abs(t), df);
}

/** The t with P(T > t) = q. `studentTailQuantile(0.025, 10) // 2.22813885198627` */
export function studentTailQuantile(q: number, df: number): number {
  if (q > 0.5) return -studentTailQuantile(1 - q, df);
  if (q === 0.5) return 0;
  const target = Math.log(q);
  const gap = (t: number): number => target - Math.log(halfTail(t, df));
  const slope = (t: number): number => studentDensity(t, df) / halfTail(t, df);
  const start = normalTailQuantile(q);
  let high = Math.max(1, 2 * start);
  while (gap(high) < 0 && high < 1e150) high *= high > 100 ? 100 : 4;
  return bracketedNewton(gap, slope, { low: 0, high }, cornishFisher(start, df));
}

/** Density of Student's t. */
export function studentDensity(t: number, df: number): number {
  const square = t * t;
  const x = df / (df + square);
  const y = square / (df + square);
  if (y === 0) return studentDensity(1e-150 * Math.sqrt(df), df);
  return betaPrefactor(df / 2, 0.5, x, y) / Math.abs(t);
}

function halfTail(t: number, df: number): number {
  // Wallace, Annals of Mathematical Statistics 30 (1959): here exact to 1e-10, and the fraction would need thousands of steps.
  if (df > LARGE_DF) return normalTail(((8 * df + 1) / (8 * df + 3)) * Math.sqrt(df * Math.log1p((t * t) / df)));
  const square = t * t;
  return betaTails(df / 2, 0.5, df / (df + square), square / (df + square)).lower / 2;
}

// The first term of Cornish and Fisher's expansion; only a start.
function cornishFisher(z: number, df: number): number {
  return z + (z ** 3 + z) / (4 * df);
}
