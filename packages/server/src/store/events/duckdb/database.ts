import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { availableParallelism, totalmem } from "node:os";
import { dirname, join } from "node:path";
import { type DuckDBBlobValue, type DuckDBConnection, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import type { Aggregate, AggregateRequest, PairCell, PairsRequest } from "../aggregate/request.ts";
import type { DocumentOf, DocumentRequest, Engine, Extent, LoadableSegment, Page, PageRequest } from "../engine.ts";
import type { EventKind, EventQuery, LedgerLine, LedgerQuery, PrintedSql } from "../event-store.ts";
import { COLUMNS } from "../formats.ts";
import { syncDirectory } from "../spool/segment-file.ts";
import { aggregate, pairs } from "./aggregate/aggregation.ts";
import { forgetProject } from "./aggregate/kept-state.ts";
import { outliving, SETTLE_FIRST_MET } from "./first-met-sql.ts";
import { printedSql } from "./printed-sql.ts";
import {
  cellsSql,
  columnsSql,
  ledgerSql,
  pageSql,
  pressSql,
  silentSql,
  TABLE_OF,
  textsSql,
  weighSql,
  whereOf,
} from "./query-sql.ts";
import { fillTables, readExposures, readFrames, SETTLE_ARM_REPORTS, SETTLE_ARM_STORED } from "./segment-sql.ts";
import { moment, text, type Where } from "./sql.ts";
import { AGING_TABLES, ARM_TABLES, TABLES, UNIT_TABLES } from "./tables.ts";

export interface DuckDbOptions {
  /** Folder of the database file and of what it spills; made when it is not there. */
  readonly directory: string;
  /** The only other folder it may read. */
  readonly spoolDirectory: string;
}

/** The DuckDB file, owned by the process that opens it: a second one is refused by DuckDB itself. */
export class EventDatabase implements Engine {
  readonly #instance: DuckDBInstance;
  /** Loads and deletions take turns on one connection; each question has its own and sees the last commit. */
  readonly #writer: DuckDBConnection;
  /** Where it writes what is read back at once: DuckDB makes Parquet in files only. */
  readonly #pages: string;
  #pagesMade = 0;
  /** Aggregates take turns: they write what they keep, and each may use all the memory there is. */
  #aggregateTurn: Promise<unknown> = Promise.resolve();
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(instance: DuckDBInstance, writer: DuckDBConnection, pages: string) {
    this.#instance = instance;
    this.#writer = writer;
    this.#pages = pages;
  }

  static async open({ directory, spoolDirectory }: DuckDbOptions): Promise<EventDatabase> {
    const pages = join(directory, "pages");
    await rm(pages, { recursive: true, force: true });
    await mkdir(pages, { recursive: true, mode: 0o700 });
    const file = join(directory, "events.duckdb");
    if (!(await isThere(file))) await makeFile(file);
    const instance = await DuckDBInstance.create(file, settings(directory));
    const writer = await instance.connect();
    // From here on the database reaches the spool and its own folder, and nothing can allow it more.
    await writer.run(`set allowed_directories = [${text(spoolDirectory)}, ${text(pages)}]`);
    await writer.run("set enable_external_access = false");
    await writer.run("set lock_configuration = true");
    for (const statement of TABLES) await writer.run(statement);
    return new EventDatabase(instance, writer, pages);
  }

  load(segments: readonly LoadableSegment[]): Promise<void> {
    return this.#inTransaction(async () => {
      const fresh: LoadableSegment[] = [];
      for (const segment of segments) if (!(await this.#isLoaded(segment))) fresh.push(segment);
      const last = fresh.at(-1);
      if (last === undefined) return;
      const base = await this.#baseOf(last.spool);
      await this.#writer.run(readFrames(fresh.map(({ path }) => path)));
      await this.#writer.run(readExposures(base));
      for (const statement of fillTables(base)) await this.#writer.run(statement);
      await this.#settleWhenLarge("first_met_fresh", SETTLE_FIRST_MET);
      await this.#settleWhenLarge("arm_reports", SETTLE_ARM_REPORTS);
      await this.#settleWhenLarge("arm_stored", SETTLE_ARM_STORED);
      for (const { spool, number } of fresh) await this.#writer.run(`insert into loaded_segments values (?, ${number})`, [spool]);
      await this.#writer.run(`delete from loaded_segments where number < ${last.number - SEGMENTS_REMEMBERED}`);
    });
  }

  async extent(query: EventQuery): Promise<Extent> {
    const { sql, values } = whereOf(query);
    const [row] = await this.#ask({
      sql: `select count(*)::DOUBLE, min(position)::DOUBLE, max(position)::DOUBLE from ${TABLE_OF[query.kind]} where ${sql}`,
      values,
    });
    const [rows, first, last] = row as [number, number | null, number | null];
    return first === null || last === null ? { rows } : { rows, first, last };
  }

  async page(request: PageRequest): Promise<Page> {
    const where = whereOf(request);
    const [row] = await this.#ask({ sql: pageSql(request, where, request), values: where.values });
    const [bytes, rows, last] = row as [DuckDBBlobValue | null, bigint, bigint | null];
    return bytes === null || last === null
      ? { bytes: new Uint8Array(0), rows: 0 }
      : { bytes: bytes.bytes, rows: Number(rows), last: Number(last) };
  }

  async document(request: DocumentRequest): Promise<Page> {
    const where = whereOf(request);
    const [row] = await this.#ask({ sql: weighSql(request.kind, where, request), values: where.values });
    const [rows, last, weight] = row as [number, number | null, number];
    const span = { ...request, through: last ?? request.after };
    const moments = request.format === "parquet" ? "us" : "ms";
    const bytes = await this.#document(request, { sql: columnsSql(request.kind, where, span, moments), values: where.values });
    return last === null ? { bytes, rows: 0 } : { bytes, rows, last, weight };
  }

  /** A document of lines that came from elsewhere: each an object of the kind's columns, free-form ones as their text. */
  async press(request: DocumentOf, lines: Uint8Array): Promise<Uint8Array> {
    const path = this.#newPage("ndjson");
    try {
      await writeFile(path, lines);
      return await this.#document(request, {
        sql: pressSql(request.kind, path, request.format === "parquet" ? "us" : "ms"),
        values: [],
      });
    } finally {
      await rm(path, { force: true });
    }
  }

  print(query: EventQuery, files: string): PrintedSql {
    return printedSql(query, files);
  }

  async ledger(query: LedgerQuery): Promise<readonly LedgerLine[]> {
    const rows = await this.#ask(ledgerSql(query));
    return rows.map((row) => {
      const [environment, instance, experiment, release, variant, ...totals] = row as [string, string, ...(string | null)[]];
      const [produced, dropped, stored, duplicates, late] = totals as unknown as [number, number, number, number, number];
      return {
        environment,
        instance,
        experiment: experiment ?? undefined,
        release: release ?? undefined,
        variant: variant ?? "",
        produced,
        dropped,
        stored,
        duplicates,
        late,
      };
    });
  }

  aggregate(request: AggregateRequest): Promise<Aggregate> {
    return this.#inAggregateTurn(() => this.#onCommitted((connection) => aggregate(connection, request)));
  }

  pairs(request: PairsRequest): Promise<readonly PairCell[]> {
    return this.#inAggregateTurn(() => this.#onCommitted((connection) => pairs(connection, request)));
  }

  retain(project: string, sinceMs: number): Promise<number> {
    const since = moment(sinceMs);
    const silent = { sql: silentSql(since), values: [project, ...ARM_TABLES.map(() => project)] };
    const first = { sql: outliving(sinceMs), values: [project, project] };
    return this.#delete(
      project,
      [
        ...AGING_TABLES.map(([table, age]) => ({ table, sql: `project = ? and ${age} < ${since}`, values: [project] })),
        ...ARM_TABLES.map((table) => ({ table, ...silent })),
      ],
      first,
    );
  }

  erase(project: string, unit: string): Promise<number> {
    return this.#delete(
      project,
      UNIT_TABLES.map((table) => ({ table, sql: "project = ? and unit = ?", values: [project, unit] })),
    );
  }

  async close(): Promise<void> {
    await this.#turn;
    await this.#aggregateTurn;
    this.#writer.closeSync();
    this.#instance.closeSync();
  }

  #document({ kind, format }: DocumentOf, rows: Where): Promise<Uint8Array> {
    return format === "parquet" ? this.#parquet(rows) : this.#arrow(kind, rows);
  }

  async #parquet({ sql, values }: Where): Promise<Uint8Array> {
    const path = this.#newPage("parquet");
    try {
      await this.#ask({ sql: `copy (${sql}) to ${text(path)} (format parquet, compression zstd)`, values });
      return await readFile(path);
    } finally {
      await rm(path, { force: true });
    }
  }

  async #arrow(kind: EventKind, { sql, values }: Where): Promise<Uint8Array> {
    // Its library is read at the first such pull: most servers never need it.
    const { arrowStream } = await import("./arrow-stream.ts");
    // One transaction: a row erased between the two questions would move every text behind it.
    return this.#onCommitted(async (connection) => {
      const cells = await connection.runAndReadAll(cellsSql(kind, sql), [...values]);
      const texts = await connection.runAndReadAll(textsSql(kind, sql), [...values]);
      return arrowStream(COLUMNS[kind], cells.getColumns(), (texts.getRows()[0] ?? []) as (DuckDBBlobValue | null)[]);
    });
  }

  #newPage(extension: string): string {
    this.#pagesMade += 1;
    return join(this.#pages, `${this.#pagesMade}.${extension}`);
  }

  async #isLoaded({ spool, number }: LoadableSegment): Promise<boolean> {
    const sql = `select 1 from loaded_segments where spool = ? and number = ${number}`;
    return (await this.#writer.runAndReadAll(sql, [spool])).currentRowCount > 0;
  }

  /** What is added to a spool's arrival numbers: a new spool begins above everything stored so far. */
  async #baseOf(spool: string): Promise<number> {
    const known = await this.#writer.runAndReadAll("select base::DOUBLE from spools where spool = ?", [spool]);
    const base = known.getRows()[0]?.[0];
    if (typeof base === "number") return base;
    const highest = await this.#writer.runAndReadAll(
      "select coalesce(max(position), 0)::DOUBLE from (select position from exposures union all select position from metric_events)",
    );
    const above = highest.getRows()[0]?.[0] as number;
    await this.#writer.run(`insert into spools values (?, ${above})`, [spool]);
    return above;
  }

  async #settleWhenLarge(table: string, statements: readonly string[]): Promise<void> {
    const rows = (await this.#writer.runAndReadAll(`select count(*)::DOUBLE from ${table}`)).getRows()[0]?.[0] as number;
    if (rows < ROWS_SETTLED) return;
    for (const statement of statements) await this.#writer.run(statement);
  }

  /** Deletes from each table, after a first statement; the number of rows gone from the tables of the events themselves. */
  #delete(project: string, deletions: readonly Deletion[], first?: Where): Promise<number> {
    return this.#inAggregateTurn(async () => {
      // What is kept of experiments was made of these events: it goes first, and is not made again in between.
      if (await this.#hasAny(deletions)) await this.#onCommitted((connection) => forgetProject(connection, project));
      let events = 0;
      await this.#inTransaction(async () => {
        if (first !== undefined) await this.#writer.run(first.sql, [...first.values]);
        for (const { table, sql, values } of deletions) {
          const { rowsChanged } = await this.#writer.run(`delete from ${table} where ${sql}`, [...values]);
          if (isOfEvents(table)) events += rowsChanged;
        }
      });
      // Takes the rows out of the log as well; while somebody reads, the next checkpoint does it.
      await this.#inTurn(() => this.#writer.run("checkpoint")).catch(() => undefined);
      return events;
    });
  }

  async #hasAny(deletions: readonly Deletion[]): Promise<boolean> {
    for (const { table, sql, values } of deletions.filter(({ table }) => isOfEvents(table))) {
      const [row] = await this.#ask({ sql: `select 1 from ${table} where ${sql} limit 1`, values });
      if (row !== undefined) return true;
    }
    return false;
  }

  #ask({ sql, values }: Where): Promise<DuckDBValue[][]> {
    return this.#onConnection(async (connection) => (await connection.runAndReadAll(sql, [...values])).getRows());
  }

  async #onConnection<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    const connection = await this.#instance.connect();
    try {
      return await work(connection);
    } finally {
      connection.closeSync();
    }
  }

  #inTransaction(work: () => Promise<void>): Promise<void> {
    return this.#inTurn(() => committed(this.#writer, work));
  }

  #inAggregateTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#aggregateTurn.then(work);
    this.#aggregateTurn = done.catch(() => undefined);
    return done;
  }

  #onCommitted<T>(work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
    return this.#onConnection((connection) => committed(connection, () => work(connection)));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

interface Deletion extends Where {
  readonly table: string;
}

const isOfEvents = (table: string): boolean => table === TABLE_OF.exposures || table === TABLE_OF.metrics;

/** All that is done, or nothing of it. */
async function committed<T>(connection: DuckDBConnection, work: () => Promise<T>): Promise<T> {
  await connection.run("begin");
  try {
    const done = await work();
    await connection.run("commit");
    return done;
  } catch (error) {
    await connection.run("rollback").catch(() => undefined);
    throw error;
  }
}

/** Fresh rows are folded into the settled ones when there are so many. */
const ROWS_SETTLED = 200_000;
/** A segment is dropped as soon as it is loaded: far fewer than these can ever come again. */
const SEGMENTS_REMEMBERED = 1_000;

/** All cores, which its process is given after the server (see `child.ts`); memory is bounded, what does not fit is spilled. */
/**
 * A file that was cut while it was made, by a full disk or a kill, is no database, and no later start would make one of it: so
 * it gets its name once it is whole.
 */
async function makeFile(file: string): Promise<void> {
  const made = `${file}.new`;
  for (const left of [made, `${made}.wal`]) await rm(left, { force: true });
  (await DuckDBInstance.create(made)).closeSync();
  await rename(made, file);
  await syncDirectory(dirname(file));
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function settings(directory: string): Record<string, string> {
  const memoryMb = Math.floor(Math.min(0.25 * totalmem(), 2 * 1024 ** 3) / 1024 ** 2);
  return {
    threads: String(availableParallelism()),
    memory_limit: `${memoryMb}MiB`,
    checkpoint_threshold: "256MiB",
    preserve_insertion_order: "false",
    temp_directory: join(directory, "spill"),
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  };
}
