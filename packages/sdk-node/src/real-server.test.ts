/* The SDK against the real, built server in a process of its own: the doors fit, end to end. */

import { DELIVERY_SETTINGS, SYNC_TIMINGS } from "@belay/core/client";
import {
  exposesEachOnce,
  followsEachChange,
  openShop,
  type SdkInShop,
  type ServerProcess,
  type Shop,
  startServer,
  type TempDir,
  tempDir,
} from "@belay/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { testClient } from "./clients.fixture.ts";
import type { BelayClient } from "./index.ts";

const USER = { targetingKey: "user-42" };

let server: ServerProcess;
let data: TempDir;
let shop: Shop;
let sdkKey: string;

beforeAll(async () => {
  data = await tempDir("sdk-real-server");
  server = await startServer({ dataDir: data.path });
  shop = await openShop(server);
  sdkKey = await shop.key("server");
});

afterAll(async () => {
  await server?.stop();
  await data?.remove();
});

/** The client as a customer of the shop. */
function inShop(belay: BelayClient): SdkInShop {
  const price = (unit: string): string => belay.value("pricing", { targetingKey: unit, country: "DE" }, "none");
  return {
    isOn: () => belay.isEnabled("checkout", USER),
    serve: (units) => new Map(units.map((unit) => [unit, price(unit)])),
    deliver: async () => void (await belay.flush()),
  };
}

describe("the real server", () => {
  it("50 changes by REST: each is decided by, by stream, and the client never asks for the snapshot again", async () => {
    const { belay, said } = testClient({ url: server.url, sdkKey }, {});
    const changes: number[] = [];
    expect(await belay.ready()).toBe("live");
    belay.on("change", ({ revision }) => changes.push(revision));
    await followsEachChange(inShop(belay), shop, 50);
    expect([changes.length, said]).toEqual([50, []]);
    expect(belay.evaluate("checkout", USER, true).metadata).toEqual({ ticket: "SHOP-7" });
  });

  it("1,000 units of an experiment: each exposure comes back once, with the variant that was served", async () => {
    const { belay } = testClient({ url: server.url, sdkKey, contextAttributes: ["country"] }, {});
    await belay.ready();
    belay.track("purchase", USER, { value: 12.5 });
    const [exposure] = await exposesEachOnce(inShop(belay), shop, 1_000);
    expect(belay.report()).toEqual({ produced: 1_001, stored: 1_001, dropped: 0, queued: 0, rejected: 0 });
    expect(exposure).toMatchObject({ flag: "pricing", experiment: "pricing-test", attributes: { country: "DE" } });
  });

  it("killed and started again at the same address: the client is back by itself, and what it recorded meanwhile is stored", async () => {
    const brisk = { floorMs: 0, baseMs: 50, maxMs: 500 };
    const budget = { attempts: 12, windowMs: 1_000 };
    const tuning = { sync: { ...SYNC_TIMINGS, brisk, budget }, delivery: { ...DELIVERY_SETTINGS, brisk } };
    const { belay, said } = testClient({ url: server.url, sdkKey }, tuning);
    await belay.ready();
    const before = (await shop.exposures()).length;
    await server.kill();
    await expect.poll(() => said.length, { timeout: 5_000 }).toBeGreaterThanOrEqual(1);
    for (let n = 0; n < 500; n += 1) belay.value("pricing", { targetingKey: `meanwhile-${n}` }, "none");
    expect(belay.evaluate("checkout", USER, true)).toMatchObject({ value: false, variant: "off" });
    server = await startServer({ dataDir: data.path, port: server.port });
    await expect.poll(() => belay.report().stored, { timeout: 10_000 }).toBe(500);
    expect((await shop.exposures()).length - before).toBe(500);
    await shop.roll(100);
    await expect.poll(() => belay.isEnabled("checkout", USER), { timeout: 10_000 }).toBe(true);
  });
});
