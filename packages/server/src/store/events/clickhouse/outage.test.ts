import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { freePort, seeded, tempDir } from "@belay/testkit";
import { expect, onTestFinished, test } from "vitest";
import { rowsOf } from "../event-store.contract.ts";
import type { EventStore } from "../event-store.ts";
import { batchOf, exposureOf } from "../events.fixture.ts";
import { openEventStore } from "../index.ts";
import { newDatabase, withClickHouse } from "./clickhouse.fixture.ts";

/** 40 with `BELAY_KILLS=200`; the quick suite kills 5 times. */
const KILLS = Math.ceil(Number(process.env["BELAY_KILLS"] ?? 25) / 5);

withClickHouse("a ClickHouse that fails", (server) => {
  const database = newDatabase();
  const urlOf = (url: string): string => `${url}/${database}`;

  async function open(folder: string, over: { urls?: readonly string[]; spoolBytesMax?: number } = {}): Promise<EventStore> {
    const { urls = [urlOf(server().url)], ...rest } = over;
    const store = await openEventStore({ directory: folder, clickHouse: { urls }, segmentAgeMs: 100, ...rest });
    onTestFinished(() => store.close());
    return store;
  }

  const ten = (project: string, round: number) =>
    batchOf({ project, exposures: Array.from({ length: 10 }, (_, index) => exposureOf(10 * round + index + 1)) });
  const upTo = (last: number) => Array.from({ length: last }, (_, index) => index + 1);
  const seqsOf = async (store: EventStore, project: string) => (await rowsOf(store, { project })).map((row) => row["seq"]);

  test(
    `killed ${KILLS} times while events are loaded: every batch is acknowledged, every event is there once`,
    async (context) => {
      const { own } = server();
      if (own === undefined) return context.skip("the server was given: it is not killed");
      const folder = await tempDir("killed");
      const store = await open(folder.path);
      const dice = seeded(53);
      let rounds = 0;
      for (let kill = 0; kill < KILLS; kill += 1) {
        const until = performance.now() + 200 + dice.below(400);
        while (performance.now() < until) {
          expect(await store.append(ten("killed", rounds))).toEqual({ accepted: 10, duplicates: 0 });
          rounds += 1;
        }
        await own.kill();
        const slowest = await slowestOf(10, async () => {
          expect(await store.append(ten("killed", rounds))).toEqual({ accepted: 10, duplicates: 0 });
          rounds += 1;
        });
        expect(slowest).toBeLessThan(5_000);
        await own.start();
      }
      expect(await store.settle(30_000)).toBe(0);
      expect(await seqsOf(store, "killed")).toEqual(upTo(10 * rounds));
      await store.close();
      await folder.remove();
    },
    60_000 + KILLS * 3_000,
  );

  test("fault 53: hanging: events are taken until the spool is full, then refused with 503; when it goes on all are there once", async (context) => {
    const { own } = server();
    if (own === undefined) return context.skip("the server was given: it is not stopped");
    const folder = await tempDir("hanging");
    const store = await open(folder.path, { spoolBytesMax: 100_000 });
    await store.append(ten("hanging", 0));
    expect(await store.settle()).toBe(0);
    own.signal("SIGSTOP");
    let rounds = 1;
    const refusal = (async () => {
      for (; ; rounds += 1) await store.append(ten("hanging", rounds));
    })();
    await expect(refusal).rejects.toMatchObject({ code: "spool_full", data: { limit: 100_000, retryAfterS: 5 } });
    expect(rounds).toBeGreaterThan(50);
    const sinceMs = performance.now();
    await expect(store.estimate({ kind: "exposures", project: "hanging" })).rejects.toMatchObject({ code: "store_unavailable" });
    expect(performance.now() - sinceMs).toBeLessThan(40_000);
    own.signal("SIGCONT");
    expect(await store.settle(30_000)).toBe(0);
    await store.append(ten("hanging", rounds));
    expect(await seqsOf(store, "hanging")).toEqual(upTo(10 * rounds + 10));
    await store.close();
    await folder.remove();
  });

  test("hanging in the middle of loads: nothing is there twice when it goes on", async (context) => {
    const { own } = server();
    if (own === undefined) return context.skip("the server was given: it is not stopped");
    const folder = await tempDir("paused");
    const dice = seeded(19);
    let rounds = 0;
    for (let pause = 0; pause < 3; pause += 1) {
      // A store that is closed gives up what it waits for: what the server was sent by then it does later, or not.
      const store = await open(folder.path);
      for (let batch = 0; batch < 20; batch += 1, rounds += 1) await store.append(ten("paused", rounds));
      const settling = store.settle(100);
      await new Promise((resolve) => setTimeout(resolve, dice.below(60)));
      own.signal("SIGSTOP");
      await settling;
      const sinceMs = performance.now();
      await store.close();
      expect(performance.now() - sinceMs).toBeLessThan(8_000);
      own.signal("SIGCONT");
    }
    const store = await open(folder.path);
    expect(await store.settle(30_000)).toBe(0);
    expect(await seqsOf(store, "paused")).toEqual(upTo(10 * rounds));
    await store.close();
    await folder.remove();
  });

  test(
    `the server that loads is killed ${KILLS} times: what was acknowledged is there once`,
    async () => {
      const folder = await tempDir("loader");
      const dice = seeded(30);
      const acknowledged = new Set<number>();
      let next = 1;
      for (let kill = 0; kill < KILLS; kill += 1) {
        const child = await startLoader(folder.path, urlOf(server().url), next);
        child.on("message", (seq: number) => {
          for (let one = seq; one < seq + 10; one += 1) acknowledged.add(one);
        });
        // Counted from its first acknowledgement, so that a slow machine is killed while it works too.
        await once(child, "message");
        await new Promise((resolve) => setTimeout(resolve, 100 + dice.below(600)));
        child.kill("SIGKILL");
        await once(child, "close");
        next = Math.max(0, ...acknowledged) + 10_001;
      }
      const store = await open(folder.path);
      expect(await store.settle(30_000)).toBe(0);
      const stored = (await seqsOf(store, "default")) as number[];
      expect(new Set(stored).size).toBe(stored.length);
      const present = new Set(stored);
      expect([...acknowledged].filter((seq) => !present.has(seq))).toEqual([]);
      expect(acknowledged.size).toBeGreaterThan(KILLS * 50);
      await store.close();
      await folder.remove();
    },
    60_000 + KILLS * 3_000,
  );

  test("of several addresses the first that answers is used", async () => {
    const folder = await tempDir("addresses");
    const nobody = `http://127.0.0.1:${await freePort()}`;
    const store = await open(folder.path, { urls: [urlOf(nobody), urlOf(server().url)] });
    await store.append(ten("addresses", 0));
    expect(await store.settle()).toBe(0);
    expect(await seqsOf(store, "addresses")).toEqual(upTo(10));
    await store.close();
    await folder.remove();
  });

  test("fault 53: with no server at all events are acknowledged and reads refused in words that tell no password", async () => {
    const folder = await tempDir("nobody");
    const port = await freePort();
    const store = await open(folder.path, { urls: [`http://ann:secret@127.0.0.1:${port}/${database}`] });
    expect(await store.append(ten("nobody", 0))).toEqual({ accepted: 10, duplicates: 0 });
    expect(await store.settle(500)).toBeGreaterThan(0);
    const { fault = "" } = store.status();
    expect(fault).toContain(`ClickHouse at 127.0.0.1:${port} did not answer`);
    expect(fault).not.toContain("secret");
    await store.close();
    await folder.remove();
  });
});

async function slowestOf(times: number, work: () => Promise<void>): Promise<number> {
  let slowest = 0;
  for (let time = 0; time < times; time += 1) {
    const sinceMs = performance.now();
    await work();
    slowest = Math.max(slowest, performance.now() - sinceMs);
  }
  return slowest;
}

/** A process that stores ten exposures at a time, as fast as they are acknowledged, and tells the first `seq` of each ten. */
async function startLoader(folder: string, url: string, from: number): Promise<ChildProcess> {
  const program = fileURLToPath(new URL("loading-process.fixture.mjs", import.meta.url));
  const child = fork(program, [folder, url, String(from)], { execArgv: [] });
  await once(child, "spawn");
  return child;
}
