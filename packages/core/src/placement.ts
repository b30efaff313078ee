/**
 * Where a unit falls in a space, and where the boundaries of a share lie.
 *
 * `point = floor(hash * 1_000_000 / 2^32)` is what people see. Deciding never computes it: `point >= from` is the same
 * as `hash >= ceil(from * 2^32 / 1_000_000)`, so a boundary becomes a 32-bit integer at compile time.
 *
 * Integers are kept *biased* (`hash ^ 0x80000000`): the order of unsigned hashes as the order of signed ones. Signed
 * 32-bit integers are small integers to V8; unsigned ones above 2^31 would be boxed, 16 bytes each.
 */
import type { Ppm } from "@belay/protocol";

/** Points of a space; the value of protocol's `SPACE_PPM`, repeated because core takes types only from there. */
export const POINTS = 1_000_000;

const TWO_32 = 4_294_967_296;
/** What turns an unsigned hash into a position, and back. */
const BIAS = 0x80000000 | 0;

/** A place on the line of 2^32 hashes as a signed integer that sorts like the unsigned hash. */
export type Position = number;

/** The position of a hash (signed or unsigned). */
export function positionOf(hash: number): Position {
  return hash ^ BIAS;
}

/** The point, 0 to 999,999, of a position. Exact: hash * 10^6 stays below 2^53 and 2^32 divides without rounding. */
export function pointAt(position: Position): number {
  return Math.floor((((position ^ BIAS) >>> 0) * POINTS) / TWO_32);
}

/** First position at or after the boundary `at / of`, for 0 <= at < of. */
export function firstPosition(at: number, of: number = POINTS): Position {
  return (firstHash(at, of) | 0) ^ BIAS;
}

/** Last position before the boundary `at / of`, for 0 < at <= of. */
export function lastPosition(at: number, of: number = POINTS): Position {
  return ((firstHash(at, of) - 1) | 0) ^ BIAS;
}

/** `ceil(at * 2^32 / of)`, 0 to 2^32; the quotient is corrected because the division rounds. */
function firstHash(at: number, of: number): number {
  const scaled = at * TWO_32;
  let hash = Math.floor(scaled / of);
  while (hash * of < scaled) hash++;
  return hash;
}

/**
 * The ppm of a percentage with at most 4 decimals, 0 to 100; `undefined` for anything else.
 *
 * @example ppmFromPercent(12.5) // 125000
 */
export function ppmFromPercent(percent: number): Ppm | undefined {
  if (!(percent >= 0 && percent <= 100)) return undefined;
  const ppm = Math.round(percent * 10_000);
  return ppm / 10_000 === percent ? ppm : undefined;
}

/** The percentage of a ppm: the shortest decimal that gives it back. */
export function percentFromPpm(ppm: Ppm): number {
  return ppm / 10_000;
}
