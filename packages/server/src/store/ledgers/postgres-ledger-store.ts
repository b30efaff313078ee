import type { EpochMs } from "@belay/protocol";
import { type PostgresOptions, PostgresSession } from "../postgres/session.ts";
import type { LedgerStore, ToldLedger } from "./ledger-store.ts";

/** Ledgers beside the change log in PostgreSQL, for several servers. */
export function postgresLedgerStore(options: PostgresOptions): LedgerStore {
  return new PostgresLedgerStore(new PostgresSession(options, { name: "The store of ledgers", connectionsMax: 1 }));
}

class PostgresLedgerStore implements LedgerStore {
  readonly #session: PostgresSession;

  constructor(session: PostgresSession) {
    this.#session = session;
  }

  async put({ server, project, environment, at, ...body }: ToldLedger): Promise<void> {
    await this.#session.all(
      `insert into server_ledgers (server, project, environment, at, body) values (?, ?, ?, ?, ?)
       on conflict (server, project, environment) do update set at = excluded.at, body = excluded.body`,
      [server, project, environment, at, JSON.stringify(body)],
    );
  }

  async pass({ server, project, environment, at, ...body }: ToldLedger, heir: string): Promise<void> {
    await this.#session.all(
      "update server_ledgers set body = ? where server = ? and project = ? and environment = ? and at = ?",
      [JSON.stringify({ ...body, heir }), server, project, environment, at],
    );
  }

  async of(project: string): Promise<readonly ToldLedger[]> {
    const sql = "select server, environment, at, body from server_ledgers where project = ? order by server, environment";
    const rows = await this.#session.all(sql, [project]);
    return rows.map(({ server, environment, at, body }) => ({
      ...(JSON.parse(String(body)) as Pick<ToldLedger, "lines" | "metricEvents" | "heir">),
      ...{ server: String(server), project, environment: String(environment), at: Number(at) },
    }));
  }

  async forget(before: EpochMs): Promise<void> {
    await this.#session.all("delete from server_ledgers where at < ?", [before]);
  }

  close(): Promise<void> {
    return this.#session.end();
  }
}
