import type { Change, Experiment, Flag, Release } from "@belay/protocol";
import { type ServerProcess, startServer } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Asked, answerOf } from "../asked-server.fixture.ts";
import { withRedis } from "../store/bus/redis.fixture.ts";
import { withPostgres } from "../store/changes/postgres.fixture.ts";
import { pointOf } from "./placement.ts";
import { EXPERIMENT, placedBy } from "./ramp.fixture.ts";
import { runExperiment } from "./ramp-doors.fixture.ts";
import { ERRORS } from "./release.fixture.ts";

/** Two built servers on one PostgreSQL, each with event files of its own. */
const P = "/api/v1/projects/default";
const CHECKOUT = `${P}/environments/production/releases/checkout`;
/** ln of the evidence when two units fail and both are among the 1 % that is treated. */
const TWO_OF_1_PERCENT = 2.027286060389214;

withPostgres("releases of several servers", (postgres) => {
  let nodes: ServerProcess[];
  let key: string;
  let salt: string;
  let seq = 0;

  const ask = <T>(node: number, ...asked: Asked): Promise<T> => answerOf<T>(nodes[node], ...asked);
  const boot = async (more: Record<string, string> = {}): Promise<void> => {
    const env = { BELAY_DATABASE_URL: await postgres().database(), ...more };
    nodes = await Promise.all([1, 2].map(() => startServer({ env })));
  };
  const begin = async (more: Record<string, string> = {}): Promise<void> => {
    await boot(more);
    salt = (await ask<{ spaces: { share: { salt: string } } }>(0, "POST", `${P}/flags`, { key: "checkout" })).spaces.share.salt;
    key = (await ask<{ secret: string }>(0, "POST", `${P}/keys`, { environment: "production", kind: "server" })).secret;
    const stages = [1, 100].map((percentage) => ({
      name: `${percentage} %`,
      percentage,
      hold: { minDurationS: 3_600 },
      gates: [],
    }));
    const draft = { key: "checkout", flag: "checkout", stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
    await ask(0, "POST", `${P}/environments/production/releases`, draft);
    await ask(0, "POST", `${CHECKOUT}/ready`, {});
    await ask(0, "POST", `${CHECKOUT}/start`, {});
    await expect.poll(() => state(1), { timeout: 30_000 }).toBe("ramping");
  };
  beforeEach(() => {
    nodes = [];
  });
  afterEach(() => Promise.all(nodes.map((node) => node.kill())));

  const state = async (node: number): Promise<string | undefined> =>
    (await ask<{ items: Release[] }>(node, "GET", `${P}/environments/production/releases`)).items[0]?.state;
  const rollbacks = async (): Promise<Change[]> =>
    (await ask<{ items: Change[] }>(0, "GET", `${P}/changes?action=release.rollback`)).items;
  const treated = (): string => {
    for (;;) {
      const unit = `unit-${seq++}`;
      if (pointOf(salt, unit) < 10_000) return unit;
    }
  };
  /** A treated unit fails at a server; resolves once that is acknowledged. */
  const fail = (node: number, unit: string): Promise<unknown> => {
    const instance = `8f14e45f-ceea-467f-a8f0-5d6d1f0a0c1${node}`;
    const metrics = [{ seq: seq++, timeMs: Date.now(), name: "error", unit }];
    return ask(
      node,
      "POST",
      "/sdk/v1/events",
      { batchId: `b${seq}`, sentAtMs: Date.now(), sdk: "test/1", instance, metrics },
      key,
    );
  };
  /** What is known of the harm at a server: ln of the evidence. */
  const evidence = async (node: number): Promise<number> =>
    (await ask<{ items: { logEvidence: number }[] }>(node, "GET", `${CHECKOUT}/guardrails`)).items[0]?.logEvidence ?? 0;

  const splitHarm = (): void => {
    it("finds harm that is split over two, though half of it is none, and one of them rolls back, once", async () => {
      await begin();
      const both = treated();
      // One unit fails at both: it counts once. Two units are no evidence yet, three are a reason to hold, four to go back.
      for (const node of [0, 1]) await fail(node, both);
      await fail(1, treated());
      const known = (): Promise<number[]> => Promise.all([evidence(0), evidence(1)]);
      await expect
        .poll(known, { timeout: 30_000 })
        .toEqual([expect.closeTo(TWO_OF_1_PERCENT, 6), expect.closeTo(TWO_OF_1_PERCENT, 6)]);
      expect(await state(0)).toBe("ramping");
      await fail(0, treated());
      await expect.poll(() => Promise.all([state(0), state(1)]), { timeout: 30_000 }).toEqual(["holding", "holding"]);
      // Three of the four are at this one: it alone would hold.
      await fail(1, treated());
      await expect.poll(() => Promise.all([state(0), state(1)]), { timeout: 30_000 }).toEqual(["rolled-back", "rolled-back"]);
      const made = await rollbacks();
      expect(made.map(({ actor, reason }) => [actor.id, reason])).toEqual([["system", "guardrail-breach errors"]]);
    }, 120_000);
  };

  describe("on PostgreSQL alone", splitHarm);

  it("takes an experiment back for harm in one treatment that is split over two, and stops it in the same change", async () => {
    await boot();
    await runExperiment({
      ask: async (method, path, body) => ({
        status: 200,
        body: await ask(0, method, path, body as object),
        headers: {},
        text: "",
      }),
    });
    key = (await ask<{ secret: string }>(0, "POST", `${P}/keys`, { environment: "production", kind: "server" })).secret;
    const { spaces } = await ask<Pick<Flag, "spaces">>(0, "GET", `${P}/flags/checkout`);
    const stages = [10, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 3_600 }, gates: [] }));
    const draft = { key: "checkout", experiment: EXPERIMENT, stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
    await ask(0, "POST", `${P}/environments/production/releases`, draft);
    for (const verb of ["ready", "start"]) await ask(0, "POST", `${CHECKOUT}/${verb}`, {});
    await expect.poll(() => state(1), { timeout: 30_000 }).toBe("ramping");
    const { markOf } = placedBy(spaces);
    const harmed = (): string => {
      for (;;) {
        const unit = `unit-${seq++}`;
        const { point, arm } = markOf(unit);
        if (point < 100_000 && arm === 1) return unit;
      }
    };
    // Seven at each: half of them is a reason to hold, and none to go back.
    for (let at = 0; at < 14; at += 1) await fail(at % 2, harmed());
    await expect.poll(() => Promise.all([state(0), state(1)]), { timeout: 60_000 }).toEqual(["rolled-back", "rolled-back"]);
    const ends = [0, 1].map(async (node) => {
      const { status } = await ask<Experiment>(node, "GET", `${P}/experiments/${EXPERIMENT}`);
      return [status, (await ask<Release>(node, "GET", CHECKOUT)).reasons];
    });
    const reasons = [{ code: "guardrail-breach", subject: "errors", treatment: "none" }];
    expect(await Promise.all(ends)).toEqual([
      ["stopped", reasons],
      ["stopped", reasons],
    ]);
    expect(await rollbacks()).toHaveLength(1);
  }, 180_000);

  it("goes on with what a killed server had counted", async () => {
    await begin();
    for (let i = 0; i < 2; i += 1) await fail(1, treated());
    await expect.poll(() => evidence(0), { timeout: 30_000 }).toBeCloseTo(TWO_OF_1_PERCENT, 6);
    await nodes[1]?.kill();
    expect(await evidence(0)).toBeCloseTo(TWO_OF_1_PERCENT, 6);
    for (let i = 0; i < 2; i += 1) await fail(0, treated());
    // Whoever was killed may have held the lease.
    await expect.poll(() => state(0), { timeout: 60_000 }).toBe("rolled-back");
    expect(await rollbacks()).toHaveLength(1);
  }, 180_000);

  it("takes harm back at the server that sees it while PostgreSQL is away, and rolls back once it is there", async (context) => {
    const { own } = postgres();
    if (own === undefined) return context.skip("needs a server of its own to kill");
    await begin();
    const shareAt = async (node: number): Promise<unknown> =>
      (await ask<{ percentage?: number }>(node, "GET", `${P}/environments/production/flags/checkout/rollout`)).percentage;
    expect(await shareAt(0)).toBe(1);
    await own.kill();
    for (let i = 0; i < 4; i += 1) await fail(0, treated());
    await expect.poll(() => shareAt(0), { timeout: 30_000 }).toBe(0);
    expect([await shareAt(1), await state(0)]).toEqual([1, "ramping"]);
    await own.start();
    await expect.poll(() => Promise.all([state(0), state(1)]), { timeout: 60_000 }).toEqual(["rolled-back", "rolled-back"]);
    expect(await rollbacks()).toHaveLength(1);
    const { items } = await ask<{ items: Change[] }>(0, "GET", `${P}/changes?action=flag.emergency`);
    expect(items).toMatchObject([{ actor: { id: "system" }, target: { key: "checkout" } }]);
  }, 180_000);

  withRedis("with Redis", (redis) => {
    it("does so while Redis is away as well", async () => {
      await begin({ BELAY_REDIS_URL: redis().url });
      await redis().kill();
      for (const node of [0, 1, 0, 1]) await fail(node, treated());
      await expect.poll(() => Promise.all([state(0), state(1)]), { timeout: 60_000 }).toEqual(["rolled-back", "rolled-back"]);
      expect(await rollbacks()).toHaveLength(1);
      await redis().start();
    }, 180_000);
  });
});
