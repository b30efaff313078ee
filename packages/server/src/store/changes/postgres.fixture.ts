import { hasPostgres, mayMissEngines, POSTGRES_HINT, type PostgresServer, startPostgres } from "@belay/testkit";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/** A PostgreSQL that tests may use: one of their own, which they may kill, or the one they were given. */
export interface TestPostgres {
  /** Absent where the server was given. */
  readonly own?: PostgresServer;
  /** Makes an empty database; its address. */
  readonly database: () => Promise<string>;
}

/** Tests on PostgreSQL. Where there is none, one test says how to get it. */
export function withPostgres(name: string, tests: (server: () => TestPostgres) => void): void {
  const given = process.env["BELAY_TEST_POSTGRES_URL"];
  if (given === undefined && !hasPostgres()) {
    const what = `${name} (no PostgreSQL: ${POSTGRES_HINT})`;
    // A skip is what the summary names and counts.
    if (mayMissEngines()) test.skip(what, () => undefined);
    else test(what, () => expect.unreachable("BELAY_REQUIRE_ENGINES or CI says that it must be there"));
    return;
  }
  describe(name, () => {
    let server: TestPostgres;
    beforeAll(async () => {
      if (given !== undefined) server = { database: () => newDatabase(given) };
      else {
        const own = await startPostgres();
        server = { own, database: () => newDatabase(own.url) };
      }
    });
    afterAll(() => server.own?.stop());
    tests(() => server);
  });
}

let last = 0;

async function newDatabase(url: string): Promise<string> {
  last += 1;
  const name = `belay_test_${process.pid}_${Date.now()}_${last}`;
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create database ${name}`);
  await client.end();
  const address = new URL(url);
  address.pathname = `/${name}`;
  return address.href;
}
