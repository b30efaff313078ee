/** Small symmetric systems: at most as many unknowns as an experiment has covariates. */

export interface PivotedSystem {
  /** Indexes that carry information of their own, in their original order. */
  readonly kept: readonly number[];
  /** Indexes that are (nearly) constant or a sum of the others. */
  readonly dropped: readonly number[];
}

const PIVOT_MIN = 1e-10;

/** Which rows of a positive semi-definite matrix are independent, by Cholesky's elimination in the given order of preference. */
export function independentRows(matrix: readonly (readonly number[])[]): PivotedSystem {
  const work = matrix.map((row) => [...row]);
  const kept: number[] = [];
  const dropped: number[] = [];
  work.forEach((row, k) => {
    const pivot = row[k] ?? 0;
    const original = matrix[k]?.[k] ?? 0;
    if (!(pivot > PIVOT_MIN * original)) {
      dropped.push(k);
      return;
    }
    kept.push(k);
    for (let i = k + 1; i < work.length; i++) eliminate(work[i], row, k);
  });
  return { kept, dropped };
}

/** The solution of matrix x = right by Gaussian elimination; the matrix must be positive definite (see `independentRows`). */
export function solve(matrix: readonly (readonly number[])[], right: readonly number[]): number[] {
  const work = matrix.map((row, i) => [...row, right[i] ?? 0]);
  work.forEach((row, k) => {
    for (let i = k + 1; i < work.length; i++) eliminate(work[i], row, k);
  });
  const solution = new Array<number>(work.length).fill(0);
  for (let i = work.length - 1; i >= 0; i--) {
    const row = work[i] ?? [];
    let rest = row[work.length] ?? 0;
    for (let j = i + 1; j < work.length; j++) rest -= (row[j] ?? 0) * (solution[j] ?? 0);
    solution[i] = rest / (row[i] ?? 1);
  }
  return solution;
}

/** The rows and columns named by `indexes`. */
export function submatrix(matrix: readonly (readonly number[])[], indexes: readonly number[]): number[][] {
  return indexes.map((i) => indexes.map((j) => matrix[i]?.[j] ?? 0));
}

function eliminate(target: number[] | undefined, row: readonly number[], k: number): void {
  if (target === undefined) return;
  const factor = (target[k] ?? 0) / (row[k] ?? 1);
  for (let j = k; j < row.length; j++) target[j] = (target[j] ?? 0) - factor * (row[j] ?? 0);
}
