/**
 * Units that fall exactly on a wanted hash. Chance would need four thousand million ids to meet one boundary, so
 * MurmurHash3 is run backwards: each of its steps can be undone, and the last four bytes of the text are what is left free.
 */
import { hash } from "./reference.mjs";

const [C1, C2] = [0xcc9e2d51, 0x1b873593];

/**
 * A unit of 8 printable characters whose hash after the salt is `wanted`.
 *
 * @param salt ASCII of a length that four divides, so that blocks and characters meet
 */
export function unitAt(salt, wanted) {
  for (let i = 0; i < 10_000; i++) {
    const start = `b${String(i).padStart(3, "0")}`;
    const unit = start + lastBlock(salt + start, wanted);
    if (/^[!-~]{8}$/.test(unit) && hash(salt + unit) === wanted) return unit;
  }
  throw new Error(`No unit found for ${wanted} after ${salt}.`);
}

/** First hash of a point: the boundary of a range that begins there. */
export function firstHash(ppm) {
  return Number((BigInt(ppm) * 2n ** 32n + 999_999n) / 1_000_000n);
}

/** The four bytes after `text` that make its hash the wanted one, printable or not. */
function lastBlock(text, wanted) {
  const after = (unmix(wanted) ^ (text.length + 4)) - 0xe6546b64;
  const mixed = rotate(Math.imul(after, inverse(5)), 19) ^ stateAfter(text);
  const block = Math.imul(rotate(Math.imul(mixed, inverse(C2)), 17), inverse(C1));
  return String.fromCharCode(...[0, 8, 16, 24].map((shift) => (block >>> shift) & 0xff));
}

/** The state after whole blocks of ASCII. */
function stateAfter(text) {
  let state = 0;
  for (let i = 0; i < text.length; i += 4) {
    const block = [0, 1, 2, 3].reduce((word, byte) => word | (text.charCodeAt(i + byte) << (8 * byte)), 0);
    state = (Math.imul(rotate(state ^ Math.imul(rotate(Math.imul(block, C1), 15), C2), 13), 5) + 0xe6546b64) | 0;
  }
  return state;
}

/** The final avalanche undone. */
function unmix(word) {
  const first = word ^ (word >>> 16);
  const second = Math.imul(first, inverse(0xc2b2ae35));
  const third = Math.imul(second ^ (second >>> 13) ^ (second >>> 26), inverse(0x85ebca6b));
  return third ^ (third >>> 16);
}

function rotate(word, by) {
  return (word << by) | (word >>> (32 - by));
}

/** What an odd number must be multiplied with to give 1 modulo 2^32: Newton's iteration doubles the correct bits. */
function inverse(odd) {
  let guess = odd;
  for (let i = 0; i < 5; i++) guess = Math.imul(guess, 2 - Math.imul(odd, guess));
  return guess;
}
