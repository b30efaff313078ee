import { readSummed, writeSummed } from "../summed-file.ts";
import type { Kept } from "./change-log.ts";

/**
 * All that a change log holds of now, in one file of one server: what it starts from while the database is away. Secrets
 * are hashes here as there, but for those that sign webhooks; the file is its owner's alone.
 */
export function writeMirror(path: string, kept: Kept): Promise<void> {
  return writeSummed(path, kept);
}

/** What the file holds; `undefined` where it is not there, cut, edited or of another format. */
export async function readMirror(path: string): Promise<Kept | undefined> {
  return (await readSummed(path)) as Kept | undefined;
}
