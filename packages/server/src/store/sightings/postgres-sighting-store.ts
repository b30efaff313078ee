import type { EpochMs } from "@belay/protocol";
import { PostgresListener } from "../postgres/listener.ts";
import { type PostgresOptions, PostgresSession } from "../postgres/session.ts";
import type { SightingHead, SightingPage, SightingStore } from "./sighting-store.ts";

/** Told to every server with each page; they look at the heads then. */
const CHANNEL = "belay_sightings";

/** Sightings beside the change log in PostgreSQL, for several servers. */
export function postgresSightingStore(options: PostgresOptions): SightingStore {
  return new PostgresSightingStore(new PostgresSession(options, { name: "The store of sightings", connectionsMax: 2 }));
}

class PostgresSightingStore implements SightingStore {
  readonly #session: PostgresSession;
  readonly #listeners = new Set<PostgresListener>();

  constructor(session: PostgresSession) {
    this.#session = session;
  }

  async put(pages: readonly SightingPage[], now: EpochMs): Promise<void> {
    if (pages.length === 0) return;
    const rows = pages.map(({ body, ...head }) => ({ ...head, body: JSON.stringify(body) }));
    const heads = [...lastOf(pages)].map(({ run, writer, number }) => ({ run, writer, last: number, at: now }));
    await this.#session.transaction(async (client) => {
      await client.query(
        `insert into sightings select * from json_populate_recordset(null::sightings, $1) on conflict do nothing`,
        [JSON.stringify(rows)],
      );
      await client.query(
        `insert into sighting_heads select * from json_populate_recordset(null::sighting_heads, $1)
         on conflict (run, writer) do update set last = greatest(sighting_heads.last, excluded.last), at = excluded.at`,
        [JSON.stringify(heads)],
      );
      await client.query("select pg_notify($1, '')", [CHANNEL]);
    });
  }

  async heads(runs: readonly string[]): Promise<readonly SightingHead[]> {
    const sql = "select run, writer, last from sighting_heads where run in (select json_array_elements_text(?::json))";
    const rows = await this.#session.all(sql, [JSON.stringify(runs)]);
    return rows.map(({ run, writer, last }) => ({ run: String(run), writer: String(writer), number: Number(last) }));
  }

  async after({ run, writer, number }: SightingHead, limit: number): Promise<readonly SightingPage[]> {
    const sql = "select number, body from sightings where run = ? and writer = ? and number > ? order by number limit ?";
    const rows = await this.#session.all(sql, [run, writer, number, limit]);
    return rows.map((row) => ({ run, writer, number: Number(row["number"]), body: JSON.parse(String(row["body"])) }));
  }

  async forget(run: string): Promise<void> {
    await this.#forgetRuns([run]);
  }

  async forgetIdle(since: EpochMs, save: readonly string[]): Promise<number> {
    const idle = await this.#session.all(
      `select run, count(*) as writers from sighting_heads where run not in (select json_array_elements_text(?::json))
       group by run having max(at) < ?`,
      [JSON.stringify(save), since],
    );
    await this.#forgetRuns(idle.map(({ run }) => String(run)));
    return idle.reduce((sum, { writers }) => sum + Number(writers), 0);
  }

  watch(onChange: () => void): () => void {
    const listener = new PostgresListener(this.#session, CHANNEL, () => onChange());
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      listener.stop();
    };
  }

  async close(): Promise<void> {
    for (const listener of this.#listeners) listener.stop();
    await this.#session.end();
  }

  async #forgetRuns(runs: readonly string[]): Promise<void> {
    if (runs.length === 0) return;
    await this.#session.transaction(async (client) => {
      for (const table of ["sighting_heads", "sightings"]) {
        await client.query(`delete from ${table} where run in (select json_array_elements_text($1::json))`, [
          JSON.stringify(runs),
        ]);
      }
    });
  }
}

function lastOf(pages: readonly SightingPage[]): Iterable<SightingHead> {
  const last = new Map<string, SightingHead>();
  for (const page of pages) {
    const name = JSON.stringify([page.run, page.writer]);
    if ((last.get(name)?.number ?? 0) < page.number) last.set(name, page);
  }
  return last.values();
}
