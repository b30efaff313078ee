/*
 * Deciding and looking up whom the ledger has met in one pass. Reading a character costs V8 a look at the kind of string
 * it is in, more than all the mixing; a second pass for the fingerprint would cost as much as the decision.
 */
import { outcomeAt } from "./decide.ts";
import { fingerprint, firstHalf, lanes, type Met, secondHalf, slotOf } from "./fingerprint.ts";
import { hashAfter } from "./murmur3.ts";
import { positionOf } from "./placement.ts";
import type { Line, Outcome, SpaceState } from "./program.ts";

/**
 * What the line gives to the unit; the outcome's untracked twin where the unit has been met under its arm.
 *
 * The unit's slot is read first and looked at last: it comes from far away, and where the unit stands on the line is found
 * out meanwhile. The numerals are those of `hashAfter` and `fingerprint`, and the loop is both of theirs in one: V8 has no
 * way to return three numbers from a function without making an object.
 */
export function outcomeUnlessMet(line: Line, space: SpaceState, unit: string, met: Met): Outcome {
  const { length } = unit;
  let hash = space.h;
  let a = length;
  let b = 0x6a09e667;
  let widest = space.tailBytes << 7;
  let block = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    const first = unit.charCodeAt(i);
    const second = unit.charCodeAt(i + 1);
    const third = unit.charCodeAt(i + 2);
    const fourth = unit.charCodeAt(i + 3);
    widest |= first | second | third | fourth;
    block = first | (second << 8) | (third << 16) | (fourth << 24);
    a = Math.imul(a ^ block, 0x85ebca6b);
    a = (a << 15) | (a >>> 17);
    b = Math.imul((((b << 13) | (b >>> 19)) + block) | 0, 0xc2b2ae35);
    block = Math.imul(block, 0xcc9e2d51);
    hash ^= Math.imul((block << 15) | (block >>> 17), 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = ((hash << 2) + hash + 0xe6546b64) | 0;
  }
  block = 0;
  for (let j = length - 1; j >= i; j--) {
    const code = unit.charCodeAt(j);
    widest |= code;
    block = (block << 8) | code;
  }
  if (widest > 0x7f) return outcomeUnlessMetAfter(line, space, unit, met);
  const { table } = met;
  a = firstHalf(Math.imul(a ^ block, 0x85ebca6b), line.subjectSeed as number);
  const slot = slotOf(a, table);
  const standsA = table[slot];
  const standsB = table[slot + 1];
  b = (((b << 13) | (b >>> 19)) + block) | 0;
  block = Math.imul(block, 0xcc9e2d51);
  hash ^= Math.imul((block << 15) | (block >>> 17), 0x1b873593) ^ (space.bytes + length);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  const outcome = outcomeAt(line, positionOf(hash ^ (hash >>> 16))) as Outcome;
  const { tracks, untracked } = outcome;
  if (tracks === undefined || untracked === undefined) return outcome;
  b = secondHalf(b, tracks.armSeed);
  return (standsA === a && standsB === b) || met.holds(a, b) ? untracked : outcome;
}

/** As above, for any unit and any salt. */
function outcomeUnlessMetAfter(line: Line, space: SpaceState, unit: string, met: Met): Outcome {
  const outcome = outcomeAt(line, positionOf(hashAfter(space, unit))) as Outcome;
  const { tracks, untracked } = outcome;
  if (tracks === undefined || untracked === undefined) return outcome;
  fingerprint(unit);
  const a = firstHalf(lanes[0] as number, line.subjectSeed as number);
  return met.holds(a, secondHalf(lanes[1] as number, tracks.armSeed)) ? untracked : outcome;
}
