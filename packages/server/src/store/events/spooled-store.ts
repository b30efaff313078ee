import { cp } from "node:fs/promises";
import { join } from "node:path";
import { ProblemError } from "../../http/problem.ts";
import { Acknowledger, type AcknowledgerOptions } from "./acknowledger.ts";
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
import { patiently } from "./patience.ts";
import { documentBytes, rowBytes } from "./pull.ts";
import { instanceKey } from "./received.ts";

export interface SpooledStoreOptions extends Omit<AcknowledgerOptions, "load"> {
  readonly engine: Engine;
}

/** An event store of two parts: the spool acknowledges, the engine is loaded behind it and answers. */
export class SpooledStore implements EventStore {
  readonly #directory: string;
  readonly #engine: Engine;
  readonly #acknowledger: Acknowledger;

  private constructor(directory: string, engine: Engine, acknowledger: Acknowledger) {
    this.#directory = directory;
    this.#engine = engine;
    this.#acknowledger = acknowledger;
  }

  /** Opens the spool and goes on loading what the process before left. */
  static async open({ engine, ...options }: SpooledStoreOptions): Promise<SpooledStore> {
    const load: Engine["load"] = (segments) => engine.load(segments);
    return new SpooledStore(options.directory, engine, await Acknowledger.open({ ...options, load }));
  }

  append(batch: IncomingBatch): Promise<AppendReceipt> {
    return this.#acknowledger.append(batch);
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
      const seenAtMs = this.#acknowledger.seenAtMs(instanceKey({ ...line, project: query.project }));
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
    await this.#acknowledger.paused(async () => {
      await cp(this.#directory, join(directory, "spool"), { recursive: true });
      await engine.copyTo?.(join(directory, "duckdb"));
    });
    return true;
  }

  settle(timeoutMs?: number): Promise<number> {
    return this.#acknowledger.settle(timeoutMs);
  }

  status(): EventStoreStatus {
    return this.#acknowledger.status();
  }

  close(): Promise<void> {
    return this.#acknowledger.close(() => this.#engine.close());
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

function away(reason: string): ProblemError {
  return new ProblemError("store_unavailable", { store: "The event store", reason, retryAfterS: 5 });
}

function positionOf(cursor: string | undefined): number {
  if (cursor === undefined) return 0;
  const position = /^\d{1,16}$/.test(cursor) ? Number(cursor) : Number.NaN;
  if (!Number.isSafeInteger(position)) throw new ProblemError("invalid_cursor", { field: "cursor", received: cursor });
  return position;
}
