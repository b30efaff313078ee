/** Describing a sample of raw values, for people: the one place where simple-statistics serves. No inference is made from here. */
import { max, mean, min, quantile, sampleStandardDeviation } from "simple-statistics";
import { ok, type Result, refuse } from "./result.ts";

export interface Description {
  readonly n: number;
  readonly mean: number;
  /** With n - 1; absent for a single value. */
  readonly standardDeviation?: number;
  readonly min: number;
  readonly max: number;
  readonly quantiles: {
    readonly p25: number;
    readonly p50: number;
    readonly p75: number;
    readonly p95: number;
    readonly p99: number;
  };
}

/**
 * Mean, spread and quantiles of a sample, in the unit of the values.
 * @example describeSample([1, 2, 3, 4]) // n 4, mean 2.5
 */
export function describeSample(values: readonly number[]): Result<Description> {
  if (values.length === 0) return refuse("too-few-units");
  if (!values.every(Number.isFinite)) return refuse("invalid-input");
  const sample = [...values];
  const [p25 = 0, p50 = 0, p75 = 0, p95 = 0, p99 = 0] = quantile(sample, [0.25, 0.5, 0.75, 0.95, 0.99]);
  return ok({
    n: sample.length,
    mean: mean(sample),
    ...(sample.length > 1 ? { standardDeviation: sampleStandardDeviation(sample) } : {}),
    min: min(sample),
    max: max(sample),
    quantiles: { p25, p50, p75, p95, p99 },
  });
}
