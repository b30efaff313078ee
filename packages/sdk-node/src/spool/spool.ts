import { appendFileSync } from "node:fs";
import { type FileHandle, open, rm } from "node:fs/promises";
import { join } from "node:path";
import type { EventSpool, NumberedEvent } from "@belay/core/client";
import type { ArmLedger } from "@belay/protocol";
import { eventFileName, FILE_MODE, type OwnFolder } from "./folder.ts";
import { frame } from "./frame.ts";

/** What stands in a file of events, line by line; `SpoolHead` is the first. */
export interface SpoolHead {
  readonly spool: 1;
  readonly instance: string;
  readonly sdk: string;
}

export type SpoolLine =
  | NumberedEvent
  /** Every event up to this number was answered for. */
  | { readonly answered: number }
  /** Totals that take in every event above this line, also of earlier files. */
  | { readonly arms: readonly ArmLedger[] };

export interface SpoolLimits {
  /** A file is closed at this size; it is removed when all its events were answered for. */
  readonly fileBytes: number;
  /** Of all files of one instance. The ledger's own bound is lower: only files not yet removed could ever reach it. */
  readonly bytes: number;
  /** Lines that wait in memory for a disk that hangs. */
  readonly pendingBytes: number;
  /** What was written and not answered for after this time goes to the disk for good. */
  readonly syncAfterMs: number;
  /** After an error the disk is left alone for so long. */
  readonly retryAfterMs: number;
}

export const SPOOL_LIMITS: SpoolLimits = {
  fileBytes: 1024 * 1024,
  bytes: 32 * 1024 * 1024,
  pendingBytes: 4 * 1024 * 1024,
  syncAfterMs: 2_000,
  retryAfterMs: 5_000,
};

/**
 * The events of this run on disk, until the server answered for them.
 *
 * They are handed to the kernel at once, in the background and one write at a time; what it has survives `kill -9` of the
 * process, however it dies. Only a power cut loses what was not synced. Syncing each write would cost a turn of the
 * disk for events that are on the server within about a second anyway, so only those are synced that still wait for
 * their answer after two: with a server that answers the disk is never waited for, and without one a power cut loses
 * two seconds at most.
 */
export class Spool implements EventSpool {
  readonly #folder: OwnFolder;
  readonly #head: SpoolHead;
  readonly #limits: SpoolLimits;
  readonly #failed: (detail: string) => void;
  #totals: () => readonly ArmLedger[] = () => [];
  /** Lines that no write has taken yet, and those of the write under way. */
  #pending: Line[] = [];
  #underWay: readonly Line[] = [];
  #pendingBytes = 0;
  #hasNewTotals = false;
  #file: SpoolFile | undefined;
  #closedFiles: SpoolFile[] = [];
  #files = 0;
  #keptSeq = 0;
  #answeredSeq = 0;
  #spooled = 0;
  #isFailing = false;
  #isScheduled = false;
  #isClosed = false;
  #writing: Promise<void> = Promise.resolve();
  #syncTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;

  constructor(folder: OwnFolder, head: SpoolHead, failed: (detail: string) => void, limits: SpoolLimits = SPOOL_LIMITS) {
    this.#folder = folder;
    this.#head = head;
    this.#failed = failed;
    this.#limits = limits;
  }

  get spooled(): number {
    return this.#spooled;
  }

  open(totals: () => readonly ArmLedger[]): void {
    this.#totals = totals;
  }

  keep(numbered: NumberedEvent): boolean {
    if (this.#isClosed) return false;
    const bytes = frame(numbered);
    if (this.#pendingBytes + bytes.length > this.#limits.pendingBytes || this.#bytes() + bytes.length > this.#limits.bytes) {
      this.#failed("it is full; further events have only the memory");
      return false;
    }
    this.#keptSeq = numbered.event.seq;
    this.#add({ bytes, seq: numbered.event.seq });
    return true;
  }

  counted(): void {
    this.#hasNewTotals = true;
    this.#schedule();
  }

  answered(seq: number): void {
    this.#answeredSeq = seq;
    // Of a spool that nothing was written to there is nothing to say.
    if (this.#files > 0 || this.#pending.length > 0) this.#add({ bytes: frame({ answered: seq }), seq: 0 });
  }

  /** Writes what is not written yet and leaves the folder, with what was not answered for. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retryTimer);
    clearTimeout(this.#syncTimer);
    this.#isFailing = false;
    await this.#writing;
    await this.#write();
    await this.#file?.end(true).catch(() => {});
    await this.#folder.leave(this.#isAllAnswered());
  }

  /** Writes what is not written yet, at once: the process ends with this turn. What was under way may be written twice. */
  saveNow(): void {
    const lines = [...this.#underWay, ...this.#pending];
    if (lines.length === 0) return;
    try {
      this.#folder.makeNow();
      this.#files += 1;
      const path = join(this.#folder.path, eventFileName(this.#head.instance, this.#files));
      appendFileSync(path, Buffer.concat([frame(this.#head), ...lines.map((line) => line.bytes), this.#totalsLine()]), {
        mode: FILE_MODE,
      });
      this.#pending = [];
    } catch (error) {
      this.#failed(codeOf(error));
    }
  }

  #isAllAnswered(): boolean {
    return this.#answeredSeq >= this.#keptSeq;
  }

  #add(line: Line): void {
    this.#pending.push(line);
    this.#pendingBytes += line.bytes.length;
    this.#schedule();
  }

  /** At the end of this turn: all events of a turn are one write. */
  #schedule(): void {
    if (this.#isScheduled || this.#isFailing || this.#isClosed) return;
    this.#isScheduled = true;
    this.#writing = this.#writing.then(() => {
      this.#isScheduled = false;
      return this.#write();
    });
  }

  async #write(): Promise<void> {
    const isWorthIt = this.#pending.length > 0 || (this.#hasNewTotals && this.#file !== undefined);
    if (!isWorthIt || this.#isFailing) return;
    try {
      const file = await this.#fileForMore();
      this.#takePending(file);
      await file.append(
        Buffer.concat([...file.head, ...this.#underWay.map((line) => line.bytes), this.#totalsLine(file.isEmpty)]),
      );
    } catch (error) {
      await this.#stumble(codeOf(error));
      return;
    }
    this.#spooled += this.#underWay.filter((line) => line.seq > 0).length;
    this.#underWay = [];
    this.#syncLater();
    await this.#tidy().catch((error) => this.#failed(codeOf(error)));
  }

  /** Within one turn with the totals that are written behind: they take in every event above, and none that comes later. */
  #takePending(file: SpoolFile): void {
    this.#underWay = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    file.lastSeq = this.#underWay.reduce((last, line) => Math.max(last, line.seq), file.lastSeq);
  }

  async #fileForMore(): Promise<SpoolFile> {
    const { fileBytes } = this.#limits;
    if (this.#file !== undefined && this.#file.bytes < fileBytes) return this.#file;
    if (this.#file !== undefined) this.#closedFiles.push(this.#file);
    this.#file = undefined;
    await this.#folder.make();
    this.#files += 1;
    this.#file = new SpoolFile(join(this.#folder.path, eventFileName(this.#head.instance, this.#files)), frame(this.#head));
    return this.#file;
  }

  /** A new file needs totals of its own: those before it may be gone when it is read. */
  #totalsLine(isNeeded = true): Buffer {
    if (!isNeeded && !this.#hasNewTotals) return Buffer.alloc(0);
    this.#hasNewTotals = false;
    return frame({ arms: this.#totals() });
  }

  /** Removes files of which every event was answered for; the one that is written to only when it has grown. */
  async #tidy(): Promise<void> {
    const file = this.#file;
    if (file !== undefined && this.#isAllAnswered() && this.#pending.length === 0 && file.bytes > this.#limits.fileBytes / 4) {
      this.#closedFiles.push(file);
      this.#file = undefined;
    }
    const isDone = (closed: SpoolFile): boolean => closed.lastSeq <= this.#answeredSeq;
    const done = this.#closedFiles.filter(isDone);
    this.#closedFiles = this.#closedFiles.filter((closed) => !isDone(closed));
    for (const closed of done) await closed.remove();
    for (const closed of this.#closedFiles) await closed.end(true);
  }

  #syncLater(): void {
    if (this.#isClosed || this.#isAllAnswered()) return;
    this.#syncTimer ??= setTimeout(() => {
      this.#syncTimer = undefined;
      if (this.#isAllAnswered()) return;
      this.#writing = this.#writing.then(() => this.#file?.sync()).catch((error) => this.#failed(codeOf(error)));
    }, this.#limits.syncAfterMs).unref();
  }

  /** What could not be written waits, and goes to a new file: nobody knows where the old one ends. */
  async #stumble(code: string): Promise<void> {
    this.#failed(code);
    this.#pending = [...this.#underWay, ...this.#pending];
    this.#underWay = [];
    this.#pendingBytes = this.#pending.reduce((sum, line) => sum + line.bytes.length, 0);
    this.#hasNewTotals = true;
    if (this.#file !== undefined) this.#closedFiles.push(this.#file);
    this.#file = undefined;
    for (const closed of this.#closedFiles) await closed.end(false).catch(() => {});
    if (this.#isClosed) return;
    this.#isFailing = true;
    this.#retryTimer = setTimeout(() => {
      this.#isFailing = false;
      this.#schedule();
    }, this.#limits.retryAfterMs).unref();
  }

  #bytes(): number {
    return this.#closedFiles.reduce((sum, file) => sum + file.bytes, (this.#file?.bytes ?? 0) + this.#pendingBytes);
  }
}

interface Line {
  readonly bytes: Buffer;
  /** 0: it is no event. */
  readonly seq: number;
}

/** One file of events, made with its first write. */
class SpoolFile {
  readonly path: string;
  readonly #headLine: Buffer;
  #handle: FileHandle | undefined;
  bytes = 0;
  lastSeq = 0;

  constructor(path: string, headLine: Buffer) {
    this.path = path;
    this.#headLine = headLine;
  }

  get isEmpty(): boolean {
    return this.bytes === 0;
  }

  get head(): readonly Buffer[] {
    return this.isEmpty ? [this.#headLine] : [];
  }

  async append(buffer: Buffer): Promise<void> {
    this.#handle ??= await open(this.path, "ax", FILE_MODE);
    this.bytes += buffer.length;
    await this.#handle.appendFile(buffer);
  }

  async sync(): Promise<void> {
    await this.#handle?.datasync();
  }

  async end(isSynced: boolean): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    if (isSynced) await handle?.datasync();
    await handle?.close();
  }

  async remove(): Promise<void> {
    await this.end(false);
    await rm(this.path, { force: true });
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error);
}
