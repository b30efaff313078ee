import { erfc, logErfc, ratio, scaledErfc } from "./erfc.ts";

const SQRT_2PI = 2.50662827463100050242;
const LOG_SQRT_2PI = 0.918938533204672741780;
const LN2 = Math.LN2;
const CENTRE_REACH = 0.425;

// M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988), PPND16.
const CENTRE_P = [
  2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457, 13731.693765509461125,
  1971.5909503065514427, 133.14166789178437745, 3.387132872796366608,
];
const CENTRE_Q = [
  5226.495278852854561, 28729.085735721942674, 39307.89580009271061, 21213.794301586595867, 5394.1960214247511077, 687.1870074920579083,
  42.313330701600911252, 1,
];
const TAIL_P = [
  7.7454501427834140764e-4, 2.27238449892691845833e-2, 0.24178072517745061177, 1.27045825245236838258, 3.64784832476320460504,
  5.7694972214606914055, 4.6303378461565452959, 1.42343711074968357734,
];
const TAIL_Q = [
  1.05075007164441684324e-9, 5.475938084995344946e-4, 1.51986665636164571966e-2, 0.14810397642748007459, 0.68976733498510000455,
  1.6763848301838038494, 2.05319162663775882187, 1,
];
const FAR_P = [
  2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.2426609473880784386e-3, 2.6532189526576123093e-2, 0.29656057182850489123,
  1.7848265399172913358, 5.4637849111641143699, 6.6579046435011037772,
];
const FAR_Q = [
  2.04426310338993978564e-15, 1.4215117583164458887e-7, 1.8463183175100546818e-5, 7.868691311456132591e-4, 1.48753612908506148525e-2,
  0.13692988092273580531, 0.59983220655588793769, 1,
];

/** Density of the standard normal distribution. `normalDensity(0) // 0.3989422804014327` */
export function normalDensity(z: number): number {
  return Math.exp(-0.5 * z * z) / SQRT_2PI;
}

/** P(Z <= z). For small upper tails use `normalTail`. `normalCdf(1.96) // 0.9750021048517795` */
export function normalCdf(z: number): number {
  return 0.5 * erfc(-z * Math.SQRT1_2);
}

/** P(Z > z), to a relative 1e-14 down to 1e-308. `normalTail(8.9) // 2.79...e-19` */
export function normalTail(z: number): number {
  return 0.5 * erfc(z * Math.SQRT1_2);
}

/** ln P(Z > z), also where the tail itself underflows. `logNormalTail(50) // -1254.83...` */
export function logNormalTail(z: number): number {
  return logErfc(z * Math.SQRT1_2) - LN2;
}

/** P(|Z| > |z|): the two-sided p-value of a z statistic. */
export function normalTwoSided(z: number): number {
  return erfc(Math.abs(z) * Math.SQRT1_2);
}

/**
 * The z with P(Z <= z) = p. Source: Wichura (1988), then one Halley step in log space. p = 0 and p = 1 have no finite quantile:
 * they are answered by the quantile of the smallest positive double (about -38.5).
 * `normalQuantile(0.975) // 1.959963984540054`
 */
export function normalQuantile(p: number): number {
  return p > 0.5 ? normalTailQuantile(1 - p) : -normalTailQuantile(p);
}

/** The z with P(Z > z) = q: exact for tiny q, where 1 - q would be 1. `normalTailQuantile(1e-20) // 9.262340089798408` */
export function normalTailQuantile(q: number): number {
  if (!(q > 0)) return normalTailQuantile(Number.MIN_VALUE);
  if (q > 0.5) return q < 1 ? -normalTailQuantile(1 - q) : -normalTailQuantile(Number.MIN_VALUE);
  // Near the centre the polynomial is exact to the last digit, and the logarithm of a tail near 1/2 is not.
  return 0.5 - q <= CENTRE_REACH ? wichura(q) : refine(wichura(q), q);
}

/** z(1 - alpha/2): how many standard errors a two-sided interval reaches. `twoSidedZ(0.05) // 1.959963984540054` */
export function twoSidedZ(alpha: number): number {
  return normalTailQuantile(alpha / 2);
}

function wichura(q: number): number {
  const fromCentre = 0.5 - q;
  if (fromCentre <= CENTRE_REACH) return fromCentre * ratio(CENTRE_P, CENTRE_Q, 0.180625 - fromCentre * fromCentre);
  const r = Math.sqrt(-Math.log(q));
  return r <= 5 ? ratio(TAIL_P, TAIL_Q, r - 1.6) : ratio(FAR_P, FAR_Q, r - 5);
}

// Newton on ln(tail): its slope is -hazard, which never vanishes, so the step is as good at 1e-300 as at 0.3.
function refine(z: number, q: number): number {
  const gap = logNormalTail(z) - Math.log(q);
  return z + gap / hazard(z);
}

function hazard(z: number): number {
  const scaled = scaledErfc(Math.abs(z) * Math.SQRT1_2) / 2;
  if (z >= 0) return 1 / (SQRT_2PI * scaled);
  return Math.exp(-0.5 * z * z - LOG_SQRT_2PI) / normalTail(z);
}
