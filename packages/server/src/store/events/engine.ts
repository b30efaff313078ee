import type { Aggregate, AggregateRequest, PairCell, PairsRequest } from "./aggregate/request.ts";
import type { DocumentFormat, EventQuery, LedgerLine, LedgerQuery, PrintedSql, RowFormat } from "./event-store.ts";

/**
 * What an event store needs of a database. The spool in front of it acknowledges; the engine only has to load whole
 * segments, each once, and to answer.
 */
export interface Engine {
  /** Loads segments of one spool, all of them or none. Those that were loaded before are passed over. */
  readonly load: (segments: readonly LoadableSegment[]) => Promise<void>;
  readonly extent: (query: EventQuery) => Promise<Extent>;
  readonly page: (request: PageRequest) => Promise<Page>;
  /**
   * The same rows as a whole Parquet file or Arrow IPC stream, also when there are none; columns and types are those of
   * `formats.ts`.
   */
  readonly document: (request: DocumentRequest) => Promise<Page>;
  /** @param files what pulls of these events as Parquet are called, with `*` in it, for engines that nobody else can ask. */
  readonly print: (query: EventQuery, files: string) => PrintedSql;
  readonly ledger: (query: LedgerQuery) => Promise<readonly LedgerLine[]>;
  readonly aggregate: (request: AggregateRequest) => Promise<Aggregate>;
  readonly pairs: (request: PairsRequest) => Promise<readonly PairCell[]>;
  readonly retain: (project: string, sinceMs: number) => Promise<number>;
  readonly erase: (project: string, unit: string) => Promise<number>;
  /** Copies its files while nothing changes them; absent where they are not ours to copy. Nothing may be loading. */
  readonly copyTo?: (directory: string) => Promise<void>;
  readonly close: () => Promise<void>;
}

/** A segment file of the spool, named for ever by the spool's id and its own number. */
export interface LoadableSegment {
  readonly spool: string;
  readonly number: number;
  readonly path: string;
}

/** Where the rows of a query lie in the order of arrival. */
export interface Extent {
  readonly rows: number;
  /** Positions of the first and the last of them; absent when there is none. */
  readonly first?: number;
  readonly last?: number;
}

export interface PageRequest extends SpanRequest {
  readonly format: RowFormat;
}

export interface DocumentRequest extends SpanRequest {
  readonly format: DocumentFormat;
}

/** Which columns a document has, and how it is written. */
export type DocumentOf = Pick<DocumentRequest, "kind" | "format">;

/** Makes whole documents of lines, for engines that write none: each line an object, free-form columns as their text. */
export interface Press {
  readonly press: (request: DocumentOf, lines: Uint8Array) => Promise<Uint8Array>;
  readonly close: () => Promise<void>;
}

interface SpanRequest extends EventQuery {
  /** Positions above `after` and up to `through`. */
  readonly after: number;
  readonly through: number;
  readonly limit: number;
}

/** Rows in their format, in the order of arrival. */
export interface Page {
  readonly bytes: Uint8Array;
  readonly rows: number;
  /** Position of the last of them; absent when there is none. */
  readonly last?: number;
  /** Bytes its free-form columns took while it was made, where they may be many more than those of `bytes`. */
  readonly weight?: number;
}

/** An exposure that waited for longer in its application was held up: by a network that was away, or a process that was. */
export const LATE_MS: number = 60_000;

/** What imported events have as their `sdk`. They are history: none of them is late. */
export const IMPORT_SDK = "import";

/** The engine did not answer: it is starting again, or away. The same call may be made again. */
export class EngineAway extends Error {
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
    this.name = "EngineAway";
  }
}
