import { setTimeout as sleep } from "node:timers/promises";
import { givenMs, seeded, startFaultProxy } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { changeLogContract } from "./change-log.contract.ts";
import type { ChangeLog, Commit } from "./change-log.ts";
import { withPostgres } from "./postgres.fixture.ts";
import { postgresChangeLog } from "./postgres-change-log.ts";

const commitOn = (revision: number, key = "k"): Commit => ({
  raises: [{ project: "shop", revision }],
  change: {
    project: "shop",
    at: 1,
    actor: { id: "a", name: "Ada" },
    requestId: "r",
    action: "x.edit",
    target: { kind: "x", key },
  },
  documents: [{ kind: "x", project: "shop", key, body: { revision: revision + 1 } }],
});

withPostgres("PostgreSQL", (server) => {
  changeLogContract("PostgreSQL", async () => {
    const url = await server().database();
    return { open: async () => postgresChangeLog({ url }), remove: async () => undefined };
  });

  describe("several nodes", () => {
    let url: string;
    let nodes: ChangeLog[];
    beforeEach(async () => {
      url = await server().database();
      // All at once: one of them makes the tables.
      nodes = [1, 2, 3].map(() => postgresChangeLog({ url }));
      await Promise.all(nodes.map((node) => node.load()));
    });
    afterEach(() => Promise.all(nodes.map((node) => node.close())));

    it("race for each revision: 300 revisions, each made once, ids without a gap", async () => {
      const dice = seeded(20_261_123);
      const made: number[] = [];
      await Promise.all(
        nodes.map(async (node) => {
          for (let revision = 0; revision < 300; ) {
            const outcome = await node.commit(commitOn(revision, `k${dice.below(5)}`));
            if (outcome.status === "committed") made.push(outcome.id);
            revision = outcome.status === "conflict" ? outcome.stream.revision : revision + 1;
          }
        }),
      );
      expect(made.sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, index) => index + 1));
      const entries = await (nodes[1] as ChangeLog).entriesAfter(0, 1_000);
      expect(entries.map(({ id, raised }) => [id, raised[0]?.revision])).toEqual(made.map((id) => [id, id]));
    });

    it("hear of each other's commits, and give a lease to one of them", async () => {
      const [first, second] = nodes as [ChangeLog, ChangeLog];
      let calls = 0;
      const stop = second.watch(() => {
        calls += 1;
      });
      await expect.poll(() => calls).toBe(1);
      await first.commit(commitOn(0));
      await expect.poll(() => calls).toBe(2);
      stop();
      await first.commit(commitOn(1));
      await sleep(100);
      expect(calls).toBe(2);
      const taken = await Promise.all(nodes.map((node, index) => node.takeLease("clock", `n${index}`, { now: 1, until: 9 })));
      expect(taken.filter((fence) => fence === 1)).toHaveLength(1);
      expect(taken.filter((fence) => fence === undefined)).toHaveLength(2);
    });
  });

  it("keeps text that JSON must escape, and bodies to the byte", async () => {
    const log = postgresChangeLog({ url: await server().database() });
    onTestFinished(() => log.close());
    const body = { nul: "a\u0000b", lone: "\ud800", quote: "'\"\\", big: 1e21, key: { b: 1, a: 2 } };
    await log.commit({ ...commitOn(0), documents: [{ kind: "x", project: "shop", key: "__proto__", body }] });
    const [document] = (await log.load()).documents;
    expect(JSON.stringify(document?.body)).toBe(JSON.stringify(body));
  });

  it.each(["reset", "half-open"] as const)(
    "a server whose connection is %s in the middle of a transaction goes on, and locks nobody out",
    async (fault) => {
      const url = await server().database();
      const address = new URL(url);
      const way = await startFaultProxy(Number(address.port));
      address.port = String(way.port);
      const [far, near] = [postgresChangeLog({ url: address.href, timeoutMs: 2_000 }), postgresChangeLog({ url })];
      onTestFinished(() => Promise.all([far.close(), near.close()]).then(() => way.close()));
      await far.load();
      // Each statement takes so long there and back that the cut comes between two of them.
      way.faults.latencyMs = 150;
      const refused = expect(far.commit(commitOn(0))).rejects.toMatchObject({ code: "store_unavailable" });
      await sleep(700);
      if (fault === "reset") way.reset();
      else way.faults.isHalfOpen = true;
      await refused;
      way.faults.latencyMs = 0;
      way.faults.isHalfOpen = false;
      const commits = (log: ChangeLog): Promise<string> =>
        log
          .load()
          .then(
            async ({ streams }) => (await log.commit(commitOn(streams[0]?.revision ?? 0))).status,
            (error) => error.code,
          )
          .catch((error) => error.code);
      for (const log of [near, far]) await expect.poll(() => commits(log), { timeout: 30_000 }).toBe("committed");
    },
  );

  it("a way that swallows what is said is left for a new one: what was missed is heard, and what was under way is given up", async () => {
    const url = await server().database();
    const address = new URL(url);
    const way = await startFaultProxy(Number(address.port));
    address.port = String(way.port);
    // Far longer than anything here takes: no timeout of a statement ends what is under way.
    const [far, near] = [postgresChangeLog({ url: address.href, timeoutMs: 60_000 }), postgresChangeLog({ url })];
    onTestFinished(() => Promise.all([far.close(), near.close()]).then(() => way.close()));
    await far.load();
    let calls = 0;
    const stop = far.watch(() => {
      calls += 1;
    });
    onTestFinished(stop);
    await expect.poll(() => calls).toBe(1);
    way.faults.isHalfOpen = true;
    const swallowed = expect(far.entriesAfter(0, 10)).rejects.toMatchObject({ code: "store_unavailable" });
    await near.commit(commitOn(0));
    const accepted = way.accepted;
    await expect.poll(() => way.accepted, { timeout: 20_000 }).toBeGreaterThanOrEqual(accepted + 2);
    expect(calls).toBe(1);
    way.faults.isHalfOpen = false;
    await expect.poll(() => calls, { timeout: 20_000 }).toBe(2);
    await swallowed;
    expect((await far.entriesAfter(0, 10)).map(({ id }) => id)).toEqual([1]);
    await near.commit(commitOn(1));
    await expect.poll(() => calls, { timeout: 20_000 }).toBeGreaterThanOrEqual(3);
  });

  it("refuses a database of a newer version, and does not touch it", async () => {
    const url = await server().database();
    const log = postgresChangeLog({ url });
    await log.load();
    await log.close();
    const { default: pg } = await import("pg");
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query("insert into belay_schema (version) values (99)");
    await client.end();
    const older = postgresChangeLog({ url });
    await expect(older.load()).rejects.toThrow(/^the data was written by a newer version \(schema 99, this version knows \d\)$/);
    await expect(older.commit(commitOn(0))).rejects.toThrow(/newer version/);
    await older.close();
  });

  it("fault 53: stopped, hung and killed it refuses within a second with nothing half-done, and goes on by itself", async (context) => {
    const { own } = server();
    if (own === undefined) return context.skip("needs a server of its own to kill");
    const log = postgresChangeLog({ url: await server().database() });
    onTestFinished(() => log.close());
    expect((await log.commit(commitOn(0))).status).toBe("committed");
    const refusedWithin = (): Promise<number> =>
      givenMs([], () => expect(log.commit(commitOn(1))).rejects.toMatchObject({ code: "store_unavailable" }));
    await own.signal("SIGSTOP");
    expect(await refusedWithin()).toBeLessThan(1_000);
    await own.signal("SIGCONT");
    await expect.poll(() => log.load().then(({ position }) => position), { timeout: 10_000 }).toBeLessThanOrEqual(2);
    const { position } = await log.load();
    await own.kill();
    expect(await refusedWithin()).toBeLessThan(1_000);
    await own.start();
    const outcome = await log.commit(commitOn(position));
    expect(outcome).toEqual({ status: "committed", id: position + 1 });
    expect((await log.load()).documents).toEqual([
      { kind: "x", project: "shop", key: "k", revision: position + 1, body: { revision: position + 1 } },
    ]);
  });
});
