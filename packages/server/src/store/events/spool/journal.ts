import { type FileHandle, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Remembered } from "../received.ts";
import { encodeFrame, scanFrames } from "./frame.ts";
import { SegmentFile, syncDirectory } from "./segment-file.ts";

/** One line: what is remembered of some instances, and how far the spool was then. */
export interface JournalEntry {
  /** Made once per spool folder: with it a segment's number is never mistaken for another folder's. */
  readonly spool: string;
  /** Segments up to this one are covered: their frames need not be read again. */
  readonly segment: number;
  /** The arrival number after the last one given. */
  readonly position: number;
  readonly instances: readonly Remembered[];
}

/**
 * Remembers what loaded segments held, since their frames are gone: one entry per segment, written before the segment may
 * be dropped. Entries only add up, so the file is rewritten as one sum when it has grown to a multiple of it.
 */
export class Journal {
  readonly #directory: string;
  readonly #path: string;
  #file: FileHandle;
  #bytes: number;
  #sumBytes: number;
  #isTorn = false;

  private constructor(directory: string, file: FileHandle, bytes: number) {
    this.#directory = directory;
    this.#path = join(directory, NAME);
    this.#file = file;
    this.#bytes = bytes;
    this.#sumBytes = bytes;
  }

  /** Opens the journal of a folder; `visit` sees each entry that is whole, in order. */
  static async open(directory: string, visit: (entry: JournalEntry) => void): Promise<Journal> {
    const path = join(directory, NAME);
    const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return Buffer.alloc(0);
    });
    const scan = scanFrames(bytes);
    for (const payload of scan.payloads) visit(JSON.parse(Buffer.from(payload).toString()) as JournalEntry);
    const file = await open(path, "a", 0o600);
    await file.truncate(scan.wholeBytes);
    await syncDirectory(directory);
    return new Journal(directory, file, scan.wholeBytes);
  }

  /** Adds entries; they are on the disk when this resolves. */
  async add(entries: readonly JournalEntry[]): Promise<void> {
    const frames = entries.map((entry) => encodeFrame(JSON.stringify(entry)));
    const lines = Buffer.concat(this.#isTorn ? [NEWLINE, ...frames] : frames);
    try {
      await this.#file.appendFile(lines);
      await this.#file.datasync();
      this.#bytes += lines.length;
      this.#isTorn = false;
    } catch (error) {
      // What is torn ends at the next newline: the reader passes over it, so it need not be cut off.
      this.#isTorn = true;
      throw error;
    }
  }

  get isOverlong(): boolean {
    return this.#bytes > REWRITE_BYTES_MIN && this.#bytes > REWRITE_FACTOR * this.#sumBytes;
  }

  /** Replaces the file by one sum. The old one stays until the new one is whole on the disk. */
  async rewrite(through: Omit<JournalEntry, "instances">, durable: Iterable<Remembered>): Promise<void> {
    const path = `${this.#path}.new`;
    await rm(path, { force: true });
    const file = await SegmentFile.create(this.#directory, path);
    for (const instances of inGroups(durable, GROUP_SIZE)) {
      await file.append([encodeFrame(JSON.stringify({ ...through, instances } satisfies JournalEntry))]);
    }
    await file.close();
    await rename(path, this.#path);
    await syncDirectory(this.#directory);
    await this.#file.close();
    this.#file = await open(this.#path, "a", 0o600);
    this.#bytes = file.bytes;
    this.#sumBytes = file.bytes;
    this.#isTorn = false;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

const NAME = "received.ndjson";
const NEWLINE = Buffer.from("\n");
const REWRITE_BYTES_MIN = 1_048_576;
const REWRITE_FACTOR = 4;
/** Instances written at once: about 1 ms of the event loop. */
const GROUP_SIZE = 1_000;

function* inGroups<T>(items: Iterable<T>, size: number): Generator<T[]> {
  let group: T[] = [];
  for (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  yield group;
}
