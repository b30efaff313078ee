import type { EpochMs } from "@belay/protocol";
import { openDriver, type SqliteDriver } from "../sqlite/driver.ts";
import { migrate } from "../sqlite/migrations.ts";

/**
 * `absent-flag`: asked for, and not there. `experiment-*`: when something of a running experiment was last taken in. `start`: when
 * this was begun.
 */
export type UsedKind = "sdk-key" | "token" | "flag" | "absent-flag" | "experiment-exposures" | "experiment-metrics" | "start";

export interface Use {
  readonly kind: UsedKind;
  readonly id: string;
  readonly at: EpochMs;
}

/** Keeps the last use of each name. It may be lost without losing a change. */
export interface UseStore {
  all(): readonly Use[];
  /** All of them in one transaction. */
  put(uses: readonly Use[]): void;
  close(): void;
}

const MIGRATIONS: readonly string[] = [
  "create table uses (kind text not null, id text not null, at integer not null, primary key (kind, id)) without rowid",
];

/** Opens the file, made when absent. Not synced at each write: a power cut costs a minute of uses. */
export async function openUseStore(file: string): Promise<UseStore> {
  const driver = await openDriver(file);
  driver.exec("pragma busy_timeout = 5000");
  driver.exec("pragma journal_mode = wal");
  driver.exec("pragma synchronous = normal");
  migrate(driver, MIGRATIONS);
  return useStore(driver);
}

function useStore(driver: SqliteDriver): UseStore {
  return {
    all: () =>
      driver
        .all("select kind, id, at from uses", [])
        .map((row) => ({ kind: String(row["kind"]) as UsedKind, id: String(row["id"]), at: Number(row["at"]) })),
    put: (uses) =>
      driver.transaction(() => {
        for (const { kind, id, at } of uses) {
          driver.run("insert into uses (kind, id, at) values (?, ?, ?) on conflict (kind, id) do update set at = excluded.at", [
            kind,
            id,
            at,
          ]);
        }
      }),
    close: () => driver.close(),
  };
}
