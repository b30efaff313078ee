import { Readable } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { type Engine, EngineAway, type Extent, type LoadableSegment, type Page, type PageRequest } from "../engine.ts";
import type { EventQuery, LedgerLine, LedgerQuery } from "../event-store.ts";
import { Deletion } from "./deletion.ts";
import { Fleet } from "./fleet.ts";
import { type Attempt, LoadBook } from "./load-book.ts";
import {
  type Arrived,
  CREATE_ARRIVED,
  countLoaded,
  fillings,
  IN_ONE_BLOCK,
  INSERT_ARRIVED,
  READ_FRAMES,
  sumUpArrived,
} from "./load-sql.ts";
import { extentSql, ledgerSql, pageSql } from "./query-sql.ts";
import type { ClickHouseServer } from "./server.ts";
import { text, whole } from "./sql.ts";
import { frameLines } from "./staged-frames.ts";
import { Tables } from "./tables.ts";

export interface ClickHouseOptions {
  /**
   * Servers over HTTP, each as `http://user:password@host:8123/database`; all but host and port may be left out, the database
   * is `belay` then. The first that answers is talked to, the next when it does not.
   */
  readonly urls: readonly string[];
  /** Makes the tables replicated and distributed over this cluster of the servers' configuration. */
  readonly cluster?: string;
}

export interface ClickHouseEngineOptions extends ClickHouseOptions {
  /** Folder of what is kept on this machine: what was loaded and what is being loaded. */
  readonly directory: string;
  readonly now: () => number;
}

/**
 * Events in ClickHouse. One process loads one spool; the same segments may be loaded any number of times, after any failure
 * at any moment, and are there once.
 */
export class ClickHouseEngine implements Engine {
  readonly #tables: Tables;
  readonly #fleet: Fleet;
  readonly #deletion: Deletion;
  readonly #book: LoadBook;
  readonly #now: () => number;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(tables: Tables, fleet: Fleet, book: LoadBook, now: () => number) {
    this.#tables = tables;
    this.#fleet = fleet;
    this.#deletion = new Deletion(tables);
    this.#book = book;
    this.#now = now;
  }

  /** Opens the book; the servers are looked for when they are needed. @throws Error when a name or an address is none. */
  static async open({ directory, urls, cluster, now }: ClickHouseEngineOptions): Promise<ClickHouseEngine> {
    const { database, servers } = readUrls(urls);
    const tables = new Tables({ database, ...(cluster === undefined ? {} : { cluster }) });
    return new ClickHouseEngine(tables, new Fleet(servers, tables), await LoadBook.open(directory), now);
  }

  load(segments: readonly LoadableSegment[]): Promise<void> {
    const done = this.#turn.then(() => this.#load(segments));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async extent(query: EventQuery): Promise<Extent> {
    const server = await this.#fleet.server();
    const [found] = await server.rows<{ n: number; first: number; last: number }>(extentSql(this.#tables, query), READING);
    if (found === undefined || found.n === 0) return { rows: 0 };
    return { rows: found.n, first: found.first, last: found.last };
  }

  async page(request: PageRequest): Promise<Page> {
    const server = await this.#fleet.server();
    const usual = readPage(await server.read(pageSql(this.#tables, request, "usual"), PAGING));
    if (!usual.isRare) return usual.page;
    return readPage(await server.read(pageSql(this.#tables, request, "every"), PAGING)).page;
  }

  async ledger(query: LedgerQuery): Promise<readonly LedgerLine[]> {
    const server = await this.#fleet.server();
    const lines = await server.rows<LedgerLine>(ledgerSql(this.#tables, query), READING);
    const present = (key: string | undefined): string | undefined => (key === "" ? undefined : key);
    return lines.map((line) => ({ ...line, experiment: present(line.experiment), release: present(line.release) }));
  }

  async retain(project: string, sinceMs: number): Promise<number> {
    return this.#deletion.retain(await this.#fleet.server(), project, sinceMs);
  }

  async erase(project: string, unit: string): Promise<number> {
    return this.#deletion.erase(await this.#fleet.server(), project, unit);
  }

  async close(): Promise<void> {
    await this.#fleet.close();
    await this.#turn;
  }

  async #load(segments: readonly LoadableSegment[]): Promise<void> {
    for (let rest = segments; ; ) {
      const server = await this.#fleet.server();
      const attempt = await this.#book.begin(rest, () => this.#baseOn(server));
      if (attempt === undefined) return;
      await this.#attempt(server, attempt);
      await this.#book.end(attempt);
      rest = rest.filter((segment) => !attempt.segments.includes(segment));
    }
  }

  /**
   * A new spool begins above everything stored so far: above what is found, and above what a replica may not have heard of yet,
   * as no spool gives out a million numbers a second for all of its life.
   */
  async #baseOn(server: ClickHouseServer): Promise<number> {
    const found = UNIT_POSITIONS(this.#tables);
    const [highest] = await server.rows<{ n: number }>(found, READING);
    return Math.max(highest?.n ?? 0, this.#now() * 1_000);
  }

  async #attempt(server: ClickHouseServer, attempt: Attempt): Promise<void> {
    if (attempt.isAgain) await this.#fenceOff(server, attempt);
    const session = idOf(attempt);
    const arrived = await this.#bring(server, attempt, session);
    const source = { spool: attempt.spool, attempt: attempt.number, base: attempt.base };
    for (const { table, sql } of fillings(this.#tables, source, arrived)) {
      await server.run(sql, { session, id: `${session}-${table}`, settings: IN_ONE_BLOCK, timeoutMs: LOAD_MS });
    }
    await this.#verify(server, arrived);
    // The session would forget it by itself, but not as soon.
    await server.run("drop temporary table arrived", { session }).catch(() => undefined);
  }

  /** After this no earlier attempt adds anything: what runs has ended, and what begins only now finds the fence. */
  async #fenceOff(server: ClickHouseServer, { spool, number }: Attempt): Promise<void> {
    const at = whole(Math.floor(this.#now() / 1_000));
    await server.run(
      `insert into ${this.#tables.name("load_fences")} (spool, attempt, written_at)
        select ${text(spool)}, ${whole(number)}, toDateTime(${at}, 'UTC')`,
      { settings: IN_ONE_BLOCK },
    );
    const running = `select toFloat64(count()) as n from system.processes where startsWith(query_id, ${text(prefixOf(spool))})`;
    for (const sinceMs = performance.now(); ; await pause(PAUSE_MS)) {
      if ((await server.rows<{ n: number }>(running))[0]?.n === 0) return;
      if (performance.now() - sinceMs > LOAD_MS) throw new EngineAway(`ClickHouse at ${server.name} is still at the load before`);
    }
  }

  /** Takes the frames to the server, and sees that all came. */
  async #bring(server: ClickHouseServer, { segments, base }: Attempt, session: string): Promise<Arrived> {
    let lines = 0;
    const frames = frameLines(segments, (all) => {
      lines = all;
    });
    await server.run(CREATE_ARRIVED, { session });
    const body = Readable.from(frames, { objectMode: false });
    const failed = new Promise<never>((_, reject) => body.once("error", reject));
    await Promise.race([server.insert(INSERT_ARRIVED, body, { session, settings: READ_FRAMES, timeoutMs: LOAD_MS }), failed]);
    const [arrived] = await server.rows<Arrived>(sumUpArrived(base), { session });
    if (arrived?.lines !== lines) throw new EngineAway(`ClickHouse took ${arrived?.lines} of ${lines} frames`);
    return arrived;
  }

  /**
   * Sees that every event is there: on this server, and on every other one that answers, so that none that takes over shows
   * less. One that is more than some seconds behind is not waited for.
   */
  async #verify(server: ClickHouseServer, arrived: Arrived): Promise<void> {
    const events = arrived.exposures + arrived.metrics;
    if (events === 0) return;
    const found = await this.#counted(server, arrived, events);
    if (found !== events) throw new EngineAway(`ClickHouse at ${server.name} shows ${found} of ${events} events of a load`);
    if (!this.#tables.isCluster) return;
    const others = await this.#fleet.others(server);
    await Promise.allSettled(others.map((other) => this.#counted(other, arrived, events)));
  }

  /** How many events of a load a server shows, after some patience when they are not all of them. */
  async #counted(server: ClickHouseServer, arrived: Arrived, events: number): Promise<number> {
    const question = countLoaded(this.#tables, arrived);
    for (const sinceMs = performance.now(); ; await pause(PAUSE_MS)) {
      const found = (await server.rows<{ n: number }>(question, READING))[0]?.n ?? 0;
      if (found === events || performance.now() - sinceMs > BEHIND_MS) return found;
    }
  }
}

const LOAD_MS = 60_000;
const PAUSE_MS = 50;
/** How long a replica may take to hear of a load. */
const BEHIND_MS = 5_000;
/**
 * Of several replicas always the first that is well: the one whose rows were counted. One that is behind is never read: a
 * cursor that passed its gaps would not see them filled.
 */
const READING = {
  settings: {
    load_balancing: "in_order",
    max_replica_delay_for_distributed_queries: "2",
    fallback_to_stale_replicas_for_distributed_queries: 0,
  },
} as const;
const PAGING = { settings: { ...READING.settings, max_threads: 1 } } as const;

const UNIT_POSITIONS = (tables: Tables): string => `select toFloat64(max(position)) as n from (
  select max(position) as position from ${tables.name("exposures")}
  union all select max(position) as position from ${tables.name("metric_events")})`;

const prefixOf = (spool: string): string => `belay-${spool}-`;

function idOf({ spool, number }: Attempt): string {
  return `${prefixOf(spool)}${number}`;
}

/** Two integers of 64 bits, one of 8, then a text with its length in front (LEB128). */
function readPage(bytes: Buffer): { readonly page: Page; readonly isRare: boolean } {
  if (bytes.length < TEXT_AT + 1) throw new EngineAway("ClickHouse's answer was cut off");
  const rows = Number(bytes.readBigUInt64LE(0));
  const last = Number(bytes.readBigUInt64LE(8));
  let length = 0;
  let at = TEXT_AT;
  for (let scale = 1; ; scale *= 128, at += 1) {
    const byte = bytes[at] ?? 0;
    length += (byte & 127) * scale;
    if (byte < 128) break;
  }
  const text = bytes.subarray(at + 1);
  if (text.length !== length) throw new EngineAway("ClickHouse's answer was cut off");
  return { page: rows === 0 ? { bytes: text, rows } : { bytes: text, rows, last }, isRare: bytes[TEXT_AT - 1] === 1 };
}

const TEXT_AT = 17;

function readUrls(urls: readonly string[]): { readonly database: string; readonly servers: readonly URL[] } {
  const servers = urls.map((url) => {
    const parsed = URL.canParse(url) ? new URL(url) : undefined;
    // The address may hold a password: it is not repeated.
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol)) {
      throw new Error("a ClickHouse address must look like http://user:password@host:8123/database");
    }
    return parsed;
  });
  const [database = "", ...others] = new Set(servers.map(({ pathname }) => decodeURIComponent(pathname.slice(1)) || "belay"));
  if (servers.length === 0 || others.length > 0) throw new Error("ClickHouse addresses must name one database, all the same");
  return { database, servers };
}
