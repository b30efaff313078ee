import type { Readable } from "node:stream";
import { ClickHouseError, ClickHouseLogLevel, type ClickHouseSettings, createClient } from "@clickhouse/client";
import { EngineAway } from "../engine.ts";

/** How one statement is run. */
export interface Manner {
  readonly settings?: ClickHouseSettings;
  /** Statements of one session see its temporary tables; one at a time. */
  readonly session?: string;
  /** Names the statement among those that run. */
  readonly id?: string;
  /** Given up after so long; default 30 s. The server may run it nevertheless. */
  readonly timeoutMs?: number;
}

/**
 * How stored rows are read. Of several replicas always the first that is well: the one whose rows were counted. One that is
 * behind is never read: a cursor that passed its gaps would not see them filled.
 */
export const READING: Manner & { readonly settings: ClickHouseSettings } = {
  settings: {
    load_balancing: "in_order",
    max_replica_delay_for_distributed_queries: "2",
    fallback_to_stale_replicas_for_distributed_queries: 0,
  },
};

/**
 * One ClickHouse server over HTTP. A statement that failed for want of an answer, or for a reason that passes, fails with
 * `EngineAway`: whether it was run is not known then.
 */
export class ClickHouseServer {
  /** Host and port, for people: no user, no password. */
  readonly name: string;
  readonly #client: Client;
  readonly #running = new Set<AbortController>();
  #common: ClickHouseSettings = {};

  constructor(url: URL) {
    this.name = url.host;
    const { username, password } = url;
    this.#client = createClient({
      url: url.origin,
      username: username === "" ? "default" : decodeURIComponent(username),
      password: decodeURIComponent(password),
      // Answers are bounded by `#within`; the client's own limit must only not come before.
      request_timeout: LONGEST_MS,
      log: { level: ClickHouseLogLevel.OFF },
    });
  }

  /** Asks what it is; fails within 2 s where nobody answers. Newer versions are told to do what old ones do. */
  async probe(): Promise<void> {
    const version = (await this.read("select version() format TabSeparatedRaw", { timeoutMs: PROBE_MS })).toString();
    const [year = 0, month = 0] = version.split(".").map(Number);
    this.#common = year * 100 + month >= 2_111 ? { async_insert: 0, max_insert_threads: "1" } : {};
  }

  /** The answer's bytes. */
  read(query: string, manner: Manner = {}): Promise<Buffer> {
    return this.#within(manner, async (common) => {
      const { stream } = await this.#client.exec({ query, ...common });
      return Buffer.concat(await stream.toArray());
    });
  }

  /** The rows of an answer. Numbers must have been made doubles: others come as text. */
  async rows<Row>(query: string, manner: Manner = {}): Promise<Row[]> {
    const lines = (await this.read(`${query} format JSONEachRow`, manner)).toString().split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Row);
  }

  /** Runs a statement that answers nothing. */
  async run(query: string, manner: Manner = {}): Promise<void> {
    await this.#within(manner, (common) => this.#client.command({ query, ...common }));
  }

  /** Runs an `insert into ... format ...` with the bytes of its rows. */
  async insert(query: string, values: Readable, manner: Manner = {}): Promise<void> {
    await this.#within(manner, async (common) => {
      const { stream } = await this.#client.exec({ query, values, ...common });
      await stream.toArray();
    });
  }

  /** Gives up what runs and lets the connections go. */
  async close(): Promise<void> {
    for (const controller of this.#running) controller.abort();
    await this.#client.close();
  }

  async #within<T>(manner: Manner, run: (common: Common) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    this.#running.add(controller);
    const timer = setTimeout(() => controller.abort(), manner.timeoutMs ?? TIMEOUT_MS);
    try {
      return await run({
        abort_signal: controller.signal,
        clickhouse_settings: { ...this.#common, ...manner.settings },
        ...(manner.session === undefined ? {} : { session_id: manner.session }),
        ...(manner.id === undefined ? {} : { query_id: manner.id }),
      });
    } catch (error) {
      throw this.#judge(error);
    } finally {
      clearTimeout(timer);
      this.#running.delete(controller);
    }
  }

  #judge(error: unknown): Error {
    const { message } = error instanceof Error ? error : new Error(String(error));
    // The client knows the errors of newer versions only; old ones say `Code: 53, e.displayText() = ...`.
    const code = error instanceof ClickHouseError ? error.code : /^Code: (\d+)/.exec(message)?.[1];
    if (code === undefined) return new EngineAway(`ClickHouse at ${this.name} did not answer: ${message}`, error);
    const said = `ClickHouse at ${this.name} said: ${message.trim().slice(0, MESSAGE_CHARS)}`;
    return PASSING.has(code) ? new EngineAway(said, error) : new Error(said, { cause: error });
  }
}

type Client = ReturnType<typeof createClient>;

interface Common {
  readonly abort_signal: AbortSignal;
  readonly clickhouse_settings: ClickHouseSettings;
  readonly session_id?: string;
  readonly query_id?: string;
}

const PROBE_MS = 2_000;
const TIMEOUT_MS = 30_000;
const LONGEST_MS = 600_000;

/** Of a statement the server quotes no more than its beginning. */
const MESSAGE_CHARS = 300;

/** Codes of what passes: overload, replicas and their keeper that are away or behind, memory and disk that are full. */
const PASSING: ReadonlySet<string> = new Set(
  [
    159, 160, 202, 203, 209, 210, 225, 236, 241, 242, 243, 252, 254, 265, 279, 285, 286, 289, 319, 341, 369, 372, 373, 394, 415,
    416, 425, 439, 473, 574, 655, 659, 692, 999,
  ].map(String),
);
