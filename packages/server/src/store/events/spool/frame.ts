/*
 * A frame is one line of JSON with its own checksum in front:
 *
 *   {"crc":"90abcdef","frame":<payload>}\n
 *   0       8         26                ^ the newline is part of it: without it the frame was torn
 *
 * The checksum covers the payload's bytes. Being lines of JSON, a segment is read by any tool as it is (the engines load
 * it without a conversion), and after a damaged line the next one is found again.
 */
import { crc32 } from "./crc32.ts";

/** The bytes of one frame around a JSON text. The text must hold no raw newline; `JSON.stringify` writes none. */
export function encodeFrame(payload: string): Buffer {
  const line = Buffer.from(`{"crc":"00000000","frame":${payload}}\n`);
  line.write(hex(crc32(line.subarray(PAYLOAD_AT, -TAIL_BYTES))), CRC_AT, "latin1");
  return line;
}

export interface FrameScan {
  /** Where the payloads of whole frames are, in order. */
  readonly payloads: readonly Uint8Array[];
  /** Bytes up to the end of the last whole frame: what follows is torn. */
  readonly wholeBytes: number;
  /** Lines before that end which are no frame: the disk changed what was written. */
  readonly damagedLines: number;
}

/** Finds every whole frame in the bytes of a file; never throws, whatever the bytes are. */
export function scanFrames(bytes: Uint8Array): FrameScan {
  const payloads: Uint8Array[] = [];
  let wholeBytes = 0;
  let damagedLines = 0;
  let damagedSince = 0;
  for (let at = 0, end = bytes.indexOf(NEWLINE); end !== -1; at = end + 1, end = bytes.indexOf(NEWLINE, at)) {
    const payload = payloadOf(bytes.subarray(at, end + 1));
    if (payload === undefined) {
      damagedSince += 1;
      continue;
    }
    payloads.push(payload);
    wholeBytes = end + 1;
    damagedLines += damagedSince;
    damagedSince = 0;
  }
  return { payloads, wholeBytes, damagedLines };
}

const CRC_AT = '{"crc":"'.length;
const PAYLOAD_AT = '{"crc":"00000000","frame":'.length;
const TAIL_BYTES = "}\n".length;
const NEWLINE = 10;
const HEAD = '{"crc":"';
const MIDDLE = '","frame":';

function payloadOf(line: Uint8Array): Uint8Array | undefined {
  if (line.length < PAYLOAD_AT + TAIL_BYTES) return undefined;
  const head = Buffer.from(line.buffer, line.byteOffset, PAYLOAD_AT).toString("latin1");
  if (!head.startsWith(HEAD) || !head.endsWith(MIDDLE) || line.at(-TAIL_BYTES) !== "}".charCodeAt(0)) return undefined;
  const payload = line.subarray(PAYLOAD_AT, -TAIL_BYTES);
  return head.slice(CRC_AT, CRC_AT + 8) === hex(crc32(payload)) ? payload : undefined;
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}
