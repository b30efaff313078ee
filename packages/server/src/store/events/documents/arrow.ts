/* Arrow IPC streams laid end to end: schema once, every page's record batches, the mark of the end once. */
import type { Joiner } from "./joiner.ts";

/** Joins whole Arrow IPC streams of one schema; keeps nothing of them. */
export class ArrowJoiner implements Joiner {
  #isBegun = false;

  add(stream: Uint8Array): readonly Uint8Array[] {
    const from = this.#isBegun ? schemaLengthOf(stream) : 0;
    this.#isBegun = true;
    return [stream.subarray(from, stream.length - END.length)];
  }

  end(): readonly Uint8Array[] {
    return this.#isBegun ? [END] : [];
  }
}

/** A message begins with a continuation mark and the length of its metadata; one of length 0 ends the stream. */
const END: Uint8Array = Uint8Array.of(255, 255, 255, 255, 0, 0, 0, 0);

/** A schema is metadata alone. */
function schemaLengthOf(stream: Uint8Array): number {
  return 8 + Buffer.from(stream.buffer, stream.byteOffset, stream.byteLength).readInt32LE(4);
}
