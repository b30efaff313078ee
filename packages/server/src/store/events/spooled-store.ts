import { cp } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { ProblemError } from "../../http/problem.ts";
import type { Aggregate, AggregateRequest, PairCell, PairsRequest } from "./aggregate/request.ts";
import { type Engine, EngineAway, type Extent } from "./engine.ts";
import type {
  AppendReceipt,
  Estimate,
  EventQuery,
  EventStore,
  EventStoreStatus,
  IncomingBatch,
  Lagging,
  LedgerLine,
  LedgerQuery,
  PrintedSql,
  Pull,
  PullRequest,
} from "./event-store.ts";
import { isDocument } from "./formats.ts";
import { Loading } from "./loading.ts";
import { patiently } from "./patience.ts";
import { documentBytes, rowBytes } from "./pull.ts";
import { instanceKey, Received } from "./received.ts";
import { encodeBatch } from "./spool/batch-frame.ts";
import { Spool } from "./spool/spool.ts";

export interface SpooledStoreOptions {
  /** Folder of the spool; made when it is not there. */
  readonly directory: string;
  readonly engine: Engine;
  /** A segment is handed to the engine at this size. */
  readonly segmentBytes: number;
  /** And at this age, which bounds how far reads are behind while nobody reads. */
  readonly segmentAgeMs: number;
  /** Events are refused while this much waits to be loaded. */
  readonly spoolBytesMax: number;
  readonly now: () => number;
  readonly log: (message: string) => void;
}

/** An event store of two parts: the spool acknowledges, the engine is loaded behind it and answers. */
export class SpooledStore implements EventStore {
  readonly #options: SpooledStoreOptions;
  readonly #engine: Engine;
  readonly #received: Received;
  readonly #spool: Spool;
  readonly #loading: Loading;
  #accepted = 0;
  #duplicates = 0;

  private constructor(options: SpooledStoreOptions, received: Received, spool: Spool, loading: Loading) {
    this.#options = options;
    this.#engine = options.engine;
    this.#received = received;
    this.#spool = spool;
    this.#loading = loading;
  }

  /** Opens the spool and goes on loading what the process before left. */
  static async open(options: SpooledStoreOptions): Promise<SpooledStore> {
    const received = new Received();
    const { directory, segmentBytes, segmentAgeMs, spoolBytesMax: bytesMax, now } = options;
    const onSealed = (): void => loading.start();
    const spool = await Spool.open({ directory, segmentBytes, segmentAgeMs, bytesMax, received, now, onSealed });
    const loading: Loading = new Loading(spool, options.engine, options.log);
    if (spool.hasSealed) loading.start();
    return new SpooledStore(options, received, spool, loading);
  }

  async append(batch: IncomingBatch): Promise<AppendReceipt> {
    this.#spool.checkRoom();
    this.#received.forget(batch.receivedAtMs - REMEMBERED_MS);
    const claim = this.#received.claim(instanceKey(batch), batch.receivedAtMs);
    const position = this.#spool.nextPosition(batch.exposures.length + batch.metrics.length);
    const { accepted, duplicates, frames } = encodeBatch(batch, claim, position);
    await this.#spool.append({ frames, keep: () => claim.keep(), giveBack: () => claim.giveBack() });
    this.#accepted += accepted;
    this.#duplicates += duplicates;
    return { accepted, duplicates };
  }

  async pull(request: PullRequest): Promise<Pull> {
    const after = positionOf(request.after);
    const bytesOf = this.#writing(request);
    const lagMs = await this.settle();
    const extent = await this.#ask(() => this.#engine.extent(request));
    return { rows: extent.rows, lagMs, pages: bytesOf(after, extent) };
  }

  async estimate(query: EventQuery): Promise<Estimate> {
    const lagMs = await this.settle();
    const { rows } = await this.#ask(() => this.#engine.extent(query));
    return { rows, lagMs };
  }

  print(query: EventQuery, files: string): PrintedSql {
    return this.#engine.print(query, files);
  }

  async ledger(query: LedgerQuery): Promise<readonly LedgerLine[]> {
    await this.settle();
    const lines = await this.#ask(() => this.#engine.ledger(query));
    return lines.map((line) => {
      const seenAtMs = this.#received.seenAtMs(instanceKey({ ...line, project: query.project }));
      return seenAtMs === undefined ? line : { ...line, seenAtMs };
    });
  }

  async aggregate(request: AggregateRequest): Promise<Aggregate & Lagging> {
    const lagMs = await this.settle();
    return { ...(await this.#ask(() => this.#engine.aggregate(request))), lagMs };
  }

  async pairs(request: PairsRequest): Promise<{ readonly cells: readonly PairCell[] } & Lagging> {
    const lagMs = await this.settle();
    return { cells: await this.#ask(() => this.#engine.pairs(request)), lagMs };
  }

  async retain(project: string, sinceMs: number): Promise<number> {
    await this.#settleAll();
    return this.#ask(() => this.#engine.retain(project, sinceMs));
  }

  async erase(project: string, unit: string): Promise<number> {
    await this.#settleAll();
    return this.#ask(() => this.#engine.erase(project, unit));
  }

  async copyTo(directory: string): Promise<boolean> {
    const engine = this.#engine;
    if (engine.copyTo === undefined) return false;
    // A segment in neither copy would be lost, and one whose number the copied database knows would be passed over.
    await this.#loading.paused(async () => {
      await cp(this.#options.directory, join(directory, "spool"), { recursive: true });
      await engine.copyTo?.(join(directory, "duckdb"));
    });
    return true;
  }

  async settle(timeoutMs: number = SETTLE_MS): Promise<number> {
    await this.#spool.seal();
    const through = this.#spool.lastSealed;
    const sinceMs = this.#spool.sinceMs;
    const isLoaded = await this.#loading.loaded(through, timeoutMs);
    if (isLoaded && this.#spool.fault === undefined) return 0;
    return sinceMs === undefined ? 0 : Math.max(0, this.#options.now() - sinceMs);
  }

  status(): EventStoreStatus {
    const { sinceMs, bytes } = this.#spool;
    return {
      spoolBytes: bytes,
      spoolBytesMax: this.#options.spoolBytesMax,
      lagMs: sinceMs === undefined ? 0 : Math.max(0, this.#options.now() - sinceMs),
      instances: this.#received.size,
      accepted: this.#accepted,
      duplicates: this.#duplicates,
      fault: this.#spool.fault ?? this.#loading.fault,
    };
  }

  async close(): Promise<void> {
    await this.#spool.close();
    const stopped = this.#loading.stop();
    // An engine that hangs is not waited for: what it was at is loaded at the next start, once.
    await Promise.race([stopped, pause(STOP_MS, undefined, { ref: false })]);
    await this.#engine.close();
    await stopped;
  }

  /** How the format of a pull is written. */
  #writing({ format, ...query }: PullRequest): (after: number, extent: Extent) => AsyncGenerator<Uint8Array> {
    const engine = this.#engine;
    if (!isDocument(format)) return (after, extent) => rowBytes(engine, { ...query, format }, after, extent);
    return (after, extent) => documentBytes(engine, { ...query, format }, after, extent);
  }

  /** What is to be forgotten may still be in the spool: it is forgotten only when everything is loaded. */
  async #settleAll(): Promise<void> {
    if ((await this.settle()) > 0) throw away("events received before still wait to be loaded");
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await patiently(question);
    } catch (error) {
      throw error instanceof EngineAway ? away(error.message) : error;
    }
  }
}

/** Sequence numbers of an instance that was silent for so long are forgotten. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;
const SETTLE_MS = 5_000;
const STOP_MS = 3_000;

function away(reason: string): ProblemError {
  return new ProblemError("store_unavailable", { store: "The event store", reason, retryAfterS: 5 });
}

function positionOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const position = /^\d{1,16}$/.test(cursor) ? Number(cursor) : Number.NaN;
  if (!Number.isSafeInteger(position)) throw new ProblemError("invalid_cursor", { field: "cursor", received: cursor });
  return position;
}
