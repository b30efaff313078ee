import { isUtf8 } from "node:buffer";
import { createReadStream } from "node:fs";
import { UnreadableFile } from "./file-rows.ts";

/** The bytes of a text file without the mark some programs begin it with. @throws UnreadableFile for UTF-16. */
export async function* textBytes(path: string): AsyncGenerator<Buffer> {
  let isFirst = true;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES }) as AsyncIterable<Buffer>) {
    yield isFirst ? withoutMark(chunk) : chunk;
    isFirst = false;
  }
  if (isFirst) throw new UnreadableFile("it is empty");
}

/** Text of bytes; undefined where they are no UTF-8: replacing them would change what is stored. */
export function utf8Of(bytes: Uint8Array): string | undefined {
  return isUtf8(bytes) ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString() : undefined;
}

const CHUNK_BYTES = 262_144;

function withoutMark(chunk: Buffer): Buffer {
  const [first, second, third] = chunk;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new UnreadableFile("it is UTF-16; save it as UTF-8");
  }
  return first === 0xef && second === 0xbb && third === 0xbf ? chunk.subarray(3) : chunk;
}
