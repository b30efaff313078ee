import { join } from "node:path";
import type { Change, Experiment, FlagTargeting, Propagation, Release, Space } from "@belay/protocol";
import { startServer, type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { pointOf } from "./placement.ts";
import { DRAFT, EXPERIMENT, placedBy } from "./ramp.fixture.ts";
import { ERRORS } from "./release.fixture.ts";

/** These drive the built server over HTTP, its event store behind it. */
const TOKEN = "release-test-token-1";
const P = "/api/v1/projects/default";
const CHECKOUT = `${P}/environments/production/releases/checkout`;

let dir: TempDir;
let url: string;
let seq = 0;
beforeEach(async () => {
  dir = await tempDir("running-release");
});
afterEach(() => dir.remove());

const start = async (): ReturnType<typeof startServer> => {
  const server = await startServer({ dataDir: join(dir.path, "data"), env: { BELAY_ADMIN_TOKEN: TOKEN } });
  url = server.url;
  return server;
};

async function ask<T>(method: string, path: string, body?: object, as: string = TOKEN): Promise<T> {
  const answer = await fetch(`${url}${path}`, {
    method,
    headers: { authorization: `Bearer ${as}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(answer.ok, await answer.clone().text()).toBe(true);
  return (await answer.json()) as T;
}

/** A started release at 1 %; the key events come under and the salt of its line. */
async function release(): Promise<{ readonly key: string; readonly salt: string }> {
  const { spaces } = await ask<{ spaces: { share: { salt: string } } }>("POST", `${P}/flags`, { key: "checkout" });
  const { secret } = await ask<{ secret: string }>("POST", `${P}/keys`, { environment: "production", kind: "server", name: "t" });
  const stages = [1, 100].map((percentage) => ({
    name: `${percentage} %`,
    percentage,
    hold: { minDurationS: 3_600 },
    gates: [],
  }));
  await ask("POST", `${P}/environments/production/releases`, {
    key: "checkout",
    flag: "checkout",
    stages,
    guardrails: [ERRORS],
    alertRoutes: ["slack:#r"],
  });
  await ask("POST", `${CHECKOUT}/ready`, {});
  await ask("POST", `${CHECKOUT}/start`, {});
  return { key: secret, salt: spaces.share.salt };
}

/** So many new treated units fail; resolves once that is acknowledged. */
async function fail(count: number, { key, salt }: { readonly key: string; readonly salt: string }): Promise<void> {
  const metrics = [];
  while (metrics.length < count) {
    const unit = `unit-${seq++}`;
    if (pointOf(salt, unit) < 10_000) metrics.push({ seq, timeMs: Date.now(), name: "error", unit });
  }
  const instance = "8f14e45f-ceea-467f-a8f0-5d6d1f0a0c11";
  await ask("POST", "/sdk/v1/events", { batchId: `b${seq}`, sentAtMs: Date.now(), sdk: "test/1", instance, metrics }, key);
}

const state = async (): Promise<string> => (await ask<Release>("GET", CHECKOUT)).state;

it("goes back on an acknowledged batch, by itself, and says when", { timeout: 60_000 }, async () => {
  const server = await start();
  const at = await release();
  await fail(5, at);
  await expect.poll(state, { timeout: 30_000 }).toBe("rolled-back");
  const { rollback, reasons } = await ask<Release>("GET", CHECKOUT);
  expect(reasons).toEqual([{ code: "guardrail-breach", subject: "errors" }]);
  expect(Date.parse(rollback?.detectedAt ?? "")).toBeLessThanOrEqual(Date.parse(rollback?.decidedAt ?? ""));
  await server.stop();
});

it("takes an experiment back for harm in one of its treatments, and finds it again after a restart", {
  timeout: 120_000,
}, async () => {
  const first = await start();
  const weights = { long: 50, none: 25, short: 25 };
  const { spaces } = await ask<{ spaces: { share: Space; split: Space } }>("POST", `${P}/flags`, {
    key: "checkout",
    type: "string",
    variants: { long: "l", short: "s", none: "n" },
  });
  const { secret: key } = await ask<{ secret: string }>("POST", `${P}/keys`, { environment: "production", kind: "server" });
  for (const metric of ["buyers", "errors"]) {
    const measure = { kind: "proportion", events: { name: metric } };
    await ask("POST", `${P}/metrics`, { key: metric, measure, good: "increase", unseen: true });
  }
  const serve = { weights, share: 0, tracks: { experiment: EXPERIMENT } };
  await ask("PUT", `${P}/environments/production/flags/checkout`, {
    ...{ enabled: true, off: "long", fallthrough: { variant: "long" } },
    rules: [{ id: "rollout", serve }],
  });
  await ask("POST", `${P}/experiments`, DRAFT);
  await ask("POST", `${P}/experiments/${EXPERIMENT}/start`, {});
  const stages = [10, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 3_600 }, gates: [] }));
  const subject = { key: "checkout", experiment: EXPERIMENT, stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
  await ask("POST", `${P}/environments/production/releases`, subject);
  await ask("POST", `${CHECKOUT}/ready`, {});
  await ask("POST", `${CHECKOUT}/start`, {});
  const { markOf } = placedBy(spaces);
  const failIn = async (arm: number, count: number): Promise<void> => {
    const metrics = [];
    while (metrics.length < count) {
      const unit = `unit-${seq++}`;
      const mark = markOf(unit);
      if (mark.point < 100_000 && mark.arm === arm) metrics.push({ seq, timeMs: Date.now(), name: "error", unit });
    }
    const instance = "8f14e45f-ceea-467f-a8f0-5d6d1f0a0c11";
    await ask("POST", "/sdk/v1/events", { batchId: `b${seq}`, sentAtMs: Date.now(), sdk: "test/1", instance, metrics }, key);
  };
  // Control and the other treatment fail as ever. Four and eleven of "none": only together they are enough.
  await failIn(0, 2);
  await failIn(2, 1);
  await failIn(1, 4);
  await first.stop();
  const second = await start();
  expect(await state()).toBe("ramping");
  await failIn(1, 11);
  await expect.poll(state, { timeout: 60_000 }).toBe("rolled-back");
  const { reasons } = await ask<Release>("GET", CHECKOUT);
  expect(reasons).toEqual([{ code: "guardrail-breach", subject: "errors", treatment: "none" }]);
  const { rollout } = await ask<FlagTargeting>("GET", `${P}/environments/production/flags/checkout`);
  const { status, phases } = await ask<Experiment>("GET", `${P}/experiments/${EXPERIMENT}`);
  expect([rollout?.percentage, status, phases.map(({ weights: { none } = {} }) => none)]).toEqual([0, "stopped", [0, 0.025]]);
  await second.stop();
});

it("adds up evidence from before a restart and after it", { timeout: 90_000 }, async () => {
  const first = await start();
  const at = await release();
  // Two and three: neither is enough alone, all five are.
  await fail(2, at);
  await first.stop();
  const second = await start();
  expect(await state()).toBe("ramping");
  await fail(3, at);
  await expect.poll(state, { timeout: 60_000 }).toMatch(/^roll/);
  await second.stop();
});

it("knows whom its rollback waits for after a kill: the same 49 of 50, the same laggard, then 50", {
  timeout: 120_000,
}, async () => {
  const first = await start();
  const { key } = await release();
  const all = Array.from({ length: 50 }, (_, at) => `i-${String(at).padStart(2, "0")}`);
  const acknowledge = async (instances: readonly string[], revision: number): Promise<void> => {
    for (const instance of instances) {
      const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
      const body = JSON.stringify({ instance, sdk: "test/1", revision });
      expect((await fetch(`${url}/sdk/v1/receipt`, { method: "POST", headers, body })).status).toBe(204);
    }
  };
  const record = async (): Promise<Propagation> => (await ask<Release>("GET", CHECKOUT)).rollback as Propagation;
  const written = async (): Promise<unknown> => {
    const { items } = await ask<{ items: Change[] }>("GET", `${P}/changes?action=release.receipts`);
    return (items[0]?.after as unknown as Release | undefined)?.rollback?.acknowledged;
  };
  await acknowledge(all, 1);
  await ask("POST", `${CHECKOUT}/rollback`, {});
  const { revision } = await record();
  await acknowledge(
    all.filter((instance) => instance !== "i-17"),
    revision,
  );
  await expect.poll(written, { timeout: 30_000 }).toBe(49);
  const before = await record();
  expect(before).toMatchObject({ instances: 50, acknowledged: 49, laggards: ["i-17"] });
  await first.kill();
  const second = await start();
  expect(await record()).toEqual(before);
  await acknowledge(["i-17"], revision);
  await expect.poll(state, { timeout: 30_000 }).toBe("rolled-back");
  const { ms100 = 0, ...after } = await record();
  expect(after).toEqual({ ...before, acknowledged: 50, laggards: [] });
  expect(ms100).toBeGreaterThanOrEqual(before.ms95 ?? Number.POSITIVE_INFINITY);
  await second.stop();
});
