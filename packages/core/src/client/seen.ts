/*
 * Which units have been seen under which arm: open addressing over 64-bit fingerprints in two generations.
 *
 *     young  [ a b | . . | c d | . . ]   new fingerprints go here; it grows, and at its largest becomes the old one
 *     old    [ . . | e f | . . | g h ]   looked up too; what is met there moves to the young one; then forgotten
 *
 * A fingerprint is two 32-bit halves side by side, so a look-up touches one cache line and keeps no string alive. Two
 * units taken for one would lose an exposure: at 500,000 live entries and 63 bits that is one chance in 10^13 for each
 * new unit. A unit that was forgotten is exposed once more, which the server counts once: the cheap mistake.
 */

import { fingerprint, firstHalf, lanes, type Met, type Seeds, secondHalf, slotOf } from "../fingerprint.ts";

/** Slots of one generation at most: 2^19 pairs of 4 bytes are 4 MiB, two generations 8 MiB, 262,144 units each. */
export const SEEN_SLOTS_MAX = 524_288;

const SLOTS_MIN = 1_024;
/**
 * How full a table becomes before it doubles, and the largest before it is the old one. A fuller table is a smaller one,
 * which stays in the processor's cache: that is worth more than the slots that are looked at in vain. The largest table
 * fits into no cache, so there the first look should be the only one.
 */
const GROWS_AT = 3 / 4;
const ROTATES_AT = 1 / 2;

export class Seen implements Met {
  readonly #slotsMax: number;
  /** The young generation: `Met` says who reads it besides. */
  table: Int32Array<ArrayBuffer> = new Int32Array(2 * SLOTS_MIN);
  #old = new Int32Array(2 * SLOTS_MIN);
  #youngCount = 0;

  /** @param slotsMax slots of a generation, a power of two of at least 1,024; each holds half as many units */
  constructor(slotsMax: number = SEEN_SLOTS_MAX) {
    this.#slotsMax = slotsMax;
  }

  /** Memory of the table now. It grows with the units met and ends at `16 * slotsMax`. */
  get bytes(): number {
    return this.table.byteLength + this.#old.byteLength;
  }

  /** Has this unit been added under these seeds? Allocates nothing. */
  has(unit: string, seeds: Seeds): boolean {
    fingerprint(unit);
    return this.holds(firstHalf(lanes[0] as number, seeds.subjectSeed), secondHalf(lanes[1] as number, seeds.armSeed));
  }

  /** As `has`, for who has made the fingerprint in its own pass over the characters. */
  holds(a: number, b: number): boolean {
    if (stands(this.table, a, b)) return true;
    if (!stands(this.#old, a, b)) return false;
    this.#insert(a, b);
    return true;
  }

  add(unit: string, seeds: Seeds): void {
    fingerprint(unit);
    this.#insert(firstHalf(lanes[0] as number, seeds.subjectSeed), secondHalf(lanes[1] as number, seeds.armSeed));
  }

  /** Forgets everybody: the next evaluation of each unit is a first one again. */
  clear(): void {
    this.table.fill(0);
    this.#old.fill(0);
    this.#youngCount = 0;
  }

  #insert(a: number, b: number): void {
    if (this.#youngCount >= (this.#canGrow ? GROWS_AT : ROTATES_AT) * (this.table.length / 2)) this.#makeRoom();
    if (place(this.table, a, b)) this.#youngCount += 1;
  }

  get #canGrow(): boolean {
    return this.table.length < 2 * this.#slotsMax;
  }

  #makeRoom(): void {
    if (this.#canGrow) {
      this.table = grown(this.table);
      return;
    }
    const next = this.#old.length === this.table.length ? this.#old.fill(0) : new Int32Array(this.table.length);
    this.#old = this.table;
    this.table = next;
    this.#youngCount = 0;
  }
}

/** Linear probing ends because a generation is never full. A second half of 0 is an empty slot. */
function stands(table: Int32Array, a: number, b: number): boolean {
  const mask = table.length - 2;
  for (let at = slotOf(a, table); ; at = (at + 2) & mask) {
    const second = table[at + 1];
    if (second === b && table[at] === a) return true;
    if (second === 0) return false;
  }
}

/** @returns whether it was new */
function place(table: Int32Array, a: number, b: number): boolean {
  const mask = table.length - 2;
  let at = slotOf(a, table);
  while (table[at + 1] !== 0) {
    if (table[at] === a && table[at + 1] === b) return false;
    at = (at + 2) & mask;
  }
  table[at] = a;
  table[at + 1] = b;
  return true;
}

function grown(table: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * table.length);
  for (let at = 0; at < table.length; at += 2) {
    const b = table[at + 1] as number;
    if (b !== 0) place(larger, table[at] as number, b);
  }
  return larger;
}
