import { CLICKHOUSE_HINT, type ClickHouseServer, hasClickHouse, mayMissEngines, startClickHouse, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type EventStore, openEventStore } from "../index.ts";

/** A server that tests may use: one of their own, which they may kill, or the one they were given. */
export interface TestServer {
  readonly url: string;
  /** Absent where the server was given. */
  readonly own?: ClickHouseServer;
  /** Runs a statement, whatever comes back as text. */
  readonly query: (sql: string) => Promise<string>;
}

/** Tests on a ClickHouse server, which one is known when they run. Where there is none, one test says how to get it. */
export function withClickHouse(name: string, tests: (server: () => TestServer) => void): void {
  const given = process.env["BELAY_TEST_CLICKHOUSE_URL"];
  if (given === undefined && !hasClickHouse()) {
    missing(`${name} (no ClickHouse: ${CLICKHOUSE_HINT})`);
    return;
  }
  describe(name, () => {
    let server: TestServer;
    beforeAll(async () => {
      server = given === undefined ? await startOwn() : { url: given, query: (sql) => ask(given, sql) };
    });
    afterAll(() => server.own?.stop());
    tests(() => server);
  });
}

/** One loud line for tests that cannot run, or a failure where they must. */
export function missing(what: string): void {
  if (mayMissEngines()) skipped(what);
  else test(what, () => expect.unreachable("BELAY_REQUIRE_ENGINES or CI says that it must be there"));
}

/** One loud line for tests that were not asked for. */
export function skipped(what: string): void {
  // A skip is what the summary names and counts.
  test.skip(what, () => undefined);
}

/** An empty store on a server, for the contracts; ended segments are loaded soon. */
export async function newStore({
  url,
  query,
}: TestServer): Promise<{ open: () => Promise<EventStore>; clear: () => Promise<void> }> {
  const folder = await tempDir("clickhouse-store");
  const database = newDatabase();
  const clickHouse = { urls: [`${url}/${database}`] };
  return {
    open: () => openEventStore({ directory: folder.path, clickHouse, segmentAgeMs: 50 }),
    clear: async () => {
      await query(`drop database if exists ${database}`);
      await folder.remove();
    },
  };
}

let lastDatabase = 0;

/** A name no other test has. */
export function newDatabase(): string {
  lastDatabase += 1;
  return `belay_test_${process.pid}_${Date.now()}_${lastDatabase}`;
}

async function startOwn(): Promise<TestServer> {
  // Not UTC, so that whatever depends on the server's zone shows.
  const own = await startClickHouse({ timezone: "Asia/Kolkata" });
  return { url: own.url, own, query: own.query };
}

async function ask(url: string, sql: string): Promise<string> {
  const { origin, username, password } = new URL(url);
  const headers = { "x-clickhouse-user": username || "default", "x-clickhouse-key": password };
  const answer = await fetch(origin, { method: "POST", body: sql, headers });
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return text.trimEnd();
}
