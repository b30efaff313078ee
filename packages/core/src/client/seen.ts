/*
 * Which units have been seen under which arm: open addressing over 64-bit fingerprints in two generations.
 *
 *     young  [ a b | . . | c d | . . ]   new fingerprints go here; at half load it becomes the old one
 *     old    [ . . | e f | . . | g h ]   looked up too; what is met there moves to the young one; then forgotten
 *
 * A fingerprint is two 32-bit lanes side by side, so a look-up touches one cache line and keeps no string alive. Two
 * units taken for one would lose an exposure: at 500,000 live entries and 64 bits that is one chance in 10^13 for each
 * new unit. A unit that was forgotten is exposed once more, which the server counts once: the cheap mistake.
 */

import { fingerprint, lanes, type Met } from "../fingerprint.ts";

/** Slots of one generation at most: 2^19 pairs of 4 bytes are 4 MiB, two generations 8 MiB, 262,144 units each. */
export const SEEN_SLOTS_MAX = 524_288;

const SLOTS_MIN = 1_024;

export class Seen implements Met {
  readonly #slotsMax: number;
  #young = new Int32Array(2 * SLOTS_MIN);
  #old = new Int32Array(2 * SLOTS_MIN);
  #youngCount = 0;

  /** @param slotsMax slots of a generation, a power of two of at least 1,024; each holds half as many units */
  constructor(slotsMax: number = SEEN_SLOTS_MAX) {
    this.#slotsMax = slotsMax;
  }

  /** Memory of the table now. It grows with the units met and ends at `16 * slotsMax`. */
  get bytes(): number {
    return this.#young.byteLength + this.#old.byteLength;
  }

  /** Has this unit been added under this seed? Allocates nothing. */
  has(unit: string, seed: number): boolean {
    fingerprint(unit);
    return this.hasLanes(seed);
  }

  /**
   * As `has`, for the unit whose fingerprint was made last. The seed joins the lanes after the pass over the characters,
   * so that who reads them for another reason can make the lanes by the way.
   */
  hasLanes(seed: number): boolean {
    const a = laneA(seed);
    const b = laneB(seed, a);
    if (holds(this.#young, a, b)) return true;
    if (!holds(this.#old, a, b)) return false;
    this.#insert(a, b);
    return true;
  }

  add(unit: string, seed: number): void {
    fingerprint(unit);
    const a = laneA(seed);
    this.#insert(a, laneB(seed, a));
  }

  /** Forgets everybody: the next evaluation of each unit is a first one again. */
  clear(): void {
    this.#young.fill(0);
    this.#old.fill(0);
    this.#youngCount = 0;
  }

  #insert(a: number, b: number): void {
    if (4 * this.#youngCount >= this.#young.length) this.#makeRoom();
    if (place(this.#young, a, b)) this.#youngCount += 1;
  }

  #makeRoom(): void {
    if (this.#young.length < 2 * this.#slotsMax) {
      this.#young = grown(this.#young);
      return;
    }
    const next = this.#old.length === this.#young.length ? this.#old.fill(0) : new Int32Array(this.#young.length);
    this.#old = this.#young;
    this.#young = next;
    this.#youngCount = 0;
  }
}

/**
 * For one seed each lane is a bijection of the unit's: seeding takes no two units for one. The lanes do not wait for each
 * other either: the first finds the slot, and the second is ready when the slot has been read.
 */
function laneA(seed: number): number {
  return avalanche((lanes[0] as number) ^ seed);
}

function laneB(seed: number, a: number): number {
  const b = avalanche((lanes[1] as number) ^ Math.imul(seed, 0x9e3779b1));
  // Two zeros are an empty slot.
  return a === 0 && b === 0 ? 1 : b;
}

function avalanche(lane: number): number {
  let mixed = Math.imul(lane ^ (lane >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Linear probing ends because a generation is never more than half full. */
function holds(table: Int32Array, a: number, b: number): boolean {
  const mask = table.length - 2;
  for (let at = (a << 1) & mask; ; at = (at + 2) & mask) {
    const first = table[at];
    const second = table[at + 1];
    if (first === a && second === b) return true;
    if (first === 0 && second === 0) return false;
  }
}

/** @returns whether it was new */
function place(table: Int32Array, a: number, b: number): boolean {
  const mask = table.length - 2;
  let at = (a << 1) & mask;
  while (table[at] !== 0 || table[at + 1] !== 0) {
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
    const a = table[at] as number;
    const b = table[at + 1] as number;
    if (a !== 0 || b !== 0) place(larger, a, b);
  }
  return larger;
}
