import { betaTails } from "./beta.ts";
import type { Tails } from "./gamma.ts";
import { bisect } from "./root.ts";

/** P(F > f) for Fisher's F with `df1` and `df2` degrees of freedom. Source: Abramowitz and Stegun 26.6.2. `fisherTail(4, 2, 10)` */
export function fisherTail(f: number, df1: number, df2: number): number {
  return fisherTails(f, df1, df2).upper;
}

/** P(F <= f). */
export function fisherCdf(f: number, df1: number, df2: number): number {
  return fisherTails(f, df1, df2).lower;
}

/** The f with P(F > f) = q, by halving on a logarithmic scale. `fisherTailQuantile(0.05, 1, 10) // 4.9646...` */
export function fisherTailQuantile(q: number, df1: number, df2: number): number {
  if (q >= 1) return 0;
  const gap = (logF: number): number => {
    const tails = fisherTails(Math.exp(logF), df1, df2);
    return q <= 0.5 ? Math.log(q) - Math.log(tails.upper) : Math.log(tails.lower) - Math.log(1 - q);
  };
  return Math.exp(bisect(gap, { low: -700, high: 700 }, 1e-15));
}

function fisherTails(f: number, df1: number, df2: number): Tails {
  if (f <= 0) return { lower: 0, upper: 1 };
  const ratio = df1 * f;
  return betaTails(df1 / 2, df2 / 2, ratio / (ratio + df2), df2 / (ratio + df2));
}
