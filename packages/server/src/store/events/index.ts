import { join } from "node:path";
import type { ClickHouseOptions } from "./clickhouse/engine.ts";
import { ChildEngine } from "./duckdb/child-engine.ts";
import type { DuckDbOptions } from "./duckdb/database.ts";
import type { Engine } from "./engine.ts";
import type { EventStore } from "./event-store.ts";
import { SpooledStore } from "./spooled-store.ts";

export type {
  Aggregate,
  AggregateRequest,
  ArmCell,
  Group,
  MetricQuery,
  OutcomeCell,
  PairCell,
  Paired,
  PairsRequest,
  QuantileCell,
  UnitValue,
} from "./aggregate/request.ts";
export { HELD_OUT, METRICS_MAX, OTHER_VALUES, REST } from "./aggregate/request.ts";
export type { ClickHouseOptions } from "./clickhouse/engine.ts";
export { IMPORT_SDK } from "./engine.ts";
export type {
  BatchEvents,
  Estimate,
  EventKind,
  EventQuery,
  EventStore,
  IncomingBatch,
  LedgerLine,
  PrintedSql,
  Pull,
  PullFormat,
} from "./event-store.ts";
export { rowsOf } from "./ndjson.ts";

export interface EventStoreOptions {
  /** Folder of the events; made when it is not there. One server at a time may have it. */
  readonly directory: string;
  /** Events waiting to be loaded may take so many bytes; beyond, new ones are refused. Default 2 GiB. */
  readonly spoolBytesMax?: number;
  /** A segment is loaded at this size, default 16 MiB, or at this age, default 1 s. */
  readonly segmentBytes?: number;
  readonly segmentAgeMs?: number;
  /** Where the database runs: a process of its own (the default), or this one, which is for tests and tools. */
  readonly database?: "process" | "here";
  /** Keeps events in ClickHouse instead of the embedded database. */
  readonly clickHouse?: ClickHouseOptions;
  readonly now?: () => number;
  /** Told, in words, when loading stops or the disk damaged something. */
  readonly log?: (message: string) => void;
}

/**
 * Opens the event store: a spool that acknowledges, DuckDB or ClickHouse behind it. Neither need be there at once.
 *
 * @example
 * const events = await openEventStore({ directory: join(dataDirectory, "events") });
 */
export async function openEventStore(options: EventStoreOptions): Promise<EventStore> {
  const {
    directory,
    spoolBytesMax = 2 ** 31,
    segmentBytes = 2 ** 24,
    segmentAgeMs = 1_000,
    now = Date.now,
    log = ignore,
  } = options;
  const spoolDirectory = join(directory, "spool");
  const engine = await openEngine(options, spoolDirectory, now);
  return SpooledStore.open({ directory: spoolDirectory, engine, segmentBytes, segmentAgeMs, spoolBytesMax, now, log });
}

async function openEngine(options: EventStoreOptions, spoolDirectory: string, now: () => number): Promise<Engine> {
  const { directory, clickHouse, database } = options;
  if (clickHouse !== undefined) {
    const { ClickHouseEngine } = await import("./clickhouse/engine.ts");
    const press = new ChildEngine({ directory: join(directory, "press"), spoolDirectory, idleMs: IDLE_MS });
    return ClickHouseEngine.open({ ...clickHouse, directory: join(directory, "clickhouse"), press, now });
  }
  const folders = { directory: join(directory, "duckdb"), spoolDirectory };
  return database === "here" ? openHere(folders) : new ChildEngine({ ...folders, idleMs: IDLE_MS });
}

/** The engine's library is read only where it runs: a server does without its 30 MB. */
async function openHere(folders: DuckDbOptions): Promise<Engine> {
  const { EventDatabase } = await import("./duckdb/database.ts");
  return EventDatabase.open(folders);
}

const IDLE_MS = 60_000;

function ignore(): void {}
