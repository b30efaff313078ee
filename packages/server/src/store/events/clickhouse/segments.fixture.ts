import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LoadableSegment, Press } from "../engine.ts";
import type { IncomingBatch } from "../event-store.ts";
import { Received } from "../received.ts";
import { encodeBatch } from "../spool/batch-frame.ts";

/** For tests that pull no documents. */
export const NO_PRESS: Press = {
  press: () => Promise.reject(new Error("no document was expected")),
  close: () => Promise.resolve(),
};

/** Writes batches as a segment of a spool, as if each came from an instance of its own. */
export async function writeSegment(
  directory: string,
  { spool, number }: { readonly spool: string; readonly number: number },
  batches: readonly IncomingBatch[],
): Promise<LoadableSegment> {
  let position = 1_000_000 * number;
  const frames = batches.flatMap((batch) => {
    const claim = new Received().claim("any", 1);
    const encoded = encodeBatch(batch, claim, position);
    position += encoded.accepted;
    return encoded.frames;
  });
  const path = join(directory, `${spool}-${number}.ndjson`);
  await writeFile(path, Buffer.concat(frames));
  return { spool, number, path };
}
