import { join } from "node:path";
import { createClient } from "@belay/sdk-node";
import { ADMIN_TOKEN, type Admin, adminOf, type ServerProcess, startServer, tempDir } from "@belay/testkit";
import pg from "pg";
import { expect, it, onTestFinished } from "vitest";
import { readMirror } from "./mirror-file.ts";
import { withPostgres } from "./postgres.fixture.ts";

const P = "/projects/default";
const E = `${P}/environments/production`;

/** Whoever adds a table to the schema adds it to what is set back: all there are. */
const TABLES = "select tablename as name from pg_tables where schemaname = 'public' order by tablename <> 'changes', tablename";

withPostgres("PostgreSQL brought back as it was, or another one in its place", (postgres) => {
  it("fault 53: set back under two servers, both serve what it holds, and a kill switch reaches every application", async () => {
    const url = await postgres().database();
    const [a, b] = await Promise.all([start(url), start(url)]);
    const secret = await shop(adminOf(a.url, ADMIN_TOKEN));
    const applications = [a, b].map((server) => applicationOf(server, secret));
    await Promise.all(applications.map((application) => application.ready()));
    const admin = adminOf(a.url, ADMIN_TOKEN);
    await query(url, async (client, tables) => {
      await client.query("create schema kept");
      for (const table of tables) await client.query(`create table kept.${table} as table public.${table}`);
    });
    for (let at = 0; at < 6; at += 1) await admin.send("POST", `${P}/flags`, { key: `lost-${at}` });
    await setEnabled(admin, true);
    const served = (await admin.send<{ revision: number }>("GET", E)).revision;
    const reach = { timeout: 20_000, interval: 10 };
    await expect.poll(() => applications.map(({ revision }) => revision), reach).toEqual([served, served]);
    await query(url, async (client, tables) => {
      await client.query("begin");
      // Servers keep their leases and ledgers meanwhile: they wait, as they do for `pg_restore`.
      await client.query(`lock table ${tables.join(", ")} in access exclusive mode`);
      for (const table of [...tables].reverse()) await client.query(`delete from ${table}`);
      for (const table of tables) await client.query(`insert into ${table} select * from kept.${table}`);
      await client.query("commit");
    });
    const at = performance.now();
    // Each of the two says above what it served, one after the other.
    await expect.poll(() => applications.map(({ revision }) => revision), reach).toEqual([served + 2, served + 2]);
    expect(performance.now() - at).toBeLessThan(10_000);
    expect(applications.map(isOn)).toEqual([false, false]);
    await expect(admin.send("GET", `${P}/flags/lost-0`)).rejects.toThrow("404");
    await setEnabled(adminOf(b.url, ADMIN_TOKEN), true);
    await expect.poll(() => applications.map(isOn), reach).toEqual([true, true]);
    await setEnabled(admin, false);
    await expect.poll(() => applications.map(isOn), reach).toEqual([false, false]);
    const { items } = await admin.send<{ items: { revision: number }[] }>("GET", `${P}/changes?action=project.resume`);
    expect(items).toHaveLength(2);
    for (const server of [a, b]) expect(server.output().split("lost changes that were served here")).toHaveLength(2);
  });

  it("fault 53: an empty one by mistake is not taken for the truth by a server that knows better, started on it or not", async () => {
    const [right, wrong] = [await postgres().database(), await postgres().database()];
    const { path: dataDir } = await folder();
    const first = await start(right, dataDir);
    const secret = await shop(adminOf(first.url, ADMIN_TOKEN));
    await setEnabled(adminOf(first.url, ADMIN_TOKEN), true);
    const { revision } = await adminOf(first.url, ADMIN_TOKEN).send<{ revision: number }>("GET", E);
    expect(await first.stop()).toEqual({ code: 0 });
    const mirror = join(dataDir, "changes.mirror.json");
    const kept = await readMirror(mirror);
    expect(kept?.streams).toContainEqual({ project: "default", environment: "production", revision });
    const second = await start(wrong, dataDir);
    const application = applicationOf(second, secret);
    await application.ready();
    expect([application.revision, isOn(application)]).toEqual([revision, true]);
    await expect(setEnabled(adminOf(second.url, ADMIN_TOKEN), false)).rejects.toThrow("another one than this server knows");
    expect(await second.stop()).toEqual({ code: 0 });
    expect(await readMirror(mirror)).toEqual(kept);
    const third = await start(right, dataDir);
    await setEnabled(adminOf(third.url, ADMIN_TOKEN), false);
    expect((await adminOf(third.url, ADMIN_TOKEN).send<{ revision: number }>("GET", E)).revision).toBe(revision + 1);
  });

  it("fault 53: a server that is stopped while it is away, or hangs, ends with 0 and has written what it knew", async (context) => {
    const { own } = postgres();
    if (own === undefined) return context.skip("needs a server of its own to kill");
    const url = await own.url;
    const [a, b] = await Promise.all([start(url), start(url)]);
    await shop(adminOf(a.url, ADMIN_TOKEN));
    await own.signal("SIGSTOP");
    const hung = await a.stop();
    await own.signal("SIGCONT");
    expect(hung).toEqual({ code: 0 });
    await own.kill();
    onTestFinished(() => own.start());
    expect(await b.stop()).toEqual({ code: 0 });
    const nowhere = startServer({ env: { BELAY_DATABASE_URL: url } });
    await expect(nowhere).rejects.toThrow(/Belay did not start\. The change log cannot take this now: ECONNREFUSED/);
  });
});

async function folder(): Promise<{ readonly path: string }> {
  const made = await tempDir("set-back");
  onTestFinished(made.remove);
  return { path: join(made.path, "data") };
}

async function start(url: string, dataDir?: string): Promise<ServerProcess> {
  const server = await startServer({ env: { BELAY_DATABASE_URL: url }, dataDir: dataDir ?? (await folder()).path });
  onTestFinished(async () => void (await server.kill()));
  return server;
}

async function shop(admin: Admin): Promise<string> {
  await admin.send("POST", `${P}/flags`, { key: "checkout" });
  await admin.send("PUT", `${E}/flags/checkout/rollout`, { percentage: 100 });
  await setEnabled(admin, false);
  return (await admin.send<{ secret: string }>("POST", `${P}/keys`, { environment: "production", kind: "server" })).secret;
}

const setEnabled = (admin: Admin, enabled: boolean): Promise<unknown> =>
  admin.send("PUT", `${E}/flags/checkout/enabled`, { enabled });

type Application = ReturnType<typeof createClient>;

function applicationOf({ url }: ServerProcess, sdkKey: string): Application {
  const application = createClient({ url, sdkKey, logger: { warn: () => undefined, error: () => undefined } });
  onTestFinished(async () => void (await application.close({ deadlineMs: 100 })));
  return application;
}

const isOn = (application: Application): boolean => application.isEnabled("checkout", { targetingKey: "u" }, false);

async function query(url: string, work: (client: pg.Client, tables: readonly string[]) => Promise<void>): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(TABLES);
    await work(
      client,
      rows.map(({ name }) => name),
    );
  } finally {
    await client.end();
  }
}
