import { gammaPrefactor, gammaTails } from "./gamma.ts";
import { normalQuantile } from "./normal.ts";
import { bracketedNewton } from "./root.ts";

/** P(X <= x) for chi-square with `df` > 0 degrees of freedom. */
export function chiSquareCdf(x: number, df: number): number {
  return gammaTails(df / 2, x / 2).lower;
}

/** P(X > x), to a relative 1e-12: the p-value of a chi-square test. `chiSquareTail(3.841458820694124, 1) // 0.05` */
export function chiSquareTail(x: number, df: number): number {
  return gammaTails(df / 2, x / 2).upper;
}

/**
 * The x with P(X > x) = q. Newton on the logarithm of the smaller tail, started at Wilson and Hilferty's cube.
 * `chiSquareTailQuantile(0.05, 1) // 3.841458820694124`
 */
export function chiSquareTailQuantile(q: number, df: number): number {
  if (q >= 1) return 0;
  const useUpper = q <= 0.5;
  const target = Math.log(useUpper ? q : 1 - q);
  const sign = useUpper ? -1 : 1;
  const tail = (x: number): number => (useUpper ? chiSquareTail(x, df) : chiSquareCdf(x, df));
  const gap = (x: number): number => sign * (Math.log(tail(x)) - target);
  const slope = (x: number): number => gammaPrefactor(df / 2, x / 2) / (x * tail(x));
  return bracketedNewton(gap, slope, { low: 0, high: upperReach(q, df) }, wilsonHilferty(q, df));
}

function wilsonHilferty(q: number, df: number): number {
  const spread = 2 / (9 * df);
  return df * (1 - spread - normalQuantile(q) * Math.sqrt(spread)) ** 3;
}

// Laurent and Massart (2000): P(X - df >= 2 sqrt(df t) + 2 t) <= exp(-t).
function upperReach(q: number, df: number): number {
  const t = Math.max(1, -Math.log(q));
  return df + 2 * Math.sqrt(df * t) + 2 * t;
}
