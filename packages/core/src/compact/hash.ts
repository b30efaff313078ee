import { POINTS } from "../placement.ts";

/** In every browser and every runtime; declared here because this package is compiled without the types of any. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/**
 * The point of a unit in the space of a salt, 0 to 999,999: MurmurHash3 x86_32 over the UTF-8 bytes of both, as in
 * `../murmur3.ts`, byte by byte and without its fast paths.
 */
export function pointOf(salt: string, unit: string): number {
  // Most units are ASCII, whose characters are its bytes: in a page a TextEncoder takes longer than all the rest.
  const bytes = (salt + unit).replace(/[^ -~]/gu, (character) => String.fromCharCode(...new TextEncoder().encode(character)));
  let hash = 0;
  let block = 0;
  for (let at = 0; at < bytes.length; at++) {
    block |= bytes.charCodeAt(at) << (8 * (at & 3));
    if ((at & 3) === 3) {
      hash ^= scramble(block);
      hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
      block = 0;
    }
  }
  hash ^= scramble(block) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((((hash ^ (hash >>> 16)) >>> 0) * POINTS) / 2 ** 32) | 0;
}

function scramble(block: number): number {
  const mixed = Math.imul(block, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}
