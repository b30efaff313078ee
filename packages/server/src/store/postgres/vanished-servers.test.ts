import { once } from "node:events";
import { createInterface } from "node:readline";
import { hasPostgres, inOwnNetwork, POSTGRES_HINT, TAKE_DOWN, whyNoOwnNetwork } from "@belay/testkit";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";

/** A PostgreSQL and two servers on it; says how to reach the first, takes the network down when told, ends with its input. */
const PROGRAM = `
  const [, testkit, command, ...args] = process.argv;
  const { startPostgres, startServer } = await import(testkit);
  const { spawnSync } = await import("node:child_process");
  const postgres = await startPostgres();
  const env = { BELAY_DATABASE_URL: postgres.url };
  const servers = await Promise.all([startServer({ env }), startServer({ env })]);
  const { socketFolder, port } = postgres;
  console.log(JSON.stringify({ host: socketFolder, port }));
  process.stdin.once("data", () => console.log(spawnSync(command, args).status));
  process.stdin.once("end", async () => {
    await Promise.all([...servers.map((server) => server.kill()), postgres.stop()]);
    process.exit();
  });
`;

/** Other machines' sessions: those of this test come over the Unix socket. */
const SESSIONS = "select count(*)::int as count from pg_stat_activity where client_addr is not null";

const title = "PostgreSQL has no session of two servers left soon after both vanished without a word";
const reason = whyNoOwnNetwork() ?? (hasPostgres() ? undefined : `no PostgreSQL: ${POSTGRES_HINT}`);

// A skip is what the summary names and counts.
if (reason !== undefined) test.skip(`${title} (${reason})`, () => undefined);
else
  test(title, async () => {
    const testkit = import.meta.resolve("@belay/testkit");
    const child = inOwnNetwork(["--input-type=module", "-e", PROGRAM, testkit, ...TAKE_DOWN]);
    onTestFinished(async () => {
      const ended = once(child, "close");
      child.stdin.end();
      await ended;
    });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const address = JSON.parse(String((await lines.next()).value));
    const observer = new pg.Client({ ...address, user: "postgres", database: "postgres" });
    await observer.connect();
    onTestFinished(() => observer.end());
    const sessions = async (): Promise<number> => (await observer.query(SESSIONS)).rows[0].count;
    expect(await sessions()).toBeGreaterThanOrEqual(10);

    child.stdin.write("down\n");
    expect((await lines.next()).value).toBe("0");
    // To some of them PostgreSQL says something, which nobody acknowledges.
    await observer.query("notify belay_changes");
    await expect.poll(sessions, { timeout: 50_000, interval: 500 }).toBe(0);
  }, 180_000);
