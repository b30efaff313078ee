import type { Space } from "@belay/protocol";
import { sha256 } from "../access/sha256.ts";
import type { FlagSpaces } from "../state/workspace.ts";

/** Fills an array with random bytes; `crypto.getRandomValues` in the shell, dice in tests. */
export type FillRandom = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

/** Random text of a length; each character carries 5 bits. */
export function randomText(length: number, fill: FillRandom): string {
  return Array.from(fill(new Uint8Array(length)), (byte) => BASE32[byte & 31]).join("");
}

/** Two whole blocks of murmur3, so that its state after the salt is computed once, when a flag is compiled. */
const SALT_LENGTH = 8;

/** The spaces of a new flag. Salts are made here and by nothing else: they decide who is in. */
export function newSpaces(fill: FillRandom, by?: string): FlagSpaces {
  const space = (): FlagSpaces["share"] => ({ salt: randomText(SALT_LENGTH, fill), ...(by === undefined ? {} : { by }) });
  return { share: space(), split: space() };
}

/**
 * The same space under another salt, so that every unit falls anew. The salt follows from the one before: whoever looks at a
 * reshuffle, approves it and makes it means the same draw.
 */
export function reshuffled(space: Space): Space {
  const digest = Buffer.from(sha256(`reshuffle ${space.salt}`, "hex"), "hex");
  return { ...space, salt: randomText(SALT_LENGTH, (bytes) => bytes.map((_, at) => digest[at] ?? 0)) };
}
