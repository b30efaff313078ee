import type { Aggregate, AggregateRequest, PairCell, PairsRequest } from "../aggregate/request.ts";
import {
  type DocumentRequest,
  type Engine,
  EngineAway,
  type Extent,
  type LoadableSegment,
  type Page,
  type PageRequest,
  type Press,
} from "../engine.ts";
import type { EventQuery, LedgerLine, LedgerQuery, PrintedSql } from "../event-store.ts";
import { aggregate, pairs } from "./aggregation.ts";
import { Deletion } from "./deletion.ts";
import { Fleet } from "./fleet.ts";
import { LoadBook } from "./load-book.ts";
import { Loader } from "./loader.ts";
import { printedSql } from "./printed-sql.ts";
import { extentSql, type LinesRequest, ledgerSql, pageSql } from "./query-sql.ts";
import { READING } from "./server.ts";
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
  /** Makes Parquet and Arrow: old versions write neither. */
  readonly press: Press;
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
  readonly #loader: Loader;
  readonly #press: Press;
  #turn: Promise<unknown> = Promise.resolve();

  private constructor(tables: Tables, fleet: Fleet, loader: Loader, press: Press) {
    this.#tables = tables;
    this.#fleet = fleet;
    this.#deletion = new Deletion(tables);
    this.#loader = loader;
    this.#press = press;
  }

  /** Opens the book; the servers are looked for when they are needed. @throws Error when a name or an address is none. */
  static async open({ directory, urls, cluster, press, now }: ClickHouseEngineOptions): Promise<ClickHouseEngine> {
    const { database, servers } = readUrls(urls);
    const tables = new Tables({ database, ...(cluster === undefined ? {} : { cluster }) });
    const fleet = new Fleet(servers, tables);
    const book = await LoadBook.open(directory);
    return new ClickHouseEngine(tables, fleet, new Loader({ tables, fleet, book, now }), press);
  }

  load(segments: readonly LoadableSegment[]): Promise<void> {
    const done = this.#turn.then(() => this.#loader.load(segments));
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async extent(query: EventQuery): Promise<Extent> {
    const server = await this.#fleet.server();
    const [found] = await server.rows<{ n: number; first: number; last: number }>(extentSql(this.#tables, query), READING);
    if (found === undefined || found.n === 0) return { rows: 0 };
    return { rows: found.n, first: found.first, last: found.last };
  }

  page(request: PageRequest): Promise<Page> {
    return this.#lines(request);
  }

  async document(request: DocumentRequest): Promise<Page> {
    const { bytes: lines, ...page } = await this.#lines({ ...request, format: "flat" });
    return {
      ...page,
      bytes: await this.#press.press({ kind: request.kind, format: request.format }, lines),
      weight: lines.length,
    };
  }

  async #lines(request: LinesRequest): Promise<Page> {
    const server = await this.#fleet.server();
    const usual = readPage(await server.read(pageSql(this.#tables, request, "usual"), PAGING));
    if (!usual.isRare) return usual.page;
    return readPage(await server.read(pageSql(this.#tables, request, "every"), PAGING)).page;
  }

  print(query: EventQuery): PrintedSql {
    return printedSql(this.#tables, query);
  }

  async ledger(query: LedgerQuery): Promise<readonly LedgerLine[]> {
    const server = await this.#fleet.server();
    const lines = await server.rows<LedgerLine>(ledgerSql(this.#tables, query), READING);
    const present = (key: string | undefined): string | undefined => (key === "" ? undefined : key);
    return lines.map((line) => ({ ...line, experiment: present(line.experiment), release: present(line.release) }));
  }

  async aggregate(request: AggregateRequest): Promise<Aggregate> {
    return aggregate(await this.#fleet.server(), this.#tables, request);
  }

  async pairs(request: PairsRequest): Promise<readonly PairCell[]> {
    return pairs(await this.#fleet.server(), this.#tables, request);
  }

  async retain(project: string, sinceMs: number): Promise<number> {
    return this.#deletion.retain(await this.#fleet.server(), project, sinceMs);
  }

  async erase(project: string, unit: string): Promise<number> {
    return this.#deletion.erase(await this.#fleet.server(), project, unit);
  }

  async close(): Promise<void> {
    await this.#press.close();
    await this.#fleet.close();
    await this.#turn;
  }
}

const PAGING = { settings: { ...READING.settings, max_threads: 1 } } as const;

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
