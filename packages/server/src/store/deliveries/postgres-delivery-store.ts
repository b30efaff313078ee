import type { DeliveryAttempt, EpochMs } from "@belay/protocol";
import type { ChangeId } from "../changes/index.ts";
import { type PostgresOptions, PostgresSession } from "../postgres/session.ts";
import type { Delivery, DeliveryFilter, DeliveryStore, Message, Outcome, WebhookPlace } from "./delivery-store.ts";
import { toDelivery } from "./rows.ts";

/**
 * The outbox beside the change log in PostgreSQL, for several nodes: where the one that carries dies, another one goes on
 * with what it left.
 */
export function postgresDeliveryStore(options: PostgresOptions): DeliveryStore {
  return new PostgresDeliveryStore(new PostgresSession(options, { name: "The outbox of webhooks", connectionsMax: 4 }));
}

class PostgresDeliveryStore implements DeliveryStore {
  readonly #session: PostgresSession;

  constructor(session: PostgresSession) {
    this.#session = session;
  }

  async position(): Promise<ChangeId | undefined> {
    const [row] = await this.#session.all("select position from delivery_reader");
    return row === undefined ? undefined : Number(row["position"]);
  }

  async put(messages: readonly Message[], position?: ChangeId): Promise<void> {
    const rows = messages.map(({ createdAtMs, ...message }) => ({ ...message, created_at: createdAtMs }));
    await this.#session.transaction(async (client) => {
      if (rows.length > 0) {
        await client.query(
          `insert into deliveries (id, project, webhook, type, body, created_at, status, attempts, next_at)
           select id, project, webhook, type, body, created_at, 'pending', '[]', created_at
           from json_populate_recordset(null::deliveries, $1) on conflict (id) do nothing`,
          [JSON.stringify(rows)],
        );
      }
      if (position === undefined) return;
      // A node that lost its lease in the middle of a page must not bring the reader back.
      await client.query(
        `insert into delivery_reader (position) values ($1) on conflict (only_row)
         do update set position = greatest(delivery_reader.position, excluded.position)`,
        [position],
      );
    });
  }

  async due(now: EpochMs, limit: number): Promise<readonly Delivery[]> {
    const rows = await this.#session.all(
      `select * from (
         select *, row_number() over (partition by project, webhook order by "order") as place from deliveries where next_at <= ?
       ) as waiting where place <= ? order by "order"`,
      [now, limit],
    );
    return rows.map(toDelivery);
  }

  async nextDue(): Promise<EpochMs | undefined> {
    const [row] = await this.#session.all("select min(next_at) as at from deliveries where next_at is not null");
    return row === undefined || row["at"] === null ? undefined : Number(row["at"]);
  }

  async record(id: string, attempt: DeliveryAttempt, outcome: Outcome): Promise<void> {
    // Text into text: the database's own JSON would refuse what a receiver's words may hold.
    await this.#session.all(
      `update deliveries set attempts = case attempts when '[]' then '[' else left(attempts, -1) || ',' end || ?::text || ']',
         status = ?, next_at = ? where id = ?`,
      [JSON.stringify(attempt), outcome.status, outcome.status === "pending" ? outcome.retryAtMs : null, id],
    );
  }

  async list({ project, webhook }: WebhookPlace, { status, before, limit }: DeliveryFilter): Promise<readonly Delivery[]> {
    const rows = await this.#session.all(
      `select * from deliveries where project = ? and webhook = ? and "order" < ? and (?::text is null or status = ?)
       order by "order" desc limit ?`,
      [project, webhook, before ?? Number.MAX_SAFE_INTEGER, status ?? null, status ?? null, limit],
    );
    return rows.map(toDelivery);
  }

  async get({ project, webhook }: WebhookPlace, id: string): Promise<Delivery | undefined> {
    const sql = "select * from deliveries where id = ? and project = ? and webhook = ?";
    const [row] = await this.#session.all(sql, [id, project, webhook]);
    return row === undefined ? undefined : toDelivery(row);
  }

  async revive({ project, webhook }: WebhookPlace, id: string, now: EpochMs): Promise<boolean> {
    const rows = await this.#session.all(
      "update deliveries set status = 'pending', next_at = ? where id = ? and project = ? and webhook = ? returning 1 as revived",
      [now, id, project, webhook],
    );
    return rows.length === 1;
  }

  async pending({ project, webhook }: WebhookPlace): Promise<number> {
    const [row] = await this.#session.all(
      "select count(*) as waiting from deliveries where project = ? and webhook = ? and next_at is not null",
      [project, webhook],
    );
    return Number(row?.["waiting"]);
  }

  async totals(): Promise<{ readonly pending: number; readonly dead: number }> {
    const [row] = await this.#session.all(
      `select (select count(*) from deliveries where next_at is not null) as pending,
              (select count(*) from deliveries where status = 'dead') as dead`,
    );
    return { pending: Number(row?.["pending"]), dead: Number(row?.["dead"]) };
  }

  async forget(before: EpochMs): Promise<number> {
    const sql = "delete from deliveries where status <> 'pending' and created_at < ? returning 1 as forgotten";
    return (await this.#session.all(sql, [before])).length;
  }

  async close(): Promise<void> {
    await this.#session.end();
  }
}
