import * as zlib from "node:zlib";

/** CRC-32 (IEEE 802.3, as in gzip) of some bytes: an unsigned 32-bit integer. */
export function crc32(bytes: Uint8Array): number {
  return native === undefined ? crc32Portable(bytes) : native(bytes);
}

/** The same sum without the runtime's help: Node gained its own in 20.15. */
export function crc32Portable(bytes: Uint8Array): number {
  let sum = 0xffffffff;
  for (const byte of bytes) sum = (sum >>> 8) ^ (TABLE[(sum ^ byte) & 0xff] as number);
  return (sum ^ 0xffffffff) >>> 0;
}

const native = (zlib as { crc32?: (bytes: Uint8Array) => number }).crc32;

const TABLE: Uint32Array = Uint32Array.from({ length: 256 }, (_, byte) => {
  let sum = byte;
  for (let bit = 0; bit < 8; bit += 1) sum = (sum & 1) === 1 ? (sum >>> 1) ^ 0xedb88320 : sum >>> 1;
  return sum;
});
