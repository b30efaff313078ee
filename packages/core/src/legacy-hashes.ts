/**
 * Other products' bucketing, so that an imported flag keeps everybody where they are. Door `@belay/core/legacy-hashes`:
 * an application that imported nothing never loads it.
 *
 * Each function places a text on the product's own scale of `points`. Sources: FNV-1a (Fowler, Noll, Vo), SHA-1
 * (FIPS 180-4), MD5 (RFC 1321), MurmurHash3 (Appleby).
 */
import type { LegacyHashFunction } from "./legacy-hash-function.ts";
import { murmur3 } from "./murmur3.ts";

/** All functions by the name a snapshot uses: pass it as `legacyHashes` to `compile`. */
export const legacyHashes: ReadonlyMap<string, LegacyHashFunction> = new Map<string, LegacyHashFunction>([
  /** 32-bit murmur3 of the UTF-8 bytes, modulo the points. */
  ["murmur3", (text, points) => murmur3(text) % points],
  /** 32-bit FNV-1a over UTF-16 units, modulo the points. */
  ["fnv1a", (text, points) => fnv1a(text) % points],
  /** FNV-1a of the decimal text of the FNV-1a. */
  ["fnv1a-twice", (text, points) => fnv1a(String(fnv1a(text))) % points],
  /** First 7 hexadecimal digits of SHA-1, modulo the points. */
  ["sha1-7", (text, points) => Number.parseInt(sha1(text).slice(0, 7), 16) % points],
  /** First 15 hexadecimal digits of SHA-1 as a fraction of 2^60 (15 F digits round to it). */
  [
    "sha1-15",
    (text, points) => Math.min(points - 1, Math.floor((Number.parseInt(sha1(text).slice(0, 15), 16) / 2 ** 60) * points)),
  ],
  /** First 8 hexadecimal digits of MD5, modulo the points. */
  ["md5-8", (text, points) => Number.parseInt(md5(text).slice(0, 8), 16) % points],
]);

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash >>> 0;
}

/** SHA-1 of the UTF-8 bytes, in hexadecimal. */
function sha1(text: string): string {
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  const schedule = new Int32Array(80);
  forEachBlock(text, false, (block) => {
    for (let i = 0; i < 80; i++) {
      schedule[i] =
        i < 16
          ? block.getInt32(i * 4)
          : rotl(at(schedule, i - 3) ^ at(schedule, i - 8) ^ at(schedule, i - 14) ^ at(schedule, i - 16), 1);
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0] = state;
    for (let i = 0; i < 80; i++) {
      const [mixed, constant] = SHA1_ROUNDS[Math.floor(i / 20)]?.(b, c, d) ?? [0, 0];
      const next = (rotl(a, 5) + mixed + e + constant + at(schedule, i)) | 0;
      [a, b, c, d, e] = [next, a, rotl(b, 30), c, d];
    }
    for (const [i, word] of [a, b, c, d, e].entries()) state[i] = (at(state, i) + word) | 0;
  });
  return state.map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

type Sha1Round = (b: number, c: number, d: number) => readonly [mixed: number, constant: number];
const SHA1_ROUNDS: readonly Sha1Round[] = [
  (b, c, d) => [(b & c) | (~b & d), 0x5a827999],
  (b, c, d) => [b ^ c ^ d, 0x6ed9eba1],
  (b, c, d) => [(b & c) | (b & d) | (c & d), 0x8f1bbcdc],
  (b, c, d) => [b ^ c ^ d, 0xca62c1d6],
];

/** MD5 of the UTF-8 bytes, in hexadecimal. */
function md5(text: string): string {
  const state = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  forEachBlock(text, true, (block) => {
    let [a = 0, b = 0, c = 0, d = 0] = state;
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      const [mixed, word] = MD5_ROUNDS[round]?.(b, c, d, i) ?? [0, 0];
      const sum = (a + mixed + Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32) + block.getInt32(word * 4, true)) | 0;
      [a, d, c, b] = [d, c, b, (b + rotl(sum, MD5_SHIFTS[round]?.[i & 3] ?? 0)) | 0];
    }
    for (const [i, word] of [a, b, c, d].entries()) state[i] = (at(state, i) + word) | 0;
  });
  return state.map((word) => littleEndianHex(word)).join("");
}

type Md5Round = (b: number, c: number, d: number, i: number) => readonly [mixed: number, word: number];
const MD5_ROUNDS: readonly Md5Round[] = [
  (b, c, d, i) => [(b & c) | (~b & d), i],
  (b, c, d, i) => [(d & b) | (~d & c), (5 * i + 1) & 15],
  (b, c, d, i) => [b ^ c ^ d, (3 * i + 5) & 15],
  (b, c, d, i) => [c ^ (b | ~d), (7 * i) & 15],
];
const MD5_SHIFTS: readonly (readonly number[])[] = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];

/** The text as UTF-8 in 64-byte blocks, closed by a 1 bit, zeros and the length in bits: the padding both hashes share. */
function forEachBlock(text: string, isLittleEndian: boolean, take: (block: DataView) => void): void {
  const bytes = utf8(text);
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / 64) * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  const bits = bytes.length * 8;
  view.setUint32(padded.length - (isLittleEndian ? 8 : 4), bits >>> 0, isLittleEndian);
  view.setUint32(padded.length - (isLittleEndian ? 4 : 8), Math.floor(bits / 2 ** 32), isLittleEndian);
  for (let start = 0; start < padded.length; start += 64) take(new DataView(padded.buffer, start, 64));
}

/** `encodeURIComponent` is the one UTF-8 encoder of the language itself; it refuses lone surrogates, so they are replaced first. */
function utf8(text: string): number[] {
  const wellFormed = text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  const encoded = encodeURIComponent(wellFormed).match(/%..|[^%]/g) ?? [];
  return encoded.map((byte) => (byte.length === 3 ? Number.parseInt(byte.slice(1), 16) : byte.charCodeAt(0)));
}

function littleEndianHex(word: number): string {
  return [0, 8, 16, 24].map((shift) => ((word >>> shift) & 0xff).toString(16).padStart(2, "0")).join("");
}

function rotl(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}

function at(words: ArrayLike<number>, i: number): number {
  return words[i] ?? 0;
}
