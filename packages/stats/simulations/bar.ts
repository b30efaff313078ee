import type { Random } from "./random.ts";

/** One promise of the engine, checked by simulation. */
export interface Bar {
  readonly group: string;
  readonly name: string;
  readonly limit: { readonly min?: number; readonly max?: number };
  readonly format: "percent" | "minutes" | "units" | "number";
  /** Runs in the ordinary tests, and in the full set. */
  readonly runs: { readonly quick: number; readonly full: number };
  readonly simulate: (runs: number, random: Random) => Measured;
}

/** What came out, with its own error from a finite number of runs. */
export interface Measured {
  readonly value: number;
  readonly standardError: number;
}

/** A bar holds when its limit is not broken by more than three standard errors of the simulation. */
export function holds({ limit }: Bar, { value, standardError }: Measured): boolean {
  const slack = 3 * standardError;
  return value - slack <= (limit.max ?? value) && value + slack >= (limit.min ?? value);
}

/** Share of runs in which something happens. */
export function shareOf(runs: number, happens: () => boolean): Measured {
  let count = 0;
  for (let run = 0; run < runs; run++) if (happens()) count++;
  return measuredShare(count, runs);
}

export function measuredShare(count: number, runs: number): Measured {
  const share = count / runs;
  const cautious = (count + 1) / (runs + 2);
  return { value: share, standardError: Math.sqrt((cautious * (1 - cautious)) / runs) };
}

/** Mean over runs. */
export function meanOver(runs: number, draw: () => number): Measured {
  const draws = Float64Array.from({ length: runs }, draw);
  const mean = draws.reduce((sum, x) => sum + x, 0) / runs;
  const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / (runs - 1);
  return { value: mean, standardError: Math.sqrt(variance / runs) };
}

/** Median over runs, its error from the order statistics one standard deviation of rank away. */
export function medianOver(runs: number, draw: () => number): Measured {
  const draws = Float64Array.from({ length: runs }, draw).sort();
  const at = (rank: number): number => draws[Math.min(runs - 1, Math.max(0, Math.round(rank)))] ?? Number.NaN;
  const half = Math.sqrt(runs) / 2;
  return { value: at((runs - 1) / 2), standardError: (at(runs / 2 + half) - at(runs / 2 - half)) / 2 };
}
