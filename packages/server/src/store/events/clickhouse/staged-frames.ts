import { readFile } from "node:fs/promises";
import { setImmediate as turn } from "node:timers/promises";
import type { LoadableSegment } from "../engine.ts";
import { scanFrames } from "../spool/frame.ts";

/**
 * The frames of some segments as lines of JSON for the `arrived` table: as they are in the spool, with the segment's number.
 * Only frames with metric events are read and written anew, for their values (see `bitsOf`), and those of earlier versions.
 *
 * @param count told how many lines there were.
 * @throws Error when a segment holds anything but whole frames: it must be repaired before it is loaded.
 */
export async function* frameLines(segments: readonly LoadableSegment[], count: (lines: number) => void): AsyncGenerator<Buffer> {
  let lines = 0;
  for (const { number, path } of segments) {
    const content = await readFile(path);
    const { payloads, wholeBytes, damagedLines } = scanFrames(content);
    if (damagedLines > 0 || wholeBytes < content.length) throw new Error(`${path} holds lines that are no frames`);
    const head = Buffer.from(`{"segment":${number},`);
    for (const payload of payloads) {
      yield Buffer.concat([head, stageable(payload).subarray(1), NEWLINE]);
      lines += 1;
      // A frame is up to 1 MB of text: whoever waits for the event loop is let in between.
      if (lines % FRAMES_A_TURN === 0) await turn();
    }
  }
  count(lines);
}

/**
 * The bits of a double, as the decimal text of an integer. ClickHouse reads numbers fast and one unit in the last place
 * wrong, as measured: 698 of 6,007 random ones; what it makes of these bits is the number itself.
 */
function bitsOf(value: number): string {
  SCRATCH.setFloat64(0, value);
  return SCRATCH.getBigUint64(0).toString();
}

function stageable(payload: Uint8Array): Buffer {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  if (!bytes.includes(METRICS) && bytes.includes(DIFFERS) === bytes.includes(EXPOSURES)) return bytes;
  const { exposures, metrics, ...rest } = JSON.parse(bytes.toString()) as StagedFrame;
  return Buffer.from(
    JSON.stringify({
      ...rest,
      // Earlier versions wrote no such list, and the lists of a group must be of one length.
      ...(exposures === undefined ? {} : { exposures: { differs: exposures.seq.map(() => null), ...exposures } }),
      ...(metrics === undefined ? {} : { metrics: withBits(metrics) }),
    }),
  );
}

interface StagedFrame {
  readonly exposures?: { readonly seq: readonly number[] };
  readonly metrics?: { readonly value: readonly (number | null)[] };
}

function withBits({ value, ...metrics }: NonNullable<StagedFrame["metrics"]>): object {
  return { ...metrics, bits: value.map((one) => (one === null ? null : bitsOf(one))) };
}

/* As names they stand so only where they are some: within a text their quotes would be escaped. */
const METRICS = '"metrics":{';
const EXPOSURES = '"exposures":{';
const DIFFERS = '"differs":[';
const NEWLINE = Buffer.from("\n");
const FRAMES_A_TURN = 16;
const SCRATCH = new DataView(new ArrayBuffer(8));
