/*
 * A text in a fraction of its bytes, made at once and without waiting: a page that closes has no time for the browser's
 * own compression, and may leave 64 KiB behind, all requests together.
 *
 * LZW (Welch, "A Technique for High-Performance Data Compression", 1984): codes below 256 are bytes; code 256 + n is the
 * phrase of the n-th code with one byte more. Each code is 16 bits, the low byte first.
 */

/** In every browser and every runtime; declared here because this package is compiled without the types of any. */
declare const TextEncoder: new () => { encode(text: string): Uint8Array };

/** How a body says that it is packed. Among the types that a browser asks no leave for. */
export const PACKED_TYPE = "text/plain;lzw=1";

const PHRASES_MAX = 2 ** 16 - 256;

/** Packs a text that is not empty. JSON of events comes to a third, or less. */
export function pack(text: string): Uint16Array<ArrayBuffer> {
  const [first, ...bytes] = new TextEncoder().encode(text);
  const codes: number[] = [];
  const known = new Map<number, number>();
  let phrase = first as number;
  for (const byte of bytes) {
    const longer = phrase * 256 + byte;
    const code = known.get(longer);
    if (code === undefined) {
      codes.push(phrase);
      if (known.size < PHRASES_MAX) known.set(longer, 256 + known.size);
    }
    phrase = code ?? byte;
  }
  // In the byte order of the machine, which is this one wherever browsers run.
  return new Uint16Array([...codes, phrase]);
}

/**
 * The UTF-8 bytes of what was packed; `undefined` where it was not packed so, or comes to more than `bytesMax`, which is
 * found out before any of it is written.
 */
export function unpack(packed: Uint8Array, bytesMax: number): Uint8Array<ArrayBuffer> | undefined {
  const view = new DataView(packed.buffer, packed.byteOffset, packed.byteLength & ~1);
  const starts: number[] = [];
  let length = 0;
  for (let at = 0; at < view.byteLength; at += 2) {
    const code = view.getUint16(at, true);
    const from = code - 256;
    if (from >= starts.length) return undefined;
    starts.push(length);
    length += from < 0 ? 1 : lengthOf(starts, from) + 1;
    if (length > bytesMax) return undefined;
  }
  return packed.length % 2 === 1 ? undefined : written(view, starts, length);
}

/** Of the phrase of a code that another one follows. */
function lengthOf(starts: readonly number[], code: number): number {
  return (starts[code + 1] as number) - (starts[code] as number);
}

function written(view: DataView, starts: readonly number[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (const [index, start] of starts.entries()) {
    const code = view.getUint16(2 * index, true);
    if (code < 256) bytes[start] = code;
    else copy(bytes, starts[code - 256] as number, start, starts[index + 1] ?? length);
  }
  return bytes;
}

/** Byte by byte: a phrase may go on into the copy that is being made of it. */
function copy(bytes: Uint8Array, from: number, start: number, end: number): void {
  for (let at = start; at < end; at++) bytes[at] = bytes[at - start + from] as number;
}
