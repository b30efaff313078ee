import { Socket } from "node:net";
import type pg from "pg";
import { ProblemError } from "../../http/problem.ts";
import type { SqlRow, SqlValue } from "../changes/rows.ts";
import { onDemand } from "../on-demand.ts";
import { NewerSchemaError } from "../sqlite/migrations.ts";
import { MIGRATION_TIMEOUT_MS, migratePostgres } from "./migrations.ts";

const driver = onDemand<typeof pg>("pg");

export interface PostgresOptions {
  readonly url: string;
  /** How long anything may take until the store counts as away. Default 900 ms: a write is refused within a second. */
  readonly timeoutMs?: number;
}

/** What a store on PostgreSQL is called in its errors, and how many connections it may hold. */
export interface StoreTraits {
  readonly name: string;
  readonly connectionsMax: number;
}

/**
 * A store's connections to PostgreSQL. The database may be away at first: the tables are made, or brought up to date, when
 * it is first reached. Whatever fails is a ProblemError, or a NewerSchemaError.
 */
export class PostgresSession {
  readonly #connection: pg.ClientConfig;
  readonly #pool: pg.Pool;
  readonly #name: string;
  readonly #timeoutMs: number;
  readonly #settings: ReadonlyMap<string, number>;
  /** Every connection there is or is being made, and when it was begun. */
  readonly #sockets = new Map<Socket, number>();
  #migrated: Promise<void> | undefined;

  constructor({ url, timeoutMs = 900 }: PostgresOptions, { name, connectionsMax }: StoreTraits) {
    this.#connection = {
      connectionString: url,
      connectionTimeoutMillis: timeoutMs,
      query_timeout: timeoutMs,
      keepAlive: true,
      stream: () => this.#socket(),
    };
    this.#timeoutMs = timeoutMs;
    this.#settings = untilGone({ transactionMs: 2 * timeoutMs });
    this.#pool = new (driver().Pool)({
      ...this.#connection,
      max: connectionsMax,
      idleTimeoutMillis: POOLED_MS,
      onConnect: (client) => this.#set(client),
    });
    this.#name = name;
    // A connection that breaks is replaced by the pool; without a listener it would end the process, in the pool as in use,
    // where the pool's own does not listen. Whoever uses it is told by the statement that fails.
    this.#pool.on("error", () => undefined);
    this.#pool.on("connect", (client) => client.on("error", () => undefined));
  }

  /** A connection of its own, which `open` opens. */
  client(more: pg.ClientConfig = {}): pg.Client {
    return new (driver().Client)({ ...this.#connection, ...more }).on("error", () => undefined);
  }

  /** Opens such a connection. @throws Error of the driver. */
  async open(client: pg.Client): Promise<void> {
    await client.connect();
    await this.#set(client);
  }

  /**
   * Gives up every connection begun before that moment of `performance.now()`, and what is under way on it: the statements
   * fail now, where the network swallowed them each would have taken its timeout.
   */
  forsake(beforeMs: number): void {
    for (const [socket, sinceMs] of this.#sockets) if (sinceMs < beforeMs) socket.destroy();
  }

  /** The rows of one statement with `?` for each value. */
  async all(sql: string, values: readonly SqlValue[] = []): Promise<SqlRow[]> {
    try {
      await this.#ready();
      return (await this.#pool.query<SqlRow>(numbered(sql), [...values])).rows;
    } catch (error) {
      throw this.#fault(error);
    }
  }

  /** Commits what `work` does with one connection, or none of it. */
  async transaction<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    try {
      await this.#ready();
      const client = await this.#pool.connect();
      try {
        await client.query("begin");
        const result = await work(client);
        await client.query("commit");
        client.release();
        return result;
      } catch (error) {
        // Whatever the connection was in the middle of ends with it, and the server rolls it back.
        client.release(true);
        throw error;
      }
    } catch (error) {
      throw this.#fault(error);
    }
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }

  #socket(): Socket {
    const socket = new Socket();
    this.#sockets.set(socket, performance.now());
    return socket.once("close", () => this.#sockets.delete(socket));
  }

  /** Once for all that waits for it, and again after a failure. */
  #ready(): Promise<void> {
    this.#migrated ??= this.#migrate().catch((error) => {
      this.#migrated = undefined;
      throw error;
    });
    return this.#migrated;
  }

  async #migrate(): Promise<void> {
    const client = this.client({ query_timeout: MIGRATION_TIMEOUT_MS });
    try {
      await this.open(client);
      await migratePostgres(client);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  /** By a statement: a pooler refuses settings that come with the connection. What this PostgreSQL does not know is left out. */
  async #set(client: pg.ClientBase): Promise<void> {
    const text = `select set_config(name, value, false) from unnest($1::text[], $2::text[]) as wished (name, value)
      where current_setting(name, true) is not null`;
    const values = [[...this.#settings.keys()], [...this.#settings.values()].map(String)];
    // Making tables may take long, but not this.
    await client.query({ text, values, query_timeout: this.#timeoutMs } as pg.QueryConfig);
  }

  /** What a failure means to a client. 53100 is PostgreSQL's own word for a full disk. */
  #fault(error: unknown): Error {
    if (error instanceof ProblemError || error instanceof NewerSchemaError) return error;
    const { code, message } = error as { code?: string; message?: string };
    if (code === "53100") return new ProblemError("disk_full", { what: "the change" });
    const reason = wordsOfCode(code) ?? (/timeout/i.test(message ?? "") ? "it does not answer" : "it failed");
    const problem = new ProblemError("store_unavailable", { store: this.#name, reason, retryAfterS: 1 });
    problem.cause = error;
    return problem;
  }
}

/**
 * After what silence PostgreSQL ends a session whose server may be gone, with its locks. By itself it keeps sessions for two
 * hours, and a quarter of one where it has told them something: a server that vanished tells nobody that it did.
 *
 *   in the middle of a transaction     2 timeouts: others wait for its locks
 *   the other machine does not answer  20 s, asked each 5 s where nothing else is said
 *   it does, but not for this server   60 s, twice what a living one lets pass: a proxy that stands between keeps its end open
 *
 * @returns names and values as PostgreSQL has them: seconds for keepalives, else milliseconds
 */
function untilGone({ transactionMs }: { readonly transactionMs: number }): ReadonlyMap<string, number> {
  return new Map([
    ["idle_in_transaction_session_timeout", transactionMs],
    ["tcp_keepalives_idle", 5],
    ["tcp_keepalives_interval", 5],
    ["tcp_keepalives_count", 3],
    // Keepalives rest while something said is not acknowledged: this counts then.
    ["tcp_user_timeout", 20_000],
    ["idle_session_timeout", 2 * POOLED_MS],
  ]);
}

/** For how long the pool keeps a connection that nobody uses; connections that listen are asked something all the time. */
const POOLED_MS = 30_000;

/** What PostgreSQL's codes mean, where somebody has to do something about it. */
const WORDS: Readonly<Record<string, string>> = {
  "42P01": "its tables are not there; is it the right database?",
  "3D000": "there is no such database",
  "28P01": "it refuses the password",
  "28000": "it refuses the user",
  "25006": "it only reads; is it a replica?",
  "53300": "it takes no further connections",
};

function wordsOfCode(code: string | undefined): string | undefined {
  const words = WORDS[code ?? ""];
  return words === undefined ? code : `${code}, ${words}`;
}

/** `?` as PostgreSQL has it: `$1`, `$2` and so on. */
function numbered(sql: string): string {
  let last = 0;
  return sql.replace(/\?/g, () => `$${++last}`);
}
