import { createClient } from "@belay/sdk-node";
import { ADMIN_TOKEN, type ServerProcess, startServer } from "@belay/testkit";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { type Answered, type Asked, askServer } from "../../asked-server.fixture.ts";
import { withPostgres } from "../changes/postgres.fixture.ts";
import { withRedis } from "./redis.fixture.ts";

const P = "/api/v1/projects/default";
const FLAG = `${P}/environments/production/flags/checkout`;

withPostgres("servers on PostgreSQL and Redis", (postgres) => {
  withRedis("with one Redis between them", (redis) => {
    let nodes: ServerProcess[];
    let sdkKey: string;

    const ask = (node: number, ...asked: Asked): Promise<Answered> => askServer(nodes[node], ...asked);
    /** Sets a percentage on the first server; resolves with the ms until the second one has it. */
    const propagate = async (percentage: number): Promise<number> => {
      expect((await ask(0, "PUT", `${FLAG}/rollout`, { percentage })).status).toBe(200);
      const since = performance.now();
      for (;;) {
        if ((await ask(1, "GET", `${FLAG}/rollout`)).body.percentage === percentage) return performance.now() - since;
        expect(performance.now() - since).toBeLessThan(20_000);
      }
    };

    beforeAll(async () => {
      const env = { BELAY_DATABASE_URL: await postgres().database(), BELAY_REDIS_URL: redis().url };
      nodes = await Promise.all([1, 2].map(() => startServer({ env })));
      sdkKey = (await ask(0, "POST", `${P}/keys`, { environment: "production", kind: "server" })).body.secret;
      await ask(0, "POST", `${P}/flags`, { key: "checkout", type: "boolean" });
    });
    afterAll(() => Promise.all((nodes ?? []).map((node) => node.stop())));

    it("a receipt that one is given is known to the other", async () => {
      const client = createClient({ url: nodes[1]?.url ?? "", sdkKey });
      onTestFinished(() => client.close().then(() => undefined));
      await client.ready();
      await expect.poll(async () => (await ask(0, "GET", `${P}/instances`)).body.items.length, { timeout: 20_000 }).toBe(1);
    });

    it("an event that one takes in is shown where it is watched, at the other", async () => {
      const leave = new AbortController();
      onTestFinished(() => leave.abort());
      const tail = await fetch(`${nodes[0]?.url}${P}/events/tail?kind=metric-events`, {
        headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
        signal: leave.signal,
      });
      let text = "";
      void (async () => {
        const decoder = new TextDecoder();
        for await (const bytes of tail.body ?? []) text += decoder.decode(bytes as Uint8Array);
      })().catch(() => undefined);
      const client = createClient({ url: nodes[1]?.url ?? "", sdkKey });
      onTestFinished(() => client.close().then(() => undefined));
      await client.ready();
      await expect
        .poll(
          async () => {
            client.track("bought", { targetingKey: "u" });
            await client.flush();
            return text;
          },
          { timeout: 20_000, interval: 200 },
        )
        .toContain('"name":"bought"');
    });

    it("fault 53: Redis gone, hung or emptied: writes are made, each reaches the other server within 2 s, rules are served", async () => {
      const tookMs: number[] = [];
      const served = async (): Promise<number> =>
        (await fetch(`${nodes[1]?.url}/sdk/v1/snapshot`, { headers: { authorization: `Bearer ${sdkKey}` } })).status;
      await redis().kill();
      for (let at = 1; at <= 5; at++) tookMs.push(await propagate(at));
      expect(await served()).toBe(200);
      await redis().start();
      tookMs.push(await propagate(10));
      redis().signal("SIGSTOP");
      for (let at = 11; at <= 15; at++) tookMs.push(await propagate(at));
      expect(await served()).toBe(200);
      redis().signal("SIGCONT");
      await redis().command("FLUSHALL");
      tookMs.push(await propagate(20));
      expect(tookMs).toHaveLength(12);
      expect(Math.max(...tookMs)).toBeLessThan(2_000);
      // Whole again by itself: receipts cross as before. One that is given while it mends is only said again a minute later, so
      // each look has a change of its own to be told of.
      const client = createClient({ url: nodes[1]?.url ?? "", sdkKey });
      onTestFinished(() => client.close().then(() => undefined));
      await client.ready();
      const { revision } = (await ask(0, "GET", `${P}/environments/production`)).body;
      let percentage = 20;
      const ofLaterChanges = async (): Promise<number> => {
        await propagate(++percentage);
        const { items } = (await ask(0, "GET", `${P}/instances`)).body;
        return items.filter((seen: { revision: number }) => seen.revision > revision).length;
      };
      await expect.poll(ofLaterChanges, { timeout: 20_000, interval: 500 }).toBeGreaterThan(0);
    });
  });
});
