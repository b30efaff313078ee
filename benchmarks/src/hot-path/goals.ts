import { BY_HAND, OURS } from "./contenders.ts";
import { type Figure, type Middle, middleOf } from "./run.ts";

/** A promise of ours, and how it stands in this run. */
export interface Goal {
  readonly promise: string;
  /** As words: `12.3x`, `41 ns`. */
  readonly found: string;
  readonly isMet: boolean;
  /** The same of the work written out by hand, where that took part: what no SDK gets below. */
  readonly byHand?: { readonly found: string; readonly isMet: boolean };
}

/** A promise as a bound for one number of whoever is measured. */
interface Promised {
  readonly promise: string;
  readonly of: (figures: readonly Figure[], contender: string) => number | undefined;
  readonly bound: "most" | "least";
  readonly at: number;
  readonly unit: string;
}

/** What measuring itself leaves on the heap, spread over the calls; the smallest object is 12 bytes or more. */
export const NO_BYTES = 0.5;

const PROMISED: readonly Promised[] = [
  atMost("S1 <= 1.6x the bare hash", timesBare("S1"), 1.6, "x"),
  atLeast("S1 >= 15x faster than the fastest rival", lead("S1"), 15),
  atLeast("S2 >= 15x faster than the fastest rival", lead("S2"), 15),
  atLeast("S3 with exposures >= 25x faster than the fastest rival that tracks", lead("S3"), 25),
  atMost("S3 with exposures <= 1.5x S3 without, unit seen", priceOfTracking, 1.5, "x"),
  atMost("S4 <= 10 ns", median("S4"), 10, " ns"),
  atMost("S5 <= 50 us for 1,000 flags", median("S5"), 50, " us"),
  ...["S1", "S2", "S3", "S4"].map((id) => atMost(`${id} allocates nothing`, median(`${id}-bytes`), NO_BYTES, " bytes a call")),
  atMost("S6: 20,000 flags x 5 rules start in < 500 ms", median("S6-20k"), 500, " ms"),
  atMost("S7: <= 250 kB of heap per 1,000 flags", heapPerThousand, 250, " kB"),
  atMost("S8: pause < 5 ms while 1 flag of 20,000 changes", median("S8"), 5, " ms"),
  atMost("S3 p99.9 <= 2x the bare hash's", timesBare("S3-tail"), 2, "x"),
];

/** The goals that the figures at hand can judge. */
export function judgeGoals(figures: readonly Figure[]): Goal[] {
  return PROMISED.flatMap((promised) => {
    const ours = judged(promised, figures, OURS);
    const byHand = judged(promised, figures, BY_HAND);
    if (ours === undefined) return [];
    return [{ promise: promised.promise, ...ours, ...(byHand === undefined ? {} : { byHand }) }];
  });
}

/** Heap for each further thousand of flags: what a client keeps besides its flags cancels out. */
export function heapPerThousand(figures: readonly Figure[], contender: string): number | undefined {
  const [few, many] = ["S7-1k", "S7-5k"].map((id) => middleOfContender(figures, id, contender)?.value);
  return few === undefined || many === undefined ? undefined : (many - few) / 4;
}

function judged(
  { of, bound, at, unit }: Promised,
  figures: readonly Figure[],
  contender: string,
): { readonly found: string; readonly isMet: boolean } | undefined {
  const found = of(figures, contender);
  if (found === undefined) return undefined;
  return { found: `${rounded(found)}${unit}`, isMet: bound === "most" ? found <= at : found >= at };
}

function atMost(promise: string, of: Promised["of"], at: number, unit: string): Promised {
  return { promise, of, bound: "most", at, unit };
}

function atLeast(promise: string, of: Promised["of"], at: number): Promised {
  return { promise, of, bound: "least", at, unit: "x" };
}

function median(scenario: string): Promised["of"] {
  return (figures, contender) => middleOfContender(figures, scenario, contender)?.value;
}

function timesBare(scenario: string): Promised["of"] {
  return (figures, contender) => middleOfContender(figures, scenario, contender)?.timesBare;
}

/** How many times faster than the fastest rival, both as multiples of their own yardstick. */
function lead(scenario: string): Promised["of"] {
  return (figures, contender) => {
    const rivals = figures
      .filter((figure) => figure.scenario === scenario && figure.contender !== OURS && figure.contender !== BY_HAND)
      .map((figure) => middleOf(figure)?.timesBare)
      .filter((multiple) => multiple !== undefined);
    return rivals.length === 0 ? undefined : quotient(Math.min(...rivals), timesBare(scenario)(figures, contender));
  };
}

function priceOfTracking(figures: readonly Figure[], contender: string): number | undefined {
  return quotient(timesBare("S3")(figures, contender), timesBare("S3-untracked")(figures, contender));
}

function middleOfContender(figures: readonly Figure[], scenario: string, contender: string): Middle | undefined {
  const figure = figures.find((one) => one.scenario === scenario && one.contender === contender);
  return figure === undefined ? undefined : middleOf(figure);
}

function quotient(dividend: number | undefined, divisor: number | undefined): number | undefined {
  return dividend === undefined || divisor === undefined ? undefined : dividend / divisor;
}

/** Three figures are as many as a benchmark knows. */
export function rounded(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return size >= 10 ? value.toFixed(1) : size >= 0.01 ? value.toFixed(2) : "< 0.01";
}
