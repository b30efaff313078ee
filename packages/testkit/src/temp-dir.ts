import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of one's own that goes away when done with. */
export interface TempDir {
  readonly path: string;
  /** Removes the folder and what is in it; a second call does nothing. */
  readonly remove: () => Promise<void>;
}

/**
 * Makes an empty folder only this caller knows.
 *
 * @param purpose goes into the folder's name, so that a leftover says whose it is.
 * @example
 * const dir = await tempDir("spool");
 * onTestFinished(dir.remove);
 */
export async function tempDir(purpose = "test"): Promise<TempDir> {
  const path = await mkdtemp(join(tmpdir(), `belay-${purpose}-`));
  // Retries: a process that was just killed may still be writing its last file.
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 }) };
}
