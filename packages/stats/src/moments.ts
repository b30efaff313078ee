/**
 * Sufficient statistics: what all methods for means read instead of raw values. They are kept as mean and squared deviations
 * around it, never as raw sums of squares, so that an offset of 1e12 costs no digits, and they merge in any order.
 */
import { ok, type Point, type Result, refuse } from "./result.ts";

/** One variable over n units. */
export interface Moments {
  readonly n: number;
  readonly mean: number;
  /** Sum of squared deviations from the mean. */
  readonly m2: number;
}

/** Several variables of the same n units, for example outcome and covariates. */
export interface JointMoments {
  readonly n: number;
  readonly means: readonly number[];
  /** Sums of products of deviations, a symmetric matrix by rows: `cross[i][j]`. */
  readonly cross: readonly (readonly number[])[];
}

/** Nobody yet. */
export const NO_MOMENTS: Moments = { n: 0, mean: 0, m2: 0 };

/**
 * Moments of raw values in one pass. Source: Welford, Technometrics 4 (1962).
 * @example momentsOf([1, 2, 3]) // n 3, mean 2, m2 2
 */
export function momentsOf(values: Iterable<number>): Moments {
  let n = 0;
  let mean = 0;
  let m2 = 0;
  for (const value of values) {
    n++;
    const gap = value - mean;
    mean += gap / n;
    m2 += gap * (value - mean);
  }
  return { n, mean, m2 };
}

/**
 * Moments of two groups together. Source: Chan, Golub and LeVeque (1983). `mergeMoments(a, b)` equals the moments of all values.
 * @example mergeMoments(momentsOf([1, 2]), momentsOf([3])) // n 3, mean 2, m2 2
 */
export function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  const n = a.n + b.n;
  const gap = b.mean - a.mean;
  return { n, mean: a.mean + (gap * b.n) / n, m2: a.m2 + b.m2 + (gap * gap * a.n * b.n) / n };
}

/**
 * The unbiased variance of one unit, m2 / (n - 1); `undefined` below two units, and where the moments hold no finite one.
 * @example unitVariance(momentsOf([1, 2, 4])) // 2.333
 */
export function unitVariance({ n, m2 }: Moments): number | undefined {
  const variance = n >= 2 ? Math.max(0, m2) / (n - 1) : undefined;
  return Number.isFinite(variance) ? variance : undefined;
}

/** Whether these can be the moments of anything: whole and finite numbers, no negative square. */
export function isMoments({ n, mean, m2 }: Moments): boolean {
  return Number.isFinite(n) && n >= 0 && Number.isFinite(mean) && Number.isFinite(m2) && m2 >= 0;
}

/**
 * The mean and the variance of that mean. Needs two units. Assumes independent units.
 * @example meanPoint(momentsOf([1, 2, 3])) // value 2, variance 0.3333
 */
export function meanPoint(moments: Moments): Result<Point> {
  if (!isMoments(moments)) return refuse("invalid-input");
  const variance = unitVariance(moments);
  if (variance === undefined) return refuse("too-few-units");
  return ok({ value: moments.mean, variance: variance / moments.n });
}

/**
 * Joint moments of rows, one row a unit, one column a variable. All rows must have the width of the first.
 * @example jointMomentsOf([[1, 2], [3, 6]]).cross // 2, 4, 8
 */
export function jointMomentsOf(rows: Iterable<readonly number[]>, width?: number): JointMoments {
  let n = 0;
  let means: number[] = new Array<number>(width ?? 0).fill(0);
  let cross: number[][] = means.map(() => means.map(() => 0));
  for (const row of rows) {
    if (n === 0 && width === undefined) {
      means = row.map(() => 0);
      cross = row.map(() => row.map(() => 0));
    }
    n++;
    const before = row.map((value, i) => value - (means[i] ?? 0));
    before.forEach((gap, i) => {
      means[i] = (means[i] ?? 0) + gap / n;
    });
    addProducts(cross, before, row, means);
  }
  return { n, means, cross };
}

/**
 * Joint moments of two groups together. Source: Chan, Golub and LeVeque (1983), for products.
 * @example mergeJoint(jointMomentsOf([[1, 2]]), jointMomentsOf([[3, 6]])).cross // 2, 4, 8
 */
export function mergeJoint(a: JointMoments, b: JointMoments): JointMoments {
  if (a.n === 0) return b;
  if (b.n === 0) return a;
  const n = a.n + b.n;
  const gaps = a.means.map((mean, i) => (b.means[i] ?? 0) - mean);
  const weight = (a.n * b.n) / n;
  return {
    n,
    means: a.means.map((mean, i) => mean + ((gaps[i] ?? 0) * b.n) / n),
    cross: a.cross.map((row, i) => row.map((value, j) => value + crossAt(b, i, j) + (gaps[i] ?? 0) * (gaps[j] ?? 0) * weight)),
  };
}

/** Sums of products within the two groups, each around its own means: what a common slope is estimated from. */
export function withinCross(a: JointMoments, b: JointMoments): number[][] {
  return a.cross.map((row, i) => row.map((value, j) => value + crossAt(b, i, j)));
}

/**
 * Moments of one of the variables.
 * @example marginal(jointMomentsOf([[1, 2], [3, 6]]), 1) // mean 4, m2 8
 */
export function marginal(joint: JointMoments, index: number): Moments {
  return { n: joint.n, mean: joint.means[index] ?? 0, m2: Math.max(0, crossAt(joint, index, index)) };
}

/**
 * Moments of a weighted sum of the variables. A ratio's linearised value, an outcome after CUPED and a contrast are all of this form.
 * @example combination(jointMomentsOf([[1, 2], [3, 6]]), [1, -0.5]) // mean 0, m2 0
 */
export function combination(joint: JointMoments, weights: readonly number[]): Moments {
  let mean = 0;
  let m2 = 0;
  weights.forEach((wi, i) => {
    mean += wi * (joint.means[i] ?? 0);
    weights.forEach((wj, j) => {
      m2 += wi * wj * crossAt(joint, i, j);
    });
  });
  return { n: joint.n, mean, m2: Math.max(0, m2) };
}

/** Sum of products of the deviations of two weighted sums of the variables. */
export function combinedCross(joint: JointMoments, left: readonly number[], right: readonly number[]): number {
  let sum = 0;
  left.forEach((wi, i) => {
    right.forEach((wj, j) => {
      sum += wi * wj * crossAt(joint, i, j);
    });
  });
  return sum;
}

/** `cross[i][j]`, 0 outside. */
export function crossAt(joint: JointMoments, i: number, j: number): number {
  return joint.cross[i]?.[j] ?? 0;
}

/** Whether a joint has the given number of variables, finite numbers and no negative square. */
export function isJoint(joint: JointMoments, width: number): boolean {
  if (joint.means.length !== width || joint.cross.length !== width) return false;
  return joint.means.every(
    (mean, i) =>
      isMoments({ n: joint.n, mean, m2: crossAt(joint, i, i) }) &&
      joint.cross[i]?.length === width &&
      joint.cross[i].every(Number.isFinite),
  );
}

function addProducts(cross: number[][], before: readonly number[], row: readonly number[], means: readonly number[]): void {
  before.forEach((gap, i) => {
    const target = cross[i];
    if (target === undefined) return;
    row.forEach((value, j) => {
      target[j] = (target[j] ?? 0) + gap * (value - (means[j] ?? 0));
    });
  });
}
