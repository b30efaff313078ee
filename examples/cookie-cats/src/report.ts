import { difference, rate, type Share } from "./comparison.ts";
import type { Proof } from "./proofs.ts";

/** One line a proof: what was claimed, whether it held, the numbers. */
export function proofLines(proofs: readonly Proof[]): string[] {
  const width = Math.max(...proofs.map(({ claim }) => claim.length));
  return proofs.map(({ claim, holds, found }) => `  ${holds ? "holds " : "FAILED"}  ${claim.padEnd(width)}  ${found}`);
}

/** Two arms and their difference, for example `gate_30 44.82 %, gate_40 44.23 %: -0.59 points (95 %: -1.24 to +0.06)`. */
export function comparisonLine(metric: string, shares: readonly Share[]): string {
  const [first, second] = shares;
  if (first === undefined || second === undefined) return `  ${metric}: fewer than two arms`;
  const { points, from, to } = difference(first, second);
  const arms = [first, second].map((share) => `${share.arm} ${(100 * rate(share)).toFixed(2)} %`).join(", ");
  return `  ${metric}  ${arms}: ${signed(points)} points (95 %: ${signed(from)} to ${signed(to)})`;
}

/** Median and 99th percentile, by nearest rank. */
export function quantiles(values: readonly number[]): { readonly p50: number; readonly p99: number } {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
  return { p50: at(0.5), p99: at(0.99) };
}

function signed(points: number): string {
  return `${points < 0 ? "" : "+"}${points.toFixed(2)}`;
}
