import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createClient } from "@belay/sdk-node";
import { ADMIN_TOKEN, givenMs, type ServerProcess, startFaultProxy, startServer, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { type Answered, type Asked, askServer } from "../../asked-server.fixture.ts";
import { readMirror } from "./mirror-file.ts";
import { withPostgres } from "./postgres.fixture.ts";

const P = "/api/v1/projects/default";

withPostgres("two servers on one PostgreSQL", (postgres) => {
  let nodes: ServerProcess[];
  let sdkKey: string;
  let env: Readonly<Record<string, string>>;
  let folders: readonly string[];
  let removeFolders: () => Promise<unknown>;

  const ask = (node: number, ...asked: Asked): Promise<Answered> => askServer(nodes[node], ...asked);
  const setPercentage = (node: number, flag: string, percentage: number) =>
    ask(node, "PUT", `${P}/environments/production/flags/${flag}/rollout`, { percentage });
  const percentageOf = async (node: number, flag: string): Promise<number> =>
    (await ask(node, "GET", `${P}/environments/production/flags/${flag}/rollout`)).body.percentage;

  beforeAll(async () => {
    env = { BELAY_DATABASE_URL: await postgres().database() };
    const dirs = await Promise.all([tempDir("node"), tempDir("node")]);
    removeFolders = () => Promise.all(dirs.map((dir) => dir.remove()));
    folders = dirs.map(({ path }) => join(path, "data"));
    nodes = await Promise.all(folders.map((dataDir) => startServer({ env, dataDir })));
    sdkKey = (await ask(0, "POST", `${P}/keys`, { environment: "production", kind: "server" })).body.secret;
    for (const key of ["checkout", "search"]) await ask(0, "POST", `${P}/flags`, { key, type: "boolean" });
    for (const flag of ["checkout", "search"]) {
      await ask(0, "PUT", `${P}/environments/production/flags/${flag}/enabled`, { enabled: true });
    }
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.stop()));
    await removeFolders();
  });

  it("start together on an empty database: one project, one set of first keys", async () => {
    const { items } = (await ask(1, "GET", "/api/v1/projects")).body;
    expect(items.map(({ key }: { key: string }) => key)).toEqual(["default"]);
    const keys = (await ask(1, "GET", `${P}/keys`)).body.items.filter(({ name }: { name: string }) => name === "first");
    expect(keys).toHaveLength(3);
  });

  it("one starts that finds the database hanging up at first", async () => {
    const address = new URL(await postgres().database());
    const way = await startFaultProxy(Number(address.port));
    onTestFinished(way.close);
    way.faults.isClosingAtOnce = true;
    address.port = String(way.port);
    const starting = startServer({ env: { BELAY_DATABASE_URL: address.href } });
    onTestFinished(async () => void (await (await starting).stop()));
    await expect.poll(() => way.accepted, { timeout: 45_000 }).toBeGreaterThanOrEqual(2);
    way.faults.isClosingAtOnce = false;
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}` };
    expect((await fetch(`${(await starting).url}${P}`, { headers })).status).toBe(200);
  });

  it("fault 54: a change on one reaches an SDK of the other, each within a second, 20 of 20", async () => {
    const client = createClient({ url: nodes[1]?.url ?? "", sdkKey });
    onTestFinished(() => client.close().then(() => undefined));
    await client.ready();
    const tookMs: number[] = [];
    for (let at = 0; at < 20; at++) {
      const isOn = at % 2 === 0;
      const started = performance.now();
      expect((await setPercentage(0, "checkout", isOn ? 100 : 0)).status).toBe(200);
      while (client.isEnabled("checkout", { targetingKey: "u" }, !isOn) !== isOn) {
        await sleep(1);
        expect(performance.now() - started).toBeLessThan(10_000);
      }
      tookMs.push(performance.now() - started);
    }
    // The call of the store, and not only the look of every second, brings it: half of them come far sooner.
    expect(tookMs.sort((a, b) => a - b)[10]).toBeLessThan(500);
  });

  it("both written to at once lose nothing: 60 changes are 60 revisions, in both", async () => {
    const before = (await ask(0, "GET", `${P}/environments/production`)).body.revision;
    const answers = await Promise.all(
      Array.from({ length: 60 }, (_, at) => setPercentage(at % 2, at % 3 === 0 ? "search" : "checkout", 1 + at)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(60);
    const revisions = answers.map(({ body }) => body.revision).sort((a, b) => a - b);
    expect(revisions).toEqual(Array.from({ length: 60 }, (_, at) => before + 1 + at));
    await expect.poll(() => ask(1, "GET", `${P}/environments/production`)).toMatchObject({ body: { revision: before + 60 } });
    for (const flag of ["checkout", "search"]) expect(await percentageOf(0, flag)).toBe(await percentageOf(1, flag));
  });

  it("a key that one revokes is refused by the other, and its streams there are cut", async () => {
    const { id, secret } = (await ask(0, "POST", `${P}/keys`, { environment: "production", kind: "server" })).body;
    const read = () => fetch(`${nodes[1]?.url}/sdk/v1/stream`, { headers: { authorization: `Bearer ${secret}` } });
    await expect.poll(async () => (await read()).status, { timeout: 10_000 }).toBe(200);
    const stream = await read();
    const ended = stream.text().then(
      () => "ended",
      () => "ended",
    );
    expect((await ask(0, "DELETE", `${P}/keys/${id}`)).status).toBe(200);
    expect(await Promise.race([ended, sleep(10_000, "still open")])).toBe("ended");
    expect((await read()).status).toBe(401);
  });

  describe("and a database that is away", () => {
    it("fault 53: that hangs refuses each write within a second, whatever waits for it besides, and nothing of them is done", async (context) => {
      const { own } = postgres();
      if (own === undefined) return context.skip("needs a server of its own to stop");
      await setPercentage(0, "search", 12);
      await expect.poll(() => percentageOf(1, "search"), { timeout: 10_000 }).toBe(12);
      await own.signal("SIGSTOP");
      onTestFinished(() => own.signal("SIGCONT"));
      const refusedMs: number[] = [];
      const pids = nodes.map(({ pid }) => pid);
      for (let at = 0; at < 8; at++) {
        // One alone, then three at once: the server looks for the changes of others all the while.
        const together = at % 2 === 0 ? 1 : 3;
        const ms = await givenMs(pids, async () => {
          const answers = await Promise.all(Array.from({ length: together }, () => setPercentage(at % 2, "search", 50 + at)));
          for (const answer of answers) expect(answer).toMatchObject({ status: 503, body: { code: "store_unavailable" } });
        });
        refusedMs.push(Math.round(ms));
      }
      process.stdout.write(`refused while PostgreSQL hangs, after ${refusedMs.join(", ")} ms\n`);
      expect(refusedMs).toHaveLength(8);
      expect(refusedMs.filter((ms) => ms >= 1_000)).toEqual([]);
      await own.signal("SIGCONT");
      await expect.poll(() => setPercentage(1, "checkout", 77), { timeout: 20_000 }).toMatchObject({ status: 200 });
      await expect.poll(() => percentageOf(0, "checkout"), { timeout: 20_000 }).toBe(77);
      for (const node of [0, 1]) expect(await percentageOf(node, "search")).toBe(12);
    });

    it("decides and streams as before, refuses writes with 503, and goes on by itself", async (context) => {
      const { own } = postgres();
      if (own === undefined) return context.skip("needs a server of its own to kill");
      await setPercentage(0, "checkout", 100);
      await expect.poll(() => percentageOf(1, "checkout"), { timeout: 10_000 }).toBe(100);
      const mirrored = async () => readMirror(join(folders[1] as string, "changes.mirror.json"));
      const { revision } = (await ask(1, "GET", `${P}/environments/production`)).body;
      await expect
        .poll(async () => (await mirrored())?.streams.find(({ environment }) => environment === "production")?.revision, {
          timeout: 20_000,
        })
        .toBe(revision);
      await own.kill();
      const refused = await Promise.all([setPercentage(0, "checkout", 0), setPercentage(1, "checkout", 0)]);
      expect(refused).toMatchObject(Array.from({ length: 2 }, () => ({ status: 503, body: { code: "store_unavailable" } })));
      const snapshot = await fetch(`${nodes[1]?.url}/sdk/v1/snapshot`, { headers: { authorization: `Bearer ${sdkKey}` } });
      expect(snapshot.status).toBe(200);
      expect(await percentageOf(0, "checkout")).toBe(100);
      // A server that starts now starts from what it last saw, on its data folder.
      await nodes[1]?.kill();
      nodes[1] = await startServer({ env, dataDir: folders[1] as string });
      expect(await percentageOf(1, "checkout")).toBe(100);
      const restarted = await fetch(`${nodes[1].url}/sdk/v1/snapshot`, { headers: { authorization: `Bearer ${sdkKey}` } });
      expect(await restarted.json()).toEqual(await snapshot.json());
      expect(await setPercentage(1, "checkout", 0)).toMatchObject({ status: 503 });
      await own.start();
      await expect.poll(() => setPercentage(0, "checkout", 30), { timeout: 10_000 }).toMatchObject({ status: 200 });
      await expect.poll(() => percentageOf(1, "checkout"), { timeout: 10_000 }).toBe(30);
    });
  });
});
