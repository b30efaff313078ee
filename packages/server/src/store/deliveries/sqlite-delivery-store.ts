import type { DeliveryAttempt, EpochMs } from "@belay/protocol";
import type { ChangeId } from "../changes/index.ts";
import type { SqlRow } from "../changes/rows.ts";
import type { SqliteDriver } from "../sqlite/driver.ts";
import { storeFault } from "../sqlite/faults.ts";
import { migrate } from "../sqlite/migrations.ts";
import type { Delivery, DeliveryFilter, DeliveryStore, Message, Outcome, WebhookPlace } from "./delivery-store.ts";
import { toDelivery } from "./rows.ts";

const MIGRATIONS: readonly string[] = [
  `
  create table deliveries (
    "order" integer primary key, id text not null unique, project text not null, webhook text not null, type text not null,
    body text not null, created_at integer not null, status text not null, attempts text not null, next_at integer
  );
  create index deliveries_by_webhook on deliveries (project, webhook, "order");
  create index deliveries_by_time on deliveries (next_at) where next_at is not null;

  create table reader (only_row integer primary key check (only_row = 1), position integer not null);
  `,
  `create index deliveries_dead on deliveries (id) where status = 'dead';`,
];

/** The embedded outbox, on an SQLite file of its own: it may be lost without losing a change. */
export function sqliteDeliveryStore(driver: SqliteDriver): DeliveryStore {
  driver.exec("pragma busy_timeout = 5000");
  driver.exec("pragma journal_mode = wal");
  driver.exec("pragma synchronous = full");
  migrate(driver, MIGRATIONS);
  return new SqliteDeliveryStore(driver);
}

class SqliteDeliveryStore implements DeliveryStore {
  readonly #driver: SqliteDriver;

  constructor(driver: SqliteDriver) {
    this.#driver = driver;
  }

  async position(): Promise<ChangeId | undefined> {
    const [row] = this.#all("select position from reader", []);
    return row === undefined ? undefined : Number(row["position"]);
  }

  async put(messages: readonly Message[], position?: ChangeId): Promise<void> {
    guarded(() =>
      this.#driver.transaction(() => {
        for (const message of messages) this.#insert(message);
        if (position === undefined) return;
        this.#driver.run(
          "insert into reader (only_row, position) values (1, ?) on conflict (only_row) do update set position = excluded.position",
          [position],
        );
      }),
    );
  }

  #insert({ id, project, webhook, type, body, createdAtMs }: Message): void {
    this.#driver.run(
      `insert into deliveries (id, project, webhook, type, body, created_at, status, attempts, next_at)
       values (?, ?, ?, ?, ?, ?, 'pending', '[]', ?) on conflict (id) do nothing`,
      [id, project, webhook, type, body, createdAtMs, createdAtMs],
    );
  }

  async due(now: EpochMs, limit: number): Promise<readonly Delivery[]> {
    return this.#all(
      `select * from (
         select *, row_number() over (partition by project, webhook order by "order") as place from deliveries where next_at <= ?
       ) where place <= ? order by "order"`,
      [now, limit],
    ).map(toDelivery);
  }

  async nextDue(): Promise<EpochMs | undefined> {
    const [row] = this.#all("select min(next_at) as at from deliveries where next_at is not null", []);
    return row === undefined || row["at"] === null ? undefined : Number(row["at"]);
  }

  async record(id: string, attempt: DeliveryAttempt, outcome: Outcome): Promise<void> {
    guarded(() =>
      this.#driver.run(
        "update deliveries set attempts = json_insert(attempts, '$[#]', json(?)), status = ?, next_at = ? where id = ?",
        [JSON.stringify(attempt), outcome.status, outcome.status === "pending" ? outcome.retryAtMs : null, id],
      ),
    );
  }

  async list({ project, webhook }: WebhookPlace, { status, before, limit }: DeliveryFilter): Promise<readonly Delivery[]> {
    return this.#all(
      `select * from deliveries where project = ? and webhook = ? and "order" < ? and (? is null or status = ?)
       order by "order" desc limit ?`,
      [project, webhook, before ?? Number.MAX_SAFE_INTEGER, status ?? null, status ?? null, limit],
    ).map(toDelivery);
  }

  async get({ project, webhook }: WebhookPlace, id: string): Promise<Delivery | undefined> {
    const [row] = this.#all("select * from deliveries where id = ? and project = ? and webhook = ?", [id, project, webhook]);
    return row === undefined ? undefined : toDelivery(row);
  }

  async revive({ project, webhook }: WebhookPlace, id: string, now: EpochMs): Promise<boolean> {
    return guarded(
      () =>
        this.#driver.run("update deliveries set status = 'pending', next_at = ? where id = ? and project = ? and webhook = ?", [
          now,
          id,
          project,
          webhook,
        ]) === 1,
    );
  }

  async pending({ project, webhook }: WebhookPlace): Promise<number> {
    const [row] = this.#all(
      "select count(*) as waiting from deliveries where project = ? and webhook = ? and next_at is not null",
      [project, webhook],
    );
    return Number(row?.["waiting"]);
  }

  async totals(): Promise<{ readonly pending: number; readonly dead: number }> {
    const [row] = this.#all(
      `select (select count(*) from deliveries where next_at is not null) as pending,
              (select count(*) from deliveries where status = 'dead') as dead`,
      [],
    );
    return { pending: Number(row?.["pending"]), dead: Number(row?.["dead"]) };
  }

  async forget(before: EpochMs): Promise<number> {
    return guarded(() => this.#driver.run("delete from deliveries where status <> 'pending' and created_at < ?", [before]));
  }

  async close(): Promise<void> {
    this.#driver.close();
  }

  #all(sql: string, parameters: Parameters<SqliteDriver["all"]>[1]): SqlRow[] {
    return guarded(() => this.#driver.all(sql, parameters));
  }
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeFault(error, "The outbox of webhooks");
  }
}
