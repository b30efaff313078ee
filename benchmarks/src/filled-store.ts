/* A server's data folder with millions of exposures in it, written by DuckDB itself: what is measured comes afterwards. */
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { startServer } from "@belay/testkit";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { connectControl } from "./control.ts";

export interface Filling {
  readonly rows: number;
  /** They are spread evenly over so many days. */
  readonly days: number;
  readonly experiments: number;
}

/** Fills a new data folder: the server makes its tables, the rows are what its loader would have written. */
export async function fillStore(dataDir: string, { rows, days, experiments }: Filling): Promise<void> {
  await makeTables(dataDir);
  const stepUs = Math.floor((days * 86_400_000_000) / rows);
  await withDatabase(dataDir, async (connection) => {
    await connection.run("delete from exposures");
    await connection.run(`insert into exposures by name
      select n + 1 as position, timestamp '2026-10-01' + to_microseconds(n * ${stepUs}) as time, time as received_at,
        'default' as project, 'production' as environment, 'node/0.1.0' as sdk, 'instance-' || (n % 50) as instance,
        n // 50 + 1 as seq, 12 as clock_offset_ms, 'user-' || (hash(n) % ${Math.ceil(rows / 5)}) as unit, 12 as revision,
        'flag-' || (n % ${experiments}) as flag, if(hash(unit) % 2 = 0, 'control', 'treatment') as variant, 'rollout' as rule,
        'experiment-' || (n % ${experiments}) as experiment, 7 as epoch, true as differs,
        '{"country":"DE","plan":"pro","n":' || (n % 1000) || '}' as attributes
      from range(${rows}) numbers(n)`);
    await connection.run(`insert into first_exposures_settled by name
      select project, environment, 'experiment' as kind, experiment as key, epoch, unit, variant, min(position) as position,
        min(time) as time, min(received_at) as received_at
      from exposures group by all`);
    await connection.run("checkpoint");
  });
}

/** The database of a server that is stopped. One thread, as the server has it on two processors. */
export async function withDatabase<T>(dataDir: string, work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  const instance = await DuckDBInstance.create(databaseFile(dataDir), { threads: "1" });
  const connection = await instance.connect();
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

export function databaseFile(dataDir: string): string {
  return join(dataDir, "events", "duckdb", "events.duckdb");
}

async function makeTables(dataDir: string): Promise<void> {
  const server = await startServer({ dataDir });
  const { sdkKey } = await connectControl(server);
  const exposure = { seq: 1, timeMs: 1, flag: "f", variant: "on", experiment: "e", epoch: 1, revision: 1, unit: "u" };
  const answer = await fetch(`${server.url}/sdk/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${sdkKey}`, "content-type": "application/json" },
    body: JSON.stringify({ batchId: "b", sentAtMs: Date.now(), sdk: "benchmark", instance: "i", exposures: [exposure] }),
  });
  if (answer.status !== 202) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
  while ((await estimate(server, "")) !== 1) await pause(50);
  await server.stop();
}

/** Rows of a filter by the server's own count. */
export async function estimate(server: { readonly url: string; readonly adminToken: string }, filter: string): Promise<number> {
  const answer = await fetch(`${server.url}/api/v1/projects/default/exposures/estimate?${filter}`, {
    headers: { authorization: `Bearer ${server.adminToken}` },
  });
  if (!answer.ok) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
  return ((await answer.json()) as { readonly rows: number }).rows;
}
