import { readFileSync } from "node:fs";
import { expect } from "vitest";
import type { Ok, Result } from "./result.ts";

/** The numbers that `packages/stats/reference/<name>.json` holds: made once by the script beside it, with a tool that is not ours. */
export function reference<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../reference/${name}.json`, import.meta.url), "utf8")) as T;
}

/** Asserts agreement to a relative tolerance (absolute below `floor`). */
export function expectClose(actual: number, expected: number, relative: number, label = "", floor = 0): void {
  const error = Math.abs(actual - expected);
  const bound = Math.max(relative * Math.abs(expected), floor);
  if (!(error <= bound))
    expect.fail(`${label}: got ${actual}, expected ${expected}, relative error ${error / Math.abs(expected)}`);
}

type Arms2 = { readonly control: readonly (readonly number[])[]; readonly treatment: readonly (readonly number[])[] };

/** What `methods.json` holds. */
export interface MethodReference {
  readonly proportions: readonly (Readonly<Record<"nC" | "xC" | "nT" | "xT" | "z" | "p", number>> &
    Readonly<Record<"newcombe" | "agresti-caffo" | "wald" | "relative" | "wilson" | "exact", readonly [number, number]>>)[];
  readonly means: readonly {
    readonly control: readonly number[];
    readonly treatment: readonly number[];
    readonly t: number;
    readonly p: number;
    readonly interval: readonly [number, number];
    readonly fieller: readonly [number, number];
  }[];
  readonly ratios: readonly {
    readonly rows: readonly (readonly number[])[];
    readonly value: number;
    readonly variance: number;
  }[];
  readonly quantiles: readonly {
    readonly values: readonly number[] | null;
    readonly n: number;
    readonly q: number;
    readonly ranks: readonly [number, number];
  }[];
  readonly covariates: Arms2 & Readonly<Record<"theta" | "cuped" | "cupedP" | "lin" | "linHc2" | "slopeSpread", number>>;
  readonly strata: {
    readonly strata: readonly { readonly control: readonly number[]; readonly treatment: readonly number[] }[];
    readonly overlap: number;
    readonly population: number;
  };
  readonly posteriors: {
    readonly normal: readonly Readonly<
      Record<"value" | "variance" | "mean" | "sd" | "posteriorMean" | "posteriorSd" | "chance" | "loss", number>
    >[];
    readonly beta: readonly Readonly<
      Record<"nC" | "xC" | "nT" | "xT" | "a" | "b" | "chance" | "lossIfShipped" | "lossIfKept", number>
    >[];
  };
  readonly group_sequential: readonly {
    readonly spending: "obrien-fleming" | "pocock" | { readonly power: number };
    readonly alpha: number;
    readonly sides: 1 | 2;
    readonly fractions: readonly number[];
    readonly bounds: readonly number[];
    readonly chanceAtDrift: number;
  }[];
  readonly mixtures: readonly Readonly<Record<"value" | "variance" | "scale" | "logE" | "logEIncrease", number>>[];
  readonly event_split: readonly {
    readonly cells: readonly {
      readonly hour: number;
      readonly share: number;
      readonly treated: number;
      readonly total: number;
    }[];
    readonly tolerance: number;
    readonly logE: number;
  }[];
  readonly srm: readonly {
    readonly counts: readonly number[];
    readonly weights: readonly number[];
    readonly statistic: number;
    readonly p: number;
    readonly logE: number;
  }[];
  readonly multiplicity: readonly {
    readonly p: readonly number[];
    readonly holm: readonly number[];
    readonly "benjamini-hochberg": readonly number[];
  }[];
  readonly interaction: {
    readonly cells: Readonly<Record<"cc" | "ct" | "tc" | "tt", readonly number[]>>;
    readonly value: number;
    readonly standardError: number;
    readonly p: number;
    readonly table: readonly (readonly number[])[];
    readonly tableP: number;
    readonly tableStatistic: number;
  };
  readonly power: {
    readonly sizes: readonly Readonly<Record<"effect" | "treatmentShare" | "alpha" | "power" | "units", number>>[];
    readonly noncentral: readonly Readonly<Record<"t" | "df" | "shift" | "tail", number>>[];
  };
  readonly shrinkage: {
    readonly effects: readonly number[];
    readonly variances: readonly number[];
    readonly tau2: number;
    readonly mean: number;
  };
  readonly cuped_relatives: Arms2 &
    Readonly<Record<"mean" | "ratio", Readonly<Record<"theta" | "effect" | "share" | "standardError", number>>>>;
  readonly predictions: {
    readonly crps: readonly Readonly<Record<"mean" | "sd" | "actual" | "crps", number>>[];
    readonly predicted: readonly number[];
    readonly actual: readonly number[];
    readonly slope: number;
    readonly slopeSe: number;
    readonly slopeP: number;
  };
}

/** scipy, statsmodels, mpmath and numpy: see `reference/methods.py`. */
export const METHODS: MethodReference = reference<MethodReference>("methods");

/** Base R: see `reference/methods.R`. */
export const R_METHODS: Readonly<Record<string, readonly number[]>> =
  reference<Readonly<Record<string, readonly number[]>>>("methods-r");

/** The value of a result that must be there. */
export function value<T>(result: Result<T>): Ok<T> {
  if (result.status !== "ok") expect.fail(`expected a value, got ${result.status}: ${result.reason}`);
  return result;
}
