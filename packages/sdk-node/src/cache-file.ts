import { randomUUID } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { applyToSnapshot } from "@belay/core";
import { checkSnapshot, type SnapshotKeeper } from "@belay/core/client";
import type { Snapshot, SnapshotChange } from "@belay/protocol";
import { SNAPSHOT_BYTES_MAX } from "./transport.ts";

/** The file: what the server said last, and which server and key it was said to. */
interface CacheDocument {
  readonly cache: 1;
  /** Hash of address and key: rules of another environment are not ours, and the key itself stays out of the file. */
  readonly origin: string;
  readonly snapshot: Snapshot;
}

/** Changes within this time are written once. */
const SETTLE_MS = 1_000;

/**
 * The snapshot in a cache file, or why there is none; a file that is not there is no trouble. Read in one go at start:
 * the application may decide in its next line.
 */
export function readCacheFile(path: string, origin: string): Snapshot | string | undefined {
  let text: string;
  try {
    if (statSync(path).size > SNAPSHOT_BYTES_MAX) return "it is too large";
    text = readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unreadable";
    return code === "ENOENT" ? undefined : code;
  }
  try {
    const document = JSON.parse(text) as Partial<CacheDocument> | null;
    if (document?.cache !== 1) return "it was written by another version";
    if (document.origin !== origin) return "it belongs to another server or key";
    const snapshot = checkSnapshot(document.snapshot);
    return typeof snapshot === "string" ? `its snapshot ${snapshot}` : snapshot;
  } catch {
    return "it is cut or damaged";
  }
}

/** Keeps the last known good rules in a file, replaced as a whole or not at all. */
export class CacheFile implements SnapshotKeeper {
  readonly #path: string;
  readonly #origin: string;
  readonly #failed: (detail: string) => void;
  #snapshot: Snapshot | undefined;
  /** Came after the snapshot; folded into it only when the file is written. */
  #changes: SnapshotChange[] = [];
  #isDue = false;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(path: string, origin: string, held: Snapshot | undefined, failed: (detail: string) => void) {
    this.#path = path;
    this.#origin = origin;
    this.#snapshot = held;
    this.#failed = failed;
  }

  adopted(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#changes = [];
    this.#schedule();
  }

  applied(change: SnapshotChange): void {
    this.#changes.push(change);
    this.#schedule();
  }

  /** Writes what is not written yet; never rejects. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#write();
    await this.#writing;
  }

  #schedule(): void {
    this.#isDue = true;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#write();
    }, SETTLE_MS).unref();
  }

  #write(): void {
    if (!this.#isDue || this.#snapshot === undefined) return;
    this.#isDue = false;
    const snapshot = this.#changes.reduce(applyToSnapshot, this.#snapshot);
    this.#snapshot = snapshot;
    this.#changes = [];
    const document: CacheDocument = { cache: 1, origin: this.#origin, snapshot };
    // One after the other: two writers of one process must not overtake each other.
    this.#writing = this.#writing
      .then(() => replaceFile(this.#path, JSON.stringify(document)))
      .catch((error: NodeJS.ErrnoException) => this.#failed(error.code ?? error.message));
  }
}

/** Temp file, fsync, rename, fsync of the folder: after a power cut there is the old file or the new one. */
async function replaceFile(path: string, text: string): Promise<void> {
  const folder = dirname(path);
  await mkdir(folder, { recursive: true });
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    await writeSynced(temporary, text);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

async function writeSynced(path: string, text: string): Promise<void> {
  // The rules of an environment are nobody else's business.
  const file = await open(path, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder; its rename is durable by itself.
  if (process.platform === "win32") return;
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
