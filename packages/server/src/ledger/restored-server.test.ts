import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { ADMIN_TOKEN, type ServerProcess, startServer, tempDir } from "@belay/testkit";
import { expect, it, onTestFinished } from "vitest";
import { withPostgres } from "../store/changes/postgres.fixture.ts";
import type { LedgerReport } from "./views.ts";

const P = "/api/v1/projects/default";
const LEDGER = `${P}/environments/production/ledger`;

const MAIN = fileURLToPath(new URL("../../dist/main.js", import.meta.url));

async function command(env: Readonly<Record<string, string>>, ...args: readonly string[]): Promise<void> {
  await promisify(execFile)(process.execPath, [MAIN, ...args], { env: { ...process.env, ...env } });
}

withPostgres("a server restored from the backup of one that shares PostgreSQL", (postgres) => {
  it("counts what both had once, and what came after the backup as lost; one that is still there counts on", async () => {
    const dir = await tempDir("restored");
    const env = { BELAY_DATABASE_URL: await postgres().database() };
    const servers: ServerProcess[] = [];
    onTestFinished(async () => {
      await Promise.all(servers.map((server) => server.kill()));
      await dir.remove();
    });
    const start = async (name: string): Promise<ServerProcess> => {
      const server = await startServer({ env, dataDir: join(dir.path, name) });
      servers.push(server);
      return server;
    };
    const ask = async <T>(server: ServerProcess, path: string, body?: object, as = ADMIN_TOKEN): Promise<T> => {
      const answer = await fetch(`${server.url}${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: { authorization: `Bearer ${as}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      expect(answer.ok, await answer.clone().text()).toBe(true);
      return (await answer.json()) as T;
    };
    const [first, other] = [await start("first"), await start("other")];
    const { secret } = await ask<{ secret: string }>(first, `${P}/keys`, { environment: "production", kind: "server" });

    /** Exposures of one application, which says how many it made so far. */
    const expose = async (server: ServerProcess, instance: string, from: number, to: number): Promise<void> => {
      const exposure = { timeMs: Date.now(), flag: "f", variant: "on", experiment: "e", epoch: 1, revision: 1 };
      const seqs = Array.from({ length: to - from + 1 }, (_, n) => from + n);
      await ask(
        server,
        "/sdk/v1/events",
        {
          ...{ batchId: `${instance}${from}`, sentAtMs: Date.now(), sdk: "test/1", instance },
          exposures: seqs.map((seq) => ({ ...exposure, seq, unit: `${instance}-${seq}` })),
          ledger: [{ experiment: "e", variant: "on", produced: to, dropped: 0 }],
        },
        secret,
      );
    };
    const told = async (server: ServerProcess): Promise<unknown> => {
      const { arms, servers: others } = await ask<LedgerReport>(server, `${LEDGER}?experiment=e&silentAfterS=1`);
      const sums = arms.map(({ produced, stored, lost, inFlight }) => ({ produced, stored, missing: lost + inFlight }));
      return { sums, others: others.length };
    };
    const untilTold = (server: ServerProcess, sums: object, others: number): Promise<void> =>
      expect.poll(() => told(server), { timeout: 120_000, interval: 250 }).toEqual({ sums: [sums], others });

    // The key was made at the first server; the other hears of it a moment later.
    const knowsKey = async (): Promise<number> =>
      (await fetch(`${other.url}/sdk/v1/snapshot`, { headers: { authorization: `Bearer ${secret}` } })).status;
    await expect.poll(knowsKey).toBe(200);

    await expose(other, "there", 1, 50);
    await expose(first, "here", 1, 300);
    const backup = join(dir.path, "backup.tar.gz");
    await command({ BELAY_TOKEN: first.adminToken }, "backup", "--to", backup, "--url", first.url);
    await expose(first, "here", 301, 400);
    await untilTold(other, { produced: 450, stored: 450, missing: 0 }, 1);
    /** The servers whose events are not in what is read here. */
    const elsewhere = async ({ url }: ServerProcess): Promise<string[]> => {
      const path = `${url}${P}/exposures?environment=production`;
      const { headers } = await fetch(path, { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } });
      return (headers.get("belay-not-counted") ?? "").split(/, ?/);
    };
    const [firstName = "", ...more] = await elsewhere(other);
    expect([firstName === "", more]).toEqual([false, []]);
    await first.kill();

    await command({ BELAY_DATA: join(dir.path, "second") }, "restore", "--from", backup);
    const second = await start("second");
    const afterwards = { produced: 450, stored: 350, missing: 100 };
    await untilTold(other, afterwards, 2);
    await untilTold(second, afterwards, 2);
    const [secondName = "", ...others] = await elsewhere(other);
    expect([secondName === "" || secondName === firstName, others]).toEqual([false, []]);

    // The application goes on, and says again how many it made.
    await expose(second, "here", 401, 410);
    await untilTold(other, { produced: 460, stored: 360, missing: 100 }, 2);

    // The disk was found again: the server it belongs to has those 400 all the same.
    await start("first");
    await expect
      .poll(() => elsewhere(other).then((names) => names.sort()), { timeout: 120_000 })
      .toEqual([firstName, secondName].sort());
  }, 300_000);
});
