/*
 * A frame is one line: the checksum of a JSON text, and the text.
 *
 *     90abcdef {"exposure":{"seq":1,...}}\n
 *                                        ^ part of it: without it the frame was torn
 *
 * Lines, so that after a damaged one the next is found again, and that a person can read what is left.
 */
import { crc32 } from "./crc32.ts";

/** The line of a document. */
export function frame(document: object): Buffer {
  // JSON.stringify writes no raw line end.
  const line = Buffer.from(`00000000 ${JSON.stringify(document)}\n`);
  line.write(hex(line.subarray(TEXT_AT, -1)), "latin1");
  return line;
}

/** The documents of all whole lines, in order, and how many lines were torn or damaged. Never throws. */
export function readFrames(bytes: Buffer): { readonly documents: readonly unknown[]; readonly damaged: number } {
  const documents: unknown[] = [];
  let damaged = 0;
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(LINE_END, at);
    const line = bytes.subarray(at, end === -1 ? bytes.length : end);
    const document = end === -1 ? undefined : documentOf(line);
    if (document === undefined) damaged += 1;
    else documents.push(document);
    at += line.length + 1;
  }
  return { documents, damaged };
}

const TEXT_AT = "00000000 ".length;
const LINE_END = 10;

function documentOf(line: Buffer): unknown {
  const text = line.subarray(TEXT_AT);
  if (line.toString("latin1", 0, TEXT_AT) !== `${hex(text)} `) return undefined;
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    // The checksum of something that was never JSON.
    return undefined;
  }
}

function hex(text: Uint8Array): string {
  return crc32(text).toString(16).padStart(8, "0");
}
