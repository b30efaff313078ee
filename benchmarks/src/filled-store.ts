/*
 * A server's data folder with millions of exposures in it, written by DuckDB itself: what is measured comes afterwards. What its
 * loader would have written is known in advance, so nothing has to be sent, loaded or looked for:
 *
 *   exposure n   experiment n % E, of which it meets unit n // E, from another one on in each experiment
 *   first met    every one of them: no unit comes twice, which is the most there can be to keep
 *
 * filled-store.test.ts holds the rows to those of events that were sent. The ledger's tables stay empty.
 */
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

/** When the first of them is made and received. */
export const FILLED_FROM_MS: number = Date.UTC(2026, 9, 1);

/** Units of each experiment, the same ones in all. */
export function unitsOf({ rows, experiments }: Pick<Filling, "rows" | "experiments">): number {
  return Math.ceil(rows / experiments);
}

/** Milliseconds over which they are spread. */
export function spanMsOf({ days }: Pick<Filling, "days">): number {
  return days * 86_400_000;
}

/** Any prime that divides no number of units: it scatters them, so that their names compress no better than real ones. */
export const SCATTER = 7_919;

/** Fills a new data folder: the server makes its tables, the rows are what its loader would have written. */
export async function fillStore(dataDir: string, filling: Filling): Promise<void> {
  const { rows, experiments } = filling;
  const units = unitsOf(filling);
  const apart = Math.floor(units / experiments);
  if (units % SCATTER === 0) throw new Error(`${units} units cannot be scattered by ${SCATTER}`);
  await makeTables(dataDir);
  await withDatabase(dataDir, async (connection) => {
    await connection.run("set threads = 2");
    await connection.run("delete from exposures");
    await connection.run("delete from first_met_fresh");
    const from = `make_timestamp_ms(${FILLED_FROM_MS})`;
    await connection.run(`insert into exposures by name
      select n + 1 as position, ${from} + to_microseconds(n * ${spanMsOf(filling)} // ${rows} * 1000) as time, time as received_at,
        'default' as project, 'production' as environment, 'node/0.1.0' as sdk, 'instance-' || (n % 50) as instance,
        n // 50 + 1 as seq, 12 as clock_offset_ms,
        'user-' || ((n // ${experiments} + n % ${experiments} * ${apart}) % ${units} * ${SCATTER} % ${units}) as unit, 12 as revision,
        'flag-' || (n % ${experiments}) as flag, if(hash(unit) % 2 = 0, 'control', 'treatment') as variant, 'rollout' as rule,
        'experiment-' || (n % ${experiments}) as experiment, 7 as epoch, true as differs,
        '{"country":"DE","plan":"pro","n":' || (n % 1000) || '}' as attributes
      from range(${rows}) numbers(n)`);
    await connection.run(`insert into first_met_settled by name
      select project, environment, 'experiment' as kind, experiment as key, epoch, unit, variant, position, time, received_at,
        clock_offset_ms, differs
      from exposures`);
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
