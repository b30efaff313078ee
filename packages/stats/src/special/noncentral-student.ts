import { gammaPrefactor } from "./gamma.ts";
import { normalTail } from "./normal.ts";
import { integrate } from "./quadrature.ts";

const REACH = 9;

/**
 * P(T > t) for the noncentral t with `df` > 1 degrees of freedom and noncentrality `shift`: the normal tail averaged over the
 * distribution of the estimated standard deviation. Source: Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions 2,
 * 31.3. Absolute error below 1e-10. `noncentralStudentTail({ t: 2, df: 10, shift: 1 })`
 */
export function noncentralStudentTail({ t, df, shift }: { t: number; df: number; shift: number }): number {
  const spread = 1 / Math.sqrt(2 * df);
  const low = Math.max(1e-9, 1 - REACH * spread);
  return integrate((s) => normalTail(t * s - shift) * scaleDensity(s, df), low, 1 + REACH * 1.3 * spread, 12);
}

/** Density of sqrt(chi-square / df). */
function scaleDensity(s: number, df: number): number {
  return (2 * gammaPrefactor(df / 2, (df * s * s) / 2)) / s;
}
