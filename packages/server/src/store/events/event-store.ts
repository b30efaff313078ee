import type { ArmLedger, DuplicateTally, EvaluationCount, Exposure, MetricEvent } from "@belay/protocol";
import type { Aggregate, AggregateRequest, PairCell, PairsRequest } from "./aggregate/request.ts";

/**
 * Keeps exposures and metric events durably and once, gives them back in the order they arrived, and forgets what it is
 * told to forget. Refusals are `ProblemError`s of the codes named at each method.
 */
export interface EventStore {
  /**
   * Takes a batch. Resolves once every event in it is on the disk: then, and only then, it may be acknowledged.
   *
   * @throws `spool_full` when the events waiting to be loaded reached their bound, `disk_full`, `store_unavailable`;
   * nothing of the batch is stored then, and the same batch may be sent again.
   */
  readonly append: (batch: IncomingBatch) => Promise<AppendReceipt>;
  /**
   * Streams the events that fit a query, in order of arrival. Every event acknowledged before the call is among them
   * unless `lagMs` says otherwise; events that arrive later are not, so that a pull ends.
   *
   * @throws `invalid_cursor`, `store_unavailable`; the stream of pages itself fails only when the engine stays away.
   */
  readonly pull: (request: PullRequest) => Promise<Pull>;
  /** How many events fit a query, without reading them. Exact at the moment it is asked. */
  readonly estimate: (query: EventQuery) => Promise<Estimate>;
  /** The events of a query as a statement that a person runs where these events are, or over files pulled before. */
  readonly print: (query: EventQuery, files: string) => PrintedSql;
  /** What each instance says it made, beside what is stored of it, per arm. */
  readonly ledger: (query: LedgerQuery) => Promise<readonly LedgerLine[]>;
  /**
   * What the units of one experiment did, as sums of which every statistic is made. Shows every event acknowledged before the
   * call unless `lagMs` says otherwise.
   *
   * @throws `store_unavailable`.
   */
  readonly aggregate: (request: AggregateRequest) => Promise<Aggregate & Lagging>;
  /** How the units of several experiments and one metric lie over the arms of each two of them. @throws `store_unavailable`. */
  readonly pairs: (request: PairsRequest) => Promise<{ readonly cells: readonly PairCell[] } & Lagging>;
  /** Forgets everything of a project received before a moment; the number of exposures and metric events gone. */
  readonly retain: (project: string, sinceMs: number) => Promise<number>;
  /** Forgets one unit of a project, in every environment; the number of exposures and metric events gone. */
  readonly erase: (project: string, unit: string) => Promise<number>;
  /**
   * Copies everything into a new folder, as of one moment: what was acknowledged before the call is in it. Events are taken
   * meanwhile, questions wait. False where the events are kept by a server of their own, which has backups of its own.
   */
  readonly copyTo: (directory: string) => Promise<boolean>;
  /** Waits until every event acknowledged so far can be read, at most `timeoutMs`; how far behind reads still are, in ms. */
  readonly settle: (timeoutMs?: number) => Promise<number>;
  readonly status: () => EventStoreStatus;
  /** Finishes what was begun and lets the files go. What was acknowledged and not loaded yet is loaded at the next start. */
  readonly close: () => Promise<void>;
}

/** A batch that was read and checked: what is in it is stored as it is. */
/** The events of a batch, one kind beside the other. */
export interface BatchEvents {
  readonly exposures: readonly Exposure[];
  /** JSON text of each exposure's attributes, in the same order. */
  readonly attributes: readonly (string | undefined)[];
  readonly metrics: readonly MetricEvent[];
  /** JSON text of each metric event's properties, in the same order. */
  readonly properties: readonly (string | undefined)[];
  readonly counts: readonly EvaluationCount[];
  readonly ledger: readonly ArmLedger[];
}

export interface IncomingBatch extends BatchEvents {
  readonly project: string;
  readonly environment: string;
  readonly instance: string;
  readonly sdk: string;
  readonly batchId: string;
  /** This server's clock. */
  readonly receivedAtMs: number;
  /** This server's clock less the sender's: what its times would have to be moved by. Kept, never applied. */
  readonly clockOffsetMs: number;
  /** Exposures that a relay was sent again and left out. */
  readonly duplicates?: readonly DuplicateTally[];
}

/** Exposures and metric events taken now, and those that were there already. */
export interface AppendReceipt {
  readonly accepted: number;
  readonly duplicates: number;
}

export interface Lagging {
  /** Age of the oldest acknowledged event that an answer may not show; 0 when it shows all. */
  readonly lagMs: number;
}

/** The two kinds of events, each with its own columns. */
export type EventKind = "exposures" | "metrics";

/** Which events are meant. What is absent does not narrow. */
export interface EventQuery {
  readonly kind: EventKind;
  readonly project: string;
  /** Any of these. */
  readonly environments?: readonly string[];
  /** Exposures only. */
  readonly flag?: string;
  readonly experiment?: string;
  readonly release?: string;
  readonly variant?: string;
  /** Those whose units would have got another value outside their arm, or would not; where it is not known, neither. */
  readonly differs?: boolean;
  /** Metric events only. */
  readonly name?: string;
  readonly unit?: string;
  /** One unit in so many, each with everything it did: which ones is the engine's own choice, and always the same. */
  readonly oneUnitIn?: number;
  /** Received at or after this moment. */
  readonly fromMs?: number;
  /** Received before this moment. */
  readonly toMs?: number;
}

/** A statement, and in whose words it is. */
export interface PrintedSql {
  readonly dialect: "duckdb" | "clickhouse";
  readonly sql: string;
}

/** Formats that are rows one after the other. */
export type RowFormat = "ndjson" | "csv";
/** Formats that are one document by column. */
export type DocumentFormat = "parquet" | "arrow";
export type PullFormat = RowFormat | DocumentFormat;

export interface PullRequest extends EventQuery {
  readonly format: PullFormat;
  /** The `cursor` of the last row one has: the pull goes on after it. */
  readonly after?: string;
  /** At most so many rows. */
  readonly limit?: number;
}

export interface Pull {
  /** Rows of the whole query, the limit and the cursor set aside. */
  readonly rows: number;
  /** Age of the oldest acknowledged event that this pull may not show; 0 when it shows all. */
  readonly lagMs: number;
  /** The rows in their format, CSV with its header line first. Back-pressure is that of the reader. */
  readonly pages: AsyncIterable<Uint8Array>;
}

export interface Estimate {
  readonly rows: number;
  readonly lagMs: number;
}

export interface LedgerQuery {
  readonly project: string;
  readonly environments?: readonly string[];
  readonly experiment?: string;
  readonly release?: string;
}

/** One arm in one instance. */
export interface LedgerLine {
  readonly environment: string;
  readonly instance: string;
  readonly experiment: string | undefined;
  readonly release: string | undefined;
  readonly variant: string;
  /** As the instance said last; 0 when it never did. */
  readonly produced: number;
  readonly dropped: number;
  /** Taken in, whatever was forgotten since. */
  readonly stored: number;
  /** Exposures that came again and were not stored again. */
  readonly duplicates: number;
  /** Of those stored, the ones sent more than a minute after they were made, by the sender's own clock. Absent: not known. */
  readonly late?: number;
  /** When the instance was last heard; absent when that is longer ago than the store remembers: 7 days. */
  readonly seenAtMs?: number;
}

export interface EventStoreStatus {
  /** Bytes acknowledged and not loaded yet, and the bound at which new events are refused. */
  readonly spoolBytes: number;
  readonly spoolBytesMax: number;
  /** Age of the oldest acknowledged event that reads do not show yet. */
  readonly lagMs: number;
  /** Instances whose sequence numbers are remembered. */
  readonly instances: number;
  /** Events taken and refused as duplicates since the start. */
  readonly accepted: number;
  readonly duplicates: number;
  /** Why loading does not go on at the moment. */
  readonly fault: string | undefined;
}
