/*
 * The yardstick: murmur3 x86_32 of ASCII ids, in place, no salt, nothing else. Kept apart from the product's own hash on
 * purpose, so that a slower product cannot make its own yardstick longer.
 */

/** Hashes every id once; returns how many fall into the lower half, so that the work cannot be left out. */
export function hashAll(ids: readonly string[]): number {
  let low = 0;
  for (let i = 0; i < ids.length; i++) if (bareHash(ids[i] as string) >= 0) low++;
  return low;
}

/** Murmur3 x86_32 with seed 0 of a text in ASCII, signed. */
export function bareHash(text: string): number {
  const { length } = text;
  const blocksEnd = length & ~3;
  let hash = 0;
  for (let i = 0; i < blocksEnd; i += 4) {
    const block =
      text.charCodeAt(i) | (text.charCodeAt(i + 1) << 8) | (text.charCodeAt(i + 2) << 16) | (text.charCodeAt(i + 3) << 24);
    hash ^= scramble(block);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let rest = 0;
  for (let i = length - 1; i >= blocksEnd; i--) rest = (rest << 8) | text.charCodeAt(i);
  hash ^= scramble(rest) ^ length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function scramble(block: number): number {
  const k = Math.imul(block, 0xcc9e2d51);
  return Math.imul((k << 15) | (k >>> 17), 0x1b873593);
}
