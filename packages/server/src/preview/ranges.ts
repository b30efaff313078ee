import { type Ppm, SPACE_PPM } from "@belay/protocol";

/** Half-open ranges of a space, ascending and disjoint, as draws have them. */
export type Ranges = readonly (readonly [from: Ppm, to: Ppm])[];

export const WHOLE_SPACE: Ranges = [[0, SPACE_PPM]];

/** Points that lie in both. */
export function intersect(a: Ranges, b: Ranges): Ranges {
  const both: [Ppm, Ppm][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [fromA, toA] = a[i] as Ranges[number];
    const [fromB, toB] = b[j] as Ranges[number];
    const from = Math.max(fromA, fromB);
    const to = Math.min(toA, toB);
    if (from < to) both.push([from, to]);
    if (toA < toB) i += 1;
    else j += 1;
  }
  return both;
}

/** Points of `a` that do not lie in `b`. */
export function subtract(a: Ranges, b: Ranges): Ranges {
  return intersect(a, complement(b));
}

/** All points of either, neighbours joined. */
export function union(a: Ranges, b: Ranges): Ranges {
  const joined: [Ppm, Ppm][] = [];
  for (const [from, to] of [...a, ...b].sort(([x], [y]) => x - y)) {
    const open = joined.at(-1);
    if (open !== undefined && open[1] >= from) open[1] = Math.max(open[1], to);
    else joined.push([from, to]);
  }
  return joined;
}

/** The first `ppm` points. */
export function take(ranges: Ranges, ppm: Ppm): Ranges {
  const taken: [Ppm, Ppm][] = [];
  let left = ppm;
  for (const [from, to] of ranges) {
    if (left <= 0) break;
    taken.push([from, Math.min(to, from + left)]);
    left -= to - from;
  }
  return taken;
}

/** Number of points. */
export function lengthOf(ranges: Ranges): Ppm {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}

function complement(ranges: Ranges): Ranges {
  const gaps: [Ppm, Ppm][] = [];
  let at = 0;
  for (const [from, to] of ranges) {
    if (from > at) gaps.push([at, from]);
    at = Math.max(at, to);
  }
  if (at < SPACE_PPM) gaps.push([at, SPACE_PPM]);
  return gaps;
}
