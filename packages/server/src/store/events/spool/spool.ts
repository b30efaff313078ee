/*
 * The spool is the acknowledgement. Writes that arrive while a sync is running share the next one:
 *
 *   write ──┐                                        full or old            journal, load        unlink
 *   write ──┼─> queue ─> one write + fdatasync ─> segment ──────> sealed ────────────────> loaded ──────> gone
 *   write ──┘              then all are settled
 *
 * One group is written at a time, in order. When a group fails, everything queued behind it fails with it: a write that
 * found its events claimed by an earlier one may be acknowledged only if that one is on the disk.
 */
import { rm } from "node:fs/promises";
import { ProblemError } from "../../../http/problem.ts";
import { type Received, ReceivedSum, type Remembered } from "../received.ts";
import type { Journal } from "./journal.ts";
import { type Found, readSegment, recoverSpool, type SpoolSegment, segmentPath } from "./recovery.ts";
import { SegmentFile, UncertainSegment } from "./segment-file.ts";

export interface SpoolOptions {
  readonly directory: string;
  /** A segment is sealed at this size. */
  readonly segmentBytes: number;
  /** A segment is sealed this long after its first frame. */
  readonly segmentAgeMs: number;
  /** Events are refused while the spool holds this much. */
  readonly bytesMax: number;
  readonly received: Received;
  readonly now: () => number;
  /** Called after a segment was sealed. */
  readonly onSealed: () => void;
}

/** What is to be made durable together. Exactly one of the two ends is called, before anything else is queued. */
export interface SpoolWrite {
  readonly frames: readonly Buffer[];
  /** On the disk: what is to be remembered of it when its segment is gone. */
  readonly keep: () => Remembered;
  readonly giveBack: () => void;
}

export class Spool {
  readonly #options: SpoolOptions;
  readonly #id: string;
  readonly #journal: Journal;
  readonly #sealed: SpoolSegment[];
  #sealedBytes: number;
  #active: Active | undefined;
  #queue: Queued[] = [];
  #queueBytes = 0;
  #isDraining = false;
  #turn: Promise<unknown> = Promise.resolve();
  #nextSegment: number;
  #lastSealed: number;
  #position: number;
  #closed: "closed" | "uncertain" | undefined;

  private constructor(options: SpoolOptions, found: Found) {
    this.#options = options;
    this.#id = found.id;
    this.#journal = found.journal;
    this.#sealed = [...found.segments];
    this.#sealedBytes = found.segments.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#nextSegment = found.lastSegment + 1;
    this.#lastSealed = found.lastSegment;
    this.#position = found.position;
  }

  /**
   * Opens the spool of a folder: what was torn by the end of the process before is cut off, what was whole is kept, and
   * the sequence numbers of both are remembered.
   */
  static async open(options: SpoolOptions): Promise<Spool> {
    return new Spool(options, await recoverSpool(options.directory, options.received, options.now));
  }

  get bytes(): number {
    return this.#sealedBytes + (this.#active?.file.bytes ?? 0) + this.#queueBytes;
  }

  /** When the oldest event was acknowledged that is still here. */
  get sinceMs(): number | undefined {
    return this.#sealed[0]?.sinceMs ?? this.#active?.sinceMs;
  }

  /** Why nothing can be added, other than for want of room. */
  get fault(): string | undefined {
    return this.#closed === "uncertain" ? "the disk failed in a way that only a restart can clear" : undefined;
  }

  /** Number of the newest segment ever sealed here. */
  get lastSealed(): number {
    return this.#lastSealed;
  }

  /** Does a segment wait to be loaded? */
  get hasSealed(): boolean {
    return this.#sealed.length > 0;
  }

  /** Gives out arrival numbers for as many events; the first of them. */
  nextPosition(events: number): number {
    const position = this.#position;
    this.#position += events;
    return position;
  }

  /** Refuses now what `append` would refuse, before any work is done for it. */
  checkRoom(): void {
    if (this.#closed !== undefined) throw unavailable(this.#closed === "closed" ? "the server is stopping" : "the disk failed");
    if (this.#queueBytes >= QUEUE_BYTES_MAX) throw unavailable("the disk takes events more slowly than they come");
    if (this.bytes >= this.#options.bytesMax)
      throw new ProblemError("spool_full", { limit: this.#options.bytesMax, retryAfterS: RETRY_AFTER_S });
  }

  /** Resolves when the frames are on the disk. */
  append(write: SpoolWrite): Promise<void> {
    if (write.frames.length === 0) {
      write.keep();
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject });
      for (const frame of write.frames) this.#queueBytes += frame.length;
      this.#drainSoon();
    });
  }

  /** Ends the growing segment, so that it can be loaded; what was queued before is in it. */
  async seal(): Promise<void> {
    await this.#inTurn(() => this.#writeGroup());
    await this.#inTurn(() => this.#sealActive());
  }

  /** The oldest segments that wait to be loaded, journalled: they may be dropped once they are loaded. */
  async oldestSealed(): Promise<readonly SpoolSegment[]> {
    let bytes = 0;
    const segments = this.#sealed.slice(0, SEGMENTS_TOGETHER).filter((segment, index) => {
      bytes += segment.bytes;
      return index === 0 || bytes <= this.#options.segmentBytes;
    });
    await this.#journalise(segments.filter(({ unjournalled }) => unjournalled !== undefined));
    return segments;
  }

  /** Lets a loaded segment go. */
  async drop(segment: SpoolSegment): Promise<void> {
    await rm(segment.path, { force: true });
    const at = this.#sealed.findIndex((one) => one.number === segment.number);
    if (at === -1) return;
    this.#sealed.splice(at, 1);
    this.#sealedBytes -= segment.bytes;
  }

  /** Reads a sealed segment again and sets lines aside that the disk damaged; how many. */
  async repair(segment: SpoolSegment): Promise<number> {
    const { damagedLines } = await readSegment(this.#options.directory, segment.path);
    segment.isChecked = true;
    return damagedLines;
  }

  /** Ends the growing segment and lets the files go. */
  async close(): Promise<void> {
    if (this.#closed === "closed") return;
    await this.seal();
    this.#closed = "closed";
    await this.#inTurn(() => this.#journal.close());
  }

  #drainSoon(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    void this.#inTurn(() => this.#writeGroup()).finally(() => {
      this.#isDraining = false;
      // One group a turn: whoever wants to seal is let in between under any load.
      if (this.#queue.length > 0) this.#drainSoon();
    });
  }

  async #writeGroup(): Promise<void> {
    const group = this.#queue;
    if (group.length === 0) return;
    this.#queue = [];
    try {
      await this.#store(group);
    } catch (error) {
      this.#refuse([...group, ...this.#queue], error);
    }
    if ((this.#active?.file.bytes ?? 0) >= this.#options.segmentBytes) await this.#sealActive();
  }

  async #store(group: readonly Queued[]): Promise<void> {
    const active = await this.#activeSegment();
    const frames = group.flatMap(({ write }) => write.frames);
    const before = active.file.bytes;
    await active.file.append(frames);
    this.#queueBytes -= active.file.bytes - before;
    if (before === 0) this.#begin(active);
    for (const { write, resolve } of group) {
      active.sum.add(write.keep());
      resolve();
    }
  }

  /** The age of a segment counts from its first event: one that is empty waits for it. */
  #begin(active: Active): void {
    active.sinceMs = this.#options.now();
    active.timer = setTimeout(() => void this.seal(), this.#options.segmentAgeMs).unref();
  }

  /** All of it in one go: nothing can be queued between the failure and the giving back. */
  #refuse(writes: readonly Queued[], error: unknown): void {
    this.#queue = [];
    this.#queueBytes = 0;
    if (error instanceof UncertainSegment) this.#closed = "uncertain";
    const problem = problemOf(error);
    for (const { write, reject } of writes) {
      write.giveBack();
      reject(problem);
    }
  }

  async #activeSegment(): Promise<Active> {
    if (this.#active !== undefined) return this.#active;
    const number = this.#nextSegment;
    this.#nextSegment += 1;
    const file = await SegmentFile.create(this.#options.directory, segmentPath(this.#options.directory, number));
    this.#active = { number, file, sum: new ReceivedSum(), sinceMs: undefined, timer: undefined };
    return this.#active;
  }

  async #sealActive(): Promise<void> {
    const active = this.#active;
    if (active?.sinceMs === undefined || this.#closed !== undefined) return;
    this.#active = undefined;
    clearTimeout(active.timer);
    const { number, file, sinceMs, sum } = active;
    const { path, bytes } = file;
    this.#sealed.push({
      spool: this.#id,
      number,
      path,
      bytes,
      sinceMs,
      unjournalled: sum.entries(),
      position: this.#position,
      isChecked: true,
    });
    this.#sealedBytes += bytes;
    this.#lastSealed = number;
    // Everything in it is synced: a close that fails takes nothing back.
    await file.close().catch(() => undefined);
    this.#options.onSealed();
  }

  async #journalise(segments: readonly SpoolSegment[]): Promise<void> {
    const last = segments.at(-1);
    if (last === undefined) return;
    const spool = this.#id;
    await this.#journal.add(
      segments.map(({ number, position, unjournalled = [] }) => ({ spool, segment: number, position, instances: unjournalled })),
    );
    for (const segment of segments) segment.unjournalled = undefined;
    if (!this.#journal.isOverlong) return;
    await this.#journal.rewrite({ spool, segment: last.number, position: this.#position }, this.#options.received.durable());
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

const RETRY_AFTER_S = 5;
/** Segments loaded in one transaction, when they are small. */
const SEGMENTS_TOGETHER = 64;
/** What waits for the disk waits in memory. */
const QUEUE_BYTES_MAX = 64 * 1_048_576;

interface Queued {
  readonly write: SpoolWrite;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Active {
  readonly number: number;
  readonly file: SegmentFile;
  readonly sum: ReceivedSum;
  /** Absent while it is empty. */
  sinceMs: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** A disk that is full can become free again; any other fault is the machine's. */
function problemOf(error: unknown): ProblemError {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new ProblemError("disk_full", { what: "the events", retryAfterS: RETRY_AFTER_S });
  return unavailable(code ?? String(error));
}

function unavailable(reason: string): ProblemError {
  return new ProblemError("store_unavailable", { store: "The event store", reason, retryAfterS: RETRY_AFTER_S });
}
