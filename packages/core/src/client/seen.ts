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

/** Slots of one generation at most: 2^19 pairs of 4 bytes are 4 MiB, two generations 8 MiB, 262,144 units each. */
export const SEEN_SLOTS_MAX = 524_288;

const SLOTS_MIN = 1_024;

export class Seen {
  readonly #slotsMax: number;
  readonly #lanes = new Int32Array(2);
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
    this.#fingerprint(unit, seed);
    const a = this.#lanes[0] as number;
    const b = this.#lanes[1] as number;
    if (holds(this.#young, a, b)) return true;
    if (!holds(this.#old, a, b)) return false;
    this.#insert(a, b);
    return true;
  }

  add(unit: string, seed: number): void {
    this.#fingerprint(unit, seed);
    this.#insert(this.#lanes[0] as number, this.#lanes[1] as number);
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

  /**
   * Both lanes in one pass over the UTF-16 units, two at a time. Not the hash that decides: nobody else must compute it,
   * so it needs no UTF-8 and one multiplication a lane. The rotations matter: a multiplication carries differences only
   * upward, and without them two ids that differ in every second character would meet in both lanes far too often. One
   * lane mixes by exclusive or and one by addition, so that what cancels in the one does not in the other.
   */
  #fingerprint(unit: string, seed: number): void {
    const { length } = unit;
    let a = seed | 0;
    let b = Math.imul(seed, 0x9e3779b1) ^ 0x6a09e667;
    for (let at = 0; at < length; at += 2) {
      const word = unit.charCodeAt(at) | (at + 1 < length ? unit.charCodeAt(at + 1) << 16 : 0);
      a = Math.imul(a ^ word, 0x85ebca6b);
      a = (a << 15) | (a >>> 17);
      b = Math.imul((((b << 13) | (b >>> 19)) + word) | 0, 0xc2b2ae35);
    }
    a = avalanche(a ^ length);
    b = avalanche((b ^ length) + a);
    // Two zeros are an empty slot.
    this.#lanes[0] = a;
    this.#lanes[1] = a === 0 && b === 0 ? 1 : b;
  }
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
