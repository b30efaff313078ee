import { type SdkDoor, startSdkDoor, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { CacheFile } from "./cache-file.ts";
import { createClient } from "./create-client.ts";
import type { BelayClient, ClientOptions } from "./index.ts";
import { changeOf, experiment, rollout, snapshotOf } from "./rules.fixture.ts";
import { OwnFolder } from "./spool/folder.ts";

const USER = { targetingKey: "user-42", country: "DE" };

let door: SdkDoor;
const clients: BelayClient[] = [];
const said: string[] = [];
const logger = { warn: (message: string) => void said.push(message), error: (message: string) => void said.push(message) };

function clientOf(options: ClientOptions = {}): BelayClient {
  const client = createClient({ url: door.url, sdkKey: "sdk-1", logger, flushOnExit: false, ...options });
  clients.push(client);
  return client;
}

beforeEach(async () => {
  said.length = 0;
  door = await startSdkDoor({
    sdkKey: "sdk-1",
    snapshot: snapshotOf(7, { "checkout-v2": rollout(1_000_000), pricing: experiment() }),
  });
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close({ deadlineMs: 200 })));
  await door.stop();
});

describe("a client of a server", () => {
  it("answers defaults at once, and the flag's values once ready", async () => {
    const belay = clientOf();
    expect(belay.isEnabled("checkout-v2", USER)).toBe(false);
    expect(belay.isEnabled("checkout-v2", USER, true)).toBe(true);
    expect(belay.evaluate("checkout-v2", USER, false)).toEqual({
      value: false,
      reason: "ERROR",
      errorCode: "PROVIDER_NOT_READY",
      revision: 0,
    });
    expect(belay.state).toBe("starting");
    expect(await belay.ready({ timeoutMs: 2_000 })).toBe("live");
    expect(belay.revision).toBe(7);
    expect(belay.isEnabled("checkout-v2", USER)).toBe(true);
    expect(belay.evaluate("checkout-v2", USER, false)).toEqual({
      value: true,
      variant: "on",
      reason: "SPLIT",
      ruleId: "r1",
      revision: 7,
    });
  });

  it("decides by a change as soon as it comes, and tells it once", async () => {
    const belay = clientOf();
    const changes: unknown[] = [];
    await belay.ready();
    belay.on("change", (change) => changes.push(change));
    door.publish(snapshotOf(8, { "checkout-v2": rollout(0), pricing: experiment() }), changeOf(8, { "checkout-v2": rollout(0) }));
    await expect.poll(() => belay.revision, { interval: 1 }).toBe(8);
    expect(belay.isEnabled("checkout-v2", USER)).toBe(false);
    expect(changes).toEqual([{ revision: 8, keys: ["checkout-v2"] }]);
  });

  it("records a first exposure once, and not again", async () => {
    const belay = clientOf();
    await belay.ready();
    for (let turn = 0; turn < 50; turn += 1) expect(belay.value("pricing", USER, "none")).toMatch(/^(compact|roomy)$/);
    belay.track("purchase", USER, { value: 12.5, properties: { currency: "EUR" } });
    expect(await belay.flush()).toEqual({ produced: 2, stored: 2, dropped: 0, queued: 0, rejected: 0 });
    expect(door.events).toHaveLength(2);
    expect(door.events[0]).toMatchObject({
      list: "exposures",
      seq: 1,
      flag: "pricing",
      experiment: "exp-1",
      epoch: 1,
      unit: "user-42",
      revision: 7,
      rule: "r1",
    });
    expect(door.events[0]).not.toHaveProperty("attributes");
    expect(door.events[1]).toMatchObject({
      list: "metrics",
      seq: 2,
      name: "purchase",
      value: 12.5,
      properties: { currency: "EUR" },
    });
    expect(door.counts.find((count) => count.flag === "pricing")?.count).toBe(50);
  });
});

describe("options that cannot be worked with", () => {
  it.each([
    [undefined, "url is missing"],
    [{ url: "ftp://x", sdkKey: "k" }, "url is no http or https address"],
    [{ url: "http://127.0.0.1:1" }, "sdkKey is missing"],
    [{ url: "http://127.0.0.1:1", sdkKey: "a\nb" }, "sdkKey holds characters"],
  ] as const)("%j give a client of defaults that has said so once", (options, problem) => {
    const belay = createClient({ ...options, logger });
    clients.push(belay);
    expect(belay.isEnabled("checkout-v2", USER, true)).toBe(true);
    expect(belay.value("pricing", USER, 7)).toBe(7);
    expect(said).toHaveLength(1);
    expect(said[0]).toContain(problem);
  });
});

describe("a disk that hangs", () => {
  it("holds up neither decisions nor the deadline of close()", async () => {
    const hanging = new Promise<void>(() => {});
    vi.spyOn(OwnFolder.prototype, "make").mockReturnValue(hanging);
    vi.spyOn(CacheFile.prototype, "close").mockReturnValue(hanging);
    const { path, remove } = await tempDir("hanging");
    onTestFinished(remove);
    onTestFinished(() => void vi.restoreAllMocks());
    const belay = clientOf({ spoolDir: path, cacheFile: `${path}/rules.json` });
    await belay.ready();
    for (let n = 0; n < 250; n += 1) expect(belay.value("pricing", { targetingKey: `user-${n}` }, "none")).not.toBe("none");
    const fromMs = performance.now();
    expect(await belay.close({ deadlineMs: 500 })).toMatchObject({ produced: 250, stored: 250, dropped: 0, spooled: 0 });
    expect(performance.now() - fromMs).toBeLessThan(2_000);
  });
});
