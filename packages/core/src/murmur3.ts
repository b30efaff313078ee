/**
 * MurmurHash3 x86 32-bit over the UTF-8 bytes of a JavaScript string, in place: no encoder, no bytes, no garbage.
 *
 * Source: Austin Appleby, MurmurHash3 (public domain), variant x86_32. A lone surrogate hashes as U+FFFD (EF BF BD),
 * as `TextEncoder` writes it.
 *
 * A prefix (a salt) is hashed once into a `HashPrefix`; hashing a unit then starts where the salt ended:
 *
 *     bytes  s a l t | s a l t | u n i t | - 4 2
 *            `------ prefix ------'`-- per call --'     h after two whole blocks is all that is kept
 */
export interface HashPrefix {
  /** State after the prefix's whole 4-byte blocks. */
  readonly h: number;
  /** Bytes of the prefix that fill no block yet, little-endian. */
  readonly tail: number;
  /** How many they are, 0 to 3. Salts of 8 ASCII characters leave none: the fast path. */
  readonly tailBytes: number;
  /** Length of the prefix in bytes. */
  readonly bytes: number;
}

// Numerals in `hashAfter`: a name is looked up by the machine, and takes bytecode that is counted there.
const C1 = 0xcc9e2d51;
const C2 = 0x1b873593;
const ADD = 0xe6546b64;
const REPLACEMENT_UTF8 = 0xbdbfef;
/** By its own name: shorter in bytecode than asking `Math` for it each time, see `hashAfter`. */
const { imul } = Math;

/** The prefix of no bytes at all, optionally with another seed than 0. */
function emptyPrefix(seed = 0): HashPrefix {
  return { h: seed | 0, tail: 0, tailBytes: 0, bytes: 0 };
}

/** Hashes `salt` into a prefix that `hashAfter` continues from. */
export function hashPrefix(salt: string, seed = 0): HashPrefix {
  absorb(emptyPrefix(seed), salt);
  return { h, tail, tailBytes, bytes };
}

/**
 * Hash of the prefix followed by `text`, as a signed 32-bit integer (`>>> 0` gives the usual unsigned one).
 *
 * The loop reads four ASCII characters at a time. What is not ASCII, or follows a prefix with a tail, is seen from one OR
 * over all of it and hashed anew on the general path: ids are ASCII nearly always, and a test a block would cost them all.
 *
 * Keep it short. V8 inlines a function of at most 460 bytes of bytecode, and into one at most 920 in all, counting the
 * next candidate 1.2 times. An application's loop takes in `isEnabled`, `isOn` and this, at 435 bytes: a plain rollout then
 * costs one call, which looks the flag up. A second call is 2.7 ns of 34. `node --trace-turbo-inlining` shows what V8 made
 * of it, `--print-bytecode --print-bytecode-filter=hashAfter` its size.
 */
export function hashAfter(prefix: HashPrefix, text: string): number {
  const { length } = text;
  let hash = prefix.h;
  let widest = prefix.tailBytes << 7;
  let block = 0;
  let i = 0;
  for (; i + 3 < length; i += 4) {
    const a = text.charCodeAt(i);
    const b = text.charCodeAt(i + 1);
    const c = text.charCodeAt(i + 2);
    const d = text.charCodeAt(i + 3);
    widest |= a | b | c | d;
    // `mixBlock` and below `finish`, written out: where V8 runs out of room to inline, a block must not be the call it makes.
    block = imul(a | (b << 8) | (c << 16) | (d << 24), 0xcc9e2d51);
    hash ^= imul((block << 15) | (block >>> 17), 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = ((hash << 2) + hash + 0xe6546b64) | 0;
  }
  block = 0;
  for (let j = length - 1; j >= i; j--) {
    const unit = text.charCodeAt(j);
    widest |= unit;
    block = (block << 8) | unit;
  }
  if (widest > 0x7f) return hashGeneral(prefix, text);
  block = imul(block, 0xcc9e2d51);
  hash ^= imul((block << 15) | (block >>> 17), 0x1b873593) ^ (prefix.bytes + length);
  hash = imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** MurmurHash3 x86_32 of `text` in UTF-8, unsigned. */
export function murmur3(text: string, seed = 0): number {
  return hashAfter(emptyPrefix(seed), text) >>> 0;
}

// What `absorb` leaves behind. Module state instead of a returned object keeps the general path free of garbage too;
// nothing else runs between writing and reading it.
let h = 0;
let tail = 0;
let tailBytes = 0;
let bytes = 0;

/** Any prefix, any text: one code point at a time. */
function hashGeneral(prefix: HashPrefix, text: string): number {
  absorb(prefix, text);
  return finish(h, tail, bytes);
}

function absorb(prefix: HashPrefix, text: string): void {
  h = prefix.h;
  tail = prefix.tail;
  tailBytes = prefix.tailBytes;
  bytes = prefix.bytes;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) push(unit, 1);
    else if (unit < 0x800) push(0xc0 | (unit >>> 6) | ((0x80 | (unit & 0x3f)) << 8), 2);
    else if ((unit & 0xf800) !== 0xd800) push(threeBytes(unit), 3);
    else {
      const low = i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
      const isPair = unit < 0xdc00 && (low & 0xfc00) === 0xdc00;
      if (isPair) i++;
      push(isPair ? fourBytes(unit, low) : REPLACEMENT_UTF8, isPair ? 4 : 3);
    }
  }
}

/** Appends `count` bytes, packed little-endian. */
function push(packed: number, count: number): void {
  bytes += count;
  tail |= packed << (8 * tailBytes);
  tailBytes += count;
  if (tailBytes < 4) return;
  h = mixBlock(h, tail);
  tailBytes -= 4;
  // What did not fit begins the next block; a shift by 32 would be a shift by 0, hence the test.
  tail = tailBytes === 0 ? 0 : packed >>> (8 * (count - tailBytes));
}

/** Mixes a block of four bytes into the state. */
function mixBlock(state: number, block: number): number {
  let k = Math.imul(block, C1);
  k = (k << 15) | (k >>> 17);
  let mixed = state ^ Math.imul(k, C2);
  mixed = (mixed << 13) | (mixed >>> 19);
  return (Math.imul(mixed, 5) + ADD) | 0;
}

/** Mixes the last 0-3 bytes (a zero tail mixes to nothing) and the length, then avalanches. */
function finish(state: number, rest: number, length: number): number {
  let k = Math.imul(rest, C1);
  k = (k << 15) | (k >>> 17);
  let mixed = state ^ Math.imul(k, C2) ^ length;
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

function threeBytes(unit: number): number {
  return 0xe0 | (unit >>> 12) | ((0x80 | ((unit >>> 6) & 0x3f)) << 8) | ((0x80 | (unit & 0x3f)) << 16);
}

function fourBytes(high: number, low: number): number {
  const point = 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff);
  return (
    0xf0 |
    (point >>> 18) |
    ((0x80 | ((point >>> 12) & 0x3f)) << 8) |
    ((0x80 | ((point >>> 6) & 0x3f)) << 16) |
    ((0x80 | (point & 0x3f)) << 24)
  );
}
