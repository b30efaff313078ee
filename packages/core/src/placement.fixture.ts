import { hashAfter, hashPrefix } from "./murmur3.ts";
import { pointAt, positionOf } from "./placement.ts";

/** The point of a unit's text in the space of a salt, the way deciding gets there. */
export function pointOf(salt: string, unit: string): number {
  return pointAt(positionOf(hashAfter(hashPrefix(salt), unit)));
}
