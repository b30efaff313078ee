import { erfc, logErfc, ratio, scaledErfc } from "./erfc.ts";

const SQRT_2PI = 2.5066282746310007;
const LOG_SQRT_2PI = 0.9189385332046728;
const LN2 = Math.LN2;
const CENTRE_REACH = 0.425;

// M. J. Wichura, "Algorithm AS 241: the percentage points of the normal distribution", Applied Statistics 37 (1988), PPND16.
const CENTRE_P = [
  2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946, 1971.5909503065513,
  133.14166789178438, 3.3871328727963665,
];
const CENTRE_Q = [
  5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751, 687.1870074920579,
  42.31333070160091, 1,
];
const TAIL_P = [
  0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045, 5.769497221460691,
  4.630337846156546, 1.4234371107496835,
];
const TAIL_Q = [
  1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851, 1.6763848301838038,
  2.053191626637759, 1,
];
const FAR_P = [
  2.0103343992922881e-7, 0.000027115555687434876, 0.0012426609473880784, 0.026532189526576124, 0.29656057182850487,
  1.7848265399172913, 5.463784911164114, 6.657904643501103,
];
const FAR_Q = [
  2.0442631033899397e-15, 1.421511758316446e-7, 0.000018463183175100548, 0.0007868691311456133, 0.014875361290850615,
  0.1369298809227358, 0.599832206555888, 1,
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
  // Near 1 a tail's logarithm is that of one minus the other tail.
  if (z < 0) return Math.log1p(-normalTail(-z));
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
