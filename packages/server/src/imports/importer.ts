/*
 * Imports, one at a time and at the pace of the event store:
 *
 *   body ─> incoming file ─> opened once: is it what it says?  ─> taken: from here on it survives this process
 *   taken file ─> reading process ─> 1,000 rows ─> event store ─> record of how far it came ─> the next ones
 *
 * A row is an event of the instance `import-<id>` whose sequence number is the row's. So rows that come again, because the
 * process was killed before it noted them, count once by the same rule as an SDK's.
 */
import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { hostname } from "node:os";
import type { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { ProblemError } from "../http/problem.ts";
import { type EventStore, IMPORT_SDK, type IncomingBatch } from "../store/events/index.ts";
import type { ImportPlace } from "./domain.ts";
import { ImportFolder } from "./import-folder.ts";
import { hasEnded, type ImportRecord, importId, instanceOf } from "./import-record.ts";
import { type IncomingFile, receiveFile } from "./incoming.ts";
import type { ImportPlan } from "./plan.ts";
import { Reader, RefusedFile } from "./reader.ts";
import type { RowBatch } from "./reading.ts";

export interface ImporterOptions {
  /** Folder of the imports; made when it is not there. */
  readonly directory: string;
  readonly events: Pick<EventStore, "append" | "status">;
  readonly now: () => number;
  /** Bytes of one file, inflated. Default 16 GiB. */
  readonly fileBytesMax?: number;
  /** A sender that is silent for so long is given up on. Default 30 s. */
  readonly silenceMs?: number;
  readonly log?: (message: string) => void;
  /** Tells others how an import ended; what fails is tried again. */
  readonly onEnd?: (record: ImportRecord, place: ImportPlace) => Promise<void>;
}

/** Where a file goes and how it is read. */
export interface ImportOrder {
  readonly project: string;
  readonly environment: string;
  readonly plan: ImportPlan;
  readonly encoding: "gzip" | "identity";
}

/** A file that arrived and fits its plan; and the import it is, known before or not. */
export interface Arrival {
  readonly record: ImportRecord;
  /** Absent when the import is under way or done: there is nothing to begin. */
  readonly file?: IncomingFile;
}

export class Importer {
  readonly #options: ImporterOptions;
  readonly #folder: ImportFolder;
  readonly #records: Map<string, ImportRecord>;
  readonly #queue: string[];
  #run: { readonly id: string; readonly stop: AbortController } | undefined;
  #working: Promise<void> | undefined;
  #isClosed = false;
  #telling: Promise<void> | undefined;
  #tellLater: NodeJS.Timeout | undefined;

  private constructor(options: ImporterOptions, folder: ImportFolder, records: readonly ImportRecord[]) {
    const sorted = records.toSorted((a, b) => a.createdAtMs - b.createdAtMs);
    this.#options = options;
    this.#folder = folder;
    this.#records = new Map(sorted.map((record) => [record.id, record]));
    this.#queue = sorted.filter((record) => !hasEnded(record)).map(({ id }) => id);
  }

  /** Opens the folder and goes on with what the process before did not finish. */
  static async open(options: ImporterOptions): Promise<Importer> {
    const folder = await ImportFolder.open(options.directory);
    const importer = new Importer(options, folder, await folder.records());
    importer.#work();
    importer.#tell();
    return importer;
  }

  /**
   * Takes a body in. Nothing counts yet: `begin` what it returns, or `abandon` it.
   *
   * @throws as `receiveFile` does, and `invalid_field` for a file that is not what it should be or lacks a column.
   */
  async receive(body: Readable, order: ImportOrder): Promise<Arrival> {
    const { fileBytesMax: bytesMax = 16 * 2 ** 30, silenceMs = 30_000, now } = this.#options;
    const { encoding, ...what } = order;
    const file = await receiveFile(body, { path: this.#folder.incoming(randomUUID()), encoding, bytesMax, silenceMs });
    const id = importId({ ...what, hash: file.hash });
    const known = this.#records.get(id);
    if (known !== undefined && (known.state === "finished" || !hasEnded(known))) {
      await rm(file.path, { force: true });
      return { record: known };
    }
    await this.#probe(file, order.plan);
    const record = known ?? { id, ...what, bytes: file.bytes, createdAtMs: now(), ...FRESH };
    return { record: waiting(record), file };
  }

  /** Begins what arrived. It goes on in its own time, over restarts too. */
  async begin({ record, file }: Arrival): Promise<ImportRecord> {
    const known = this.#records.get(record.id);
    // The same file may have arrived twice at once: one of them begins.
    if (file === undefined || (known !== undefined && (known.state === "finished" || !hasEnded(known)))) {
      await this.abandon({ record, ...(file === undefined ? {} : { file }) });
      return known ?? record;
    }
    this.#records.set(record.id, record);
    try {
      await this.#folder.take(file, record);
    } catch (error) {
      if (known === undefined) this.#records.delete(record.id);
      else this.#records.set(record.id, known);
      throw error;
    }
    this.#queue.push(record.id);
    this.#work();
    return record;
  }

  async abandon({ file }: Arrival): Promise<void> {
    if (file !== undefined) await rm(file.path, { force: true });
  }

  /** Where the files of its imports are. */
  get place(): ImportPlace {
    return { server: hostname(), folder: this.#folder.id };
  }

  /** The imports of a project, the newest first. */
  list(project: string): readonly ImportRecord[] {
    return [...this.#records.values()].filter((record) => record.project === project).reverse();
  }

  find(project: string, id: string): ImportRecord | undefined {
    const record = this.#records.get(id);
    return record?.project === project ? record : undefined;
  }

  /** The rejected rows of an import: a file, and how much of it counts. */
  rejected({ id, rejectedBytes }: ImportRecord): { readonly path: string; readonly bytes: number } {
    return { path: this.#folder.rejected(id), bytes: rejectedBytes };
  }

  /** Reads no further; what was stored stays. One that has ended stays as it is. */
  async cancel({ id }: ImportRecord): Promise<ImportRecord> {
    const record = this.#recordOf(id);
    if (hasEnded(record)) return record;
    if (this.#run?.id === id) {
      this.#run.stop.abort();
      // The rows that are being stored are noted before it ends.
      await this.#working;
    } else {
      this.#queue.splice(this.#queue.indexOf(id), 1);
      await this.#end(id, { state: "cancelled" });
    }
    return this.#recordOf(id);
  }

  /** Stops reading. What is under way goes on at the next start. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#tellLater);
    this.#run?.stop.abort();
    await this.#working;
    await this.#telling;
  }

  /** Opens the file once, so that one that cannot be meant is refused before anything is promised. */
  async #probe(file: IncomingFile, plan: ImportPlan): Promise<void> {
    try {
      const reader = await Reader.open(file.path, plan);
      await reader.close();
    } catch (error) {
      await rm(file.path, { force: true });
      throw error instanceof RefusedFile ? refusalOf(error) : error;
    }
  }

  #work(): void {
    if (this.#isClosed || this.#working !== undefined) return;
    const id = this.#queue.shift();
    if (id === undefined) return;
    this.#working = this.#import(id).finally(() => {
      this.#working = undefined;
      this.#work();
    });
  }

  async #import(id: string): Promise<void> {
    const stop = new AbortController();
    this.#run = { id, stop };
    try {
      await this.#read(id, stop.signal);
      await this.#end(id, { state: "finished" });
    } catch (error) {
      if (this.#isClosed) await this.#note(id, {}).catch(() => undefined);
      else if (stop.signal.aborted) await this.#end(id, { state: "cancelled" });
      else await this.#fail(id, error);
    } finally {
      this.#run = undefined;
    }
  }

  async #read(id: string, signal: AbortSignal): Promise<void> {
    const { plan, through } = this.#recordOf(id);
    const reader = await Reader.open(this.#folder.file(id), plan);
    const end = (): void => void reader.close();
    signal.addEventListener("abort", end);
    try {
      if (this.#recordOf(id).rowsTotal === undefined) {
        await this.#note(id, { state: "checking" });
        const rowsTotal = await reader.count();
        await this.#note(id, { rowsTotal });
      }
      await this.#note(id, { state: "reading" });
      let notedMs = 0;
      for await (const batch of reader.batches(through)) {
        signal.throwIfAborted();
        await this.#store(id, batch, signal);
        if (performance.now() - notedMs < NOTE_MS) continue;
        await this.#note(id, {});
        notedMs = performance.now();
      }
      signal.throwIfAborted();
    } finally {
      signal.removeEventListener("abort", end);
      await reader.close();
    }
  }

  async #store(id: string, batch: RowBatch, signal: AbortSignal): Promise<void> {
    const record = this.#recordOf(id);
    await this.#append(record, batch, signal);
    const kept = batch.rejected.slice(0, Math.max(0, REJECTED_MAX - record.rejectedKept));
    const rejectedBytes = await this.#folder.reject(record, kept);
    this.#records.set(id, {
      ...this.#recordOf(id),
      rows: record.rows + batch.rows,
      accepted: record.accepted + batch.texts.length,
      rejected: record.rejected + batch.rejected.length,
      through: batch.through,
      rejectedKept: record.rejectedKept + kept.length,
      rejectedBytes,
    });
  }

  /** Stores the events of some rows; a store that is full or away is waited for. */
  async #append(record: ImportRecord, rows: RowBatch, signal: AbortSignal): Promise<void> {
    if (rows.texts.length === 0) return;
    await this.#room(signal);
    for (let failures = 0; ; failures += 1) {
      try {
        await this.#options.events.append(batchOf(record, rows, this.#options.now()));
        if (failures > 0) this.#records.set(record.id, without(this.#recordOf(record.id), "fault"));
        return;
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error;
        this.#records.set(record.id, { ...this.#recordOf(record.id), fault: `it waits: ${error.code}` });
        await pause(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** failures), undefined, { signal });
      }
    }
  }

  /** Most of the spool is kept for what SDKs send: an import can wait, they cannot. */
  async #room(signal: AbortSignal): Promise<void> {
    for (;;) {
      const { spoolBytes, spoolBytesMax } = this.#options.events.status();
      if (spoolBytes <= SPOOL_SHARE * spoolBytesMax) return;
      await pause(RETRY_MS_MIN, undefined, { signal });
    }
  }

  async #note(id: string, change: Partial<ImportRecord>): Promise<void> {
    const record = { ...this.#recordOf(id), ...change };
    this.#records.set(id, record);
    await this.#folder.write(record);
  }

  async #end(id: string, change: Pick<ImportRecord, "state" | "fault">): Promise<void> {
    await this.#note(id, { ...change, endedAtMs: this.#options.now() });
    await this.#folder.forgetFile(id);
    this.#tell();
  }

  /** Tells of those that ended and are not told yet, over restarts too; nothing waits for it. */
  #tell(): void {
    const { onEnd, log } = this.#options;
    if (onEnd === undefined || this.#telling !== undefined || this.#isClosed) return;
    clearTimeout(this.#tellLater);
    const untold = [...this.#records.values()].filter((record) => hasEnded(record) && record.isTold !== true);
    if (untold.length === 0) return;
    this.#telling = (async () => {
      for (const record of untold) {
        await onEnd(record, this.place);
        // Sent again meanwhile it has another end to tell.
        if (this.#recordOf(record.id).endedAtMs === record.endedAtMs) await this.#note(record.id, { isTold: true });
      }
    })()
      .catch((error: unknown) => log?.(`an import's end is not told yet: ${String(error)}`))
      .finally(() => {
        this.#telling = undefined;
        if (!this.#isClosed) this.#tellLater = setTimeout(() => this.#tell(), TELL_AGAIN_MS).unref();
      });
  }

  async #fail(id: string, error: unknown): Promise<void> {
    const fault = error instanceof Error ? error.message : String(error);
    this.#options.log?.(`import ${id} failed: ${fault}`);
    await this.#end(id, { state: "failed", fault }).catch((again: unknown) => this.#options.log?.(String(again)));
  }

  #recordOf(id: string): ImportRecord {
    const record = this.#records.get(id);
    if (record === undefined) throw new ProblemError("import_not_found", { key: id });
    return record;
  }
}

/** How often the record is written while rows are stored: what was stored since is read and passed over after a crash. */
const NOTE_MS = 500;
/** Rejected rows written down; a file of which more are wrong is read with the wrong plan. */
const REJECTED_MAX = 100_000;
const SPOOL_SHARE = 0.25;
const TELL_AGAIN_MS = 5_000;
const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5_000;

const FRESH = { rows: 0, accepted: 0, rejected: 0, through: 0, rejectedKept: 0, rejectedBytes: 0, state: "waiting" } as const;

function waiting(record: ImportRecord): ImportRecord {
  return { ...without(without(without(record, "fault"), "endedAtMs"), "isTold"), state: "waiting" };
}

function without(record: ImportRecord, name: "fault" | "endedAtMs" | "isTold"): ImportRecord {
  const { [name]: _, ...rest } = record;
  return rest;
}

function batchOf(record: ImportRecord, rows: RowBatch, receivedAtMs: number): IncomingBatch {
  const { project, environment } = record;
  const { exposures, metrics, texts, through } = rows;
  return {
    project,
    environment,
    instance: instanceOf(record),
    sdk: IMPORT_SDK,
    batchId: String(through),
    receivedAtMs,
    // The times of a file are history, not a clock: there is none to compare with.
    clockOffsetMs: 0,
    exposures,
    attributes: exposures.length > 0 ? texts : [],
    metrics,
    properties: metrics.length > 0 ? texts : [],
    counts: [],
    ledger: [],
  };
}

function refusalOf({ message, missing }: RefusedFile): ProblemError {
  if (missing === undefined) return new ProblemError("unreadable_file", { reason: message });
  const { field, column, columns } = missing;
  return new ProblemError("invalid_field", { field, received: column, allowed: columns, reason: message });
}
