/* The SDK against the real, built server in a process of its own: the doors fit, end to end. */

import { DELIVERY_SETTINGS, SYNC_TIMINGS } from "@belay/core/client";
import { type ServerProcess, startServer, type TempDir, tempDir } from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testClient } from "./clients.fixture.ts";

const USER = { targetingKey: "user-42" };

let server: ServerProcess;
let data: TempDir;
let sdkKey: string;

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${server.url}/api/v1/projects/default${path}`, {
    method,
    headers: {
      authorization: `Bearer ${server.adminToken}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  expect(response.status, `${method} ${path}: ${await response.clone().text()}`).toBeLessThan(300);
  return (await response.json()) as Record<string, unknown>;
}

async function pulled(): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${server.url}/api/v1/projects/default/exposures?environment=production&format=ndjson`, {
    headers: { authorization: `Bearer ${server.adminToken}` },
  });
  const text = await response.text();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

beforeAll(async () => {
  data = await tempDir("sdk-real-server");
  server = await startServer({ dataDir: data.path });
  sdkKey = String((await call("POST", "/keys", { environment: "production", kind: "server", name: "test" }))["secret"]);
  await call("POST", "/flags", { key: "checkout" });
  await call("POST", "/flags", { key: "pricing", type: "string", variants: { compact: "compact", roomy: "roomy" } });
  await call("PUT", "/environments/production/flags/checkout/rollout", { percentage: 0 });
  await call("PUT", "/environments/production/flags/pricing", {
    enabled: true,
    rules: [],
    fallthrough: { weights: { compact: 50, roomy: 50 }, tracks: { experiment: "pricing-test" } },
  });
});

afterAll(async () => {
  await server?.stop();
  await data?.remove();
});

describe("the real server", () => {
  it("50 changes by REST: each is decided by within a second, by stream, and the client never asks for the snapshot again", async () => {
    const { belay, said } = testClient({ url: server.url, sdkKey }, {});
    const changes: number[] = [];
    expect(await belay.ready()).toBe("live");
    belay.on("change", ({ revision }) => changes.push(revision));
    for (let turn = 1; turn <= 50; turn += 1) {
      await call("PUT", "/environments/production/flags/checkout/rollout", { percentage: turn % 2 === 0 ? 0 : 100 });
      await expect.poll(() => belay.isEnabled("checkout", USER), { timeout: 1_000, interval: 1 }).toBe(turn % 2 === 1);
    }
    expect(changes).toHaveLength(50);
    expect(said).toEqual([]);
  });

  it("1,000 units of an experiment: each exposure comes back once, with the variant that was served", async () => {
    const { belay } = testClient({ url: server.url, sdkKey, contextAttributes: ["country"] }, {});
    await belay.ready();
    const served = new Map<string, string>();
    for (let n = 0; n < 1_000; n += 1) {
      const unit = `user-${n}`;
      served.set(unit, belay.value("pricing", { targetingKey: unit, country: "DE" }, "none"));
    }
    belay.track("purchase", USER, { value: 12.5 });
    expect(await belay.flush()).toEqual({ produced: 1_001, stored: 1_001, dropped: 0, queued: 0, rejected: 0 });
    const exposures = await pulled();
    expect(exposures).toHaveLength(1_000);
    expect(new Map(exposures.map((exposure) => [exposure["unit"], exposure["variant"]]))).toEqual(served);
    expect(exposures[0]).toMatchObject({ flag: "pricing", experiment: "pricing-test", attributes: { country: "DE" } });
  });

  it("killed and started again at the same address: the client is back by itself, and what it recorded meanwhile is stored", async () => {
    const brisk = { floorMs: 0, baseMs: 50, maxMs: 500 };
    const budget = { attempts: 12, windowMs: 1_000 };
    const tuning = { sync: { ...SYNC_TIMINGS, brisk, budget }, delivery: { ...DELIVERY_SETTINGS, brisk } };
    const { belay, said } = testClient({ url: server.url, sdkKey }, tuning);
    await belay.ready();
    const before = (await pulled()).length;
    await server.kill();
    await expect.poll(() => said.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(1);
    for (let n = 0; n < 500; n += 1) belay.value("pricing", { targetingKey: `meanwhile-${n}` }, "none");
    expect(belay.evaluate("checkout", USER, true)).toMatchObject({ value: false, variant: "off" });
    server = await startServer({ dataDir: data.path, port: server.port });
    await expect.poll(() => belay.report().stored, { timeout: 10_000 }).toBe(500);
    expect((await pulled()).length - before).toBe(500);
    await call("PUT", "/environments/production/flags/checkout/rollout", { percentage: 100 });
    await expect.poll(() => belay.isEnabled("checkout", USER), { timeout: 10_000 }).toBe(true);
  });
});
