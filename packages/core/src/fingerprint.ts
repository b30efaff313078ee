/**
 * A 64-bit fingerprint of a unit in two 32-bit lanes, by which the ledger knows whom it has met. Not the hash that
 * decides: nobody else must compute it, so it needs no published form, and each lane is one multiplication a block.
 *
 * It is made in the same pass over the unit's characters as the hash that decides. Reading a character costs V8 a look at
 * the kind of string it is in, more than all the mixing; a second pass for the lanes costs as much as the decision.
 */
import { finish, type HashPrefix, hashAfter, hashPrefix, mixBlock } from "./murmur3.ts";

/** Whom an application's instance has met, asked while a unit's characters are at hand. */
export interface Met {
  /** Has the unit of `lanes` been met under this seed? Allocates nothing. */
  hasLanes(seed: number): boolean;
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
const NO_PREFIX = hashPrefix("");

/** Makes the fingerprint of a unit. */
export function fingerprint(unit: string): void {
  hashAndFingerprint(NO_PREFIX, unit);
}

/**
 * As `hashAfter`, and the unit's lanes by the way. The prefix has no part in them: a unit is the same one in every space.
 *
 * The rotations matter: a multiplication carries differences only upward, and without them two ids that differ in every
 * second character would meet in both lanes far too often. One lane mixes by exclusive or and one by addition, so that
 * what cancels in the one does not in the other.
 */
export function hashAndFingerprint(prefix: HashPrefix, unit: string): number {
  const { length } = unit;
  let hash = prefix.h;
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
    hash = mixBlock(hash, block);
    a = Math.imul(a ^ block, A);
    a = (a << 15) | (a >>> 17);
    b = Math.imul((((b << 13) | (b >>> 19)) + block) | 0, B);
  }
  let rest = 0;
  for (let j = length - 1; j >= i; j--) {
    const unitCode = unit.charCodeAt(j);
    widest |= unitCode;
    rest = (rest << 8) | unitCode;
  }
  if (widest > 0x7f) {
    fingerprintWide(unit);
    return hashAfter(prefix, unit);
  }
  lanes[0] = Math.imul(a ^ rest, A);
  lanes[1] = (((b << 13) | (b >>> 19)) + rest) | 0;
  return prefix.tailBytes === 0 ? finish(hash, rest, prefix.bytes + length) : hashAfter(prefix, unit);
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
