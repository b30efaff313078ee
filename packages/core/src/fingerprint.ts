/**
 * A fingerprint of a unit in two 32-bit lanes, by which the ledger knows whom it has met. Not the hash that decides: nobody
 * else must compute it, so it needs no published form, and each lane is one multiplication a block.
 *
 *     unit ── lane a ── with the subject's seed ──▶ the slot, and one half of what stands in it
 *        └─── lane b ── with the arm's seed ──────▶ the other half
 *
 * The subject is the experiment or release. It is known before the unit's arm is, so the slot can be read while the arm is
 * still being found out; see `outcomeUnlessMet`.
 */
/** What a unit is met under. */
export interface Seeds {
  /** Of the experiment or release. */
  readonly subjectSeed: number;
  /** Of the arm in it. */
  readonly armSeed: number;
}

/** Whom an application's instance has met, by fingerprints that have been seeded. */
export interface Met {
  /** Slots of two numbers, where most of those met stand at their own place: `slotOf`. */
  readonly table: Int32Array;
  /** Does the pair stand anywhere? Allocates nothing. */
  holds(a: number, b: number): boolean;
}

/**
 * The lanes of the last fingerprint made. Module state instead of a result, as in the hash: an object or an array would be
 * garbage. Whoever asks for a fingerprint reads it at once, before the application's code can run and make another.
 */
export const lanes: Int32Array = new Int32Array(2);

const A = 0x85ebca6b;
const B = 0xc2b2ae35;
const B_START = 0x6a09e667;
const B_START_WIDE = 0x3c6ef372;

/**
 * The first half of what stands in a unit's slot; its low bits say which slot.
 *
 * For one seed each half is a bijection of its lane: seeding takes no two units for one, but for a bit of the second.
 */
export function firstHalf(laneA: number, subjectSeed: number): number {
  let mixed = laneA ^ subjectSeed;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** The second half, of the arm the unit is in. Never 0, which is an empty slot. */
export function secondHalf(laneB: number, armSeed: number): number {
  return (laneB ^ armSeed) | 1;
}

/** Where the pair stands in the table if nobody else does. */
export function slotOf(a: number, table: Int32Array): number {
  return (a << 1) & (table.length - 2);
}

/**
 * Makes the fingerprint of a unit.
 *
 * The rotations matter: a multiplication carries differences only upward, and without them two ids that differ in every
 * second character would meet in both lanes far too often. One lane mixes by exclusive or and one by addition, so that
 * what cancels in the one does not in the other.
 */
export function fingerprint(unit: string): void {
  const { length } = unit;
  let a = length;
  let b = B_START;
  let widest = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    const first = unit.charCodeAt(i);
    const second = unit.charCodeAt(i + 1);
    const third = unit.charCodeAt(i + 2);
    const fourth = unit.charCodeAt(i + 3);
    widest |= first | second | third | fourth;
    const block = first | (second << 8) | (third << 16) | (fourth << 24);
    a = Math.imul(a ^ block, A);
    a = (a << 15) | (a >>> 17);
    b = Math.imul((((b << 13) | (b >>> 19)) + block) | 0, B);
  }
  let rest = 0;
  for (let j = length - 1; j >= i; j--) {
    const code = unit.charCodeAt(j);
    widest |= code;
    rest = (rest << 8) | code;
  }
  if (widest > 0x7f) {
    fingerprintWide(unit);
    return;
  }
  lanes[0] = Math.imul(a ^ rest, A);
  lanes[1] = (((b << 13) | (b >>> 19)) + rest) | 0;
}

/** Lanes of a unit that is not all ASCII: two UTF-16 units a step. */
function fingerprintWide(unit: string): void {
  const { length } = unit;
  let a = length;
  let b = B_START_WIDE;
  for (let at = 0; at < length; at += 2) {
    const word = unit.charCodeAt(at) | (at + 1 < length ? unit.charCodeAt(at + 1) << 16 : 0);
    a = Math.imul(a ^ word, A);
    a = (a << 15) | (a >>> 17);
    b = Math.imul((((b << 13) | (b >>> 19)) + word) | 0, B);
  }
  lanes[0] = a;
  lanes[1] = b;
}
