import { OURS } from "./contenders.ts";
import { type Figure, type Middle, middleOf } from "./run.ts";

/** A promise of ours, and how it stands in this run. */
export interface Goal {
  readonly promise: string;
  /** As words: `12.3x`, `41 ns`. */
  readonly found: string;
  readonly isMet: boolean;
}

/** The goals that the figures at hand can judge. */
export function judgeGoals(figures: readonly Figure[]): Goal[] {
  const of = (scenario: string): Middle | undefined => ours(figures, scenario);
  return [
    atMost("S1 <= 1.6x the bare hash", of("S1")?.timesBare, 1.6, "x"),
    atLeast("S1 >= 15x faster than the fastest rival", lead(figures, "S1"), 15),
    atLeast("S2 >= 15x faster than the fastest rival", lead(figures, "S2"), 15),
    atLeast("S3 with exposures >= 25x faster than the fastest rival that tracks", lead(figures, "S3"), 25),
    atMost(
      "S3 with exposures <= 1.5x S3 without, unit seen",
      quotient(of("S3")?.timesBare, of("S3-untracked")?.timesBare),
      1.5,
      "x",
    ),
    atMost("S4 <= 10 ns", of("S4")?.value, 10, " ns"),
    atMost("S5 <= 50 us for 1,000 flags", of("S5")?.value, 50, " us"),
    ...["S1", "S2", "S3", "S4"].map((id) =>
      atMost(`${id} allocates nothing`, of(`${id}-bytes`)?.value, NO_BYTES, " bytes a call"),
    ),
    atMost("S6: 20,000 flags x 5 rules start in < 500 ms", of("S6-20k")?.value, 500, " ms"),
    atMost("S7: <= 250 kB of heap per 1,000 flags", heapPerThousand(figures, OURS), 250, " kB"),
    atMost("S8: pause < 5 ms while 1 flag of 20,000 changes", of("S8")?.value, 5, " ms"),
    atMost("S3 p99.9 <= 2x the bare hash's", of("S3-tail")?.timesBare, 2, "x"),
  ].filter((goal) => goal !== undefined);
}

/** What measuring itself leaves on the heap, spread over the calls; the smallest object is 12 bytes or more. */
export const NO_BYTES = 0.5;

/** Heap for each further thousand of flags: what a client keeps besides its flags cancels out. */
export function heapPerThousand(figures: readonly Figure[], contender: string): number | undefined {
  const [few, many] = ["S7-1k", "S7-5k"].map((id) => middleOfContender(figures, id, contender)?.value);
  return few === undefined || many === undefined ? undefined : (many - few) / 4;
}

/** How many times faster than the fastest rival we are, both as multiples of their own yardstick. */
function lead(figures: readonly Figure[], scenario: string): number | undefined {
  const rivals = figures
    .filter((figure) => figure.scenario === scenario && figure.contender !== OURS)
    .map((figure) => middleOf(figure)?.timesBare)
    .filter((multiple) => multiple !== undefined);
  return rivals.length === 0 ? undefined : quotient(Math.min(...rivals), ours(figures, scenario)?.timesBare);
}

function ours(figures: readonly Figure[], scenario: string): Middle | undefined {
  return middleOfContender(figures, scenario, OURS);
}

function middleOfContender(figures: readonly Figure[], scenario: string, contender: string): Middle | undefined {
  const figure = figures.find((one) => one.scenario === scenario && one.contender === contender);
  return figure === undefined ? undefined : middleOf(figure);
}

function quotient(dividend: number | undefined, divisor: number | undefined): number | undefined {
  return dividend === undefined || divisor === undefined ? undefined : dividend / divisor;
}

function atMost(promise: string, found: number | undefined, most: number, unit: string): Goal | undefined {
  return found === undefined ? undefined : { promise, found: `${rounded(found)}${unit}`, isMet: found <= most };
}

function atLeast(promise: string, found: number | undefined, least: number): Goal | undefined {
  return found === undefined ? undefined : { promise, found: `${rounded(found)}x`, isMet: found >= least };
}

/** Three figures are as many as a benchmark knows. */
export function rounded(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return size >= 10 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(2) : "< 0.01";
}
