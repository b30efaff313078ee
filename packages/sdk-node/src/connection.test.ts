import { doorFaults, type SdkDoor, startFaultProxy, startSdkDoor } from "@belay/testkit";
import { describe, expect, it, onTestFinished } from "vitest";
import { FAST, testClient } from "./clients.fixture.ts";
import { changeOf, experiment, rollout, snapshotOf } from "./rules.fixture.ts";

const USER = { targetingKey: "user-42" };
const HEARTBEAT_MS = 250;

async function doorOf(options: Parameters<typeof startSdkDoor>[0] = {}): Promise<SdkDoor> {
  const door = await startSdkDoor({
    sdkKey: "sdk-1",
    heartbeatMs: HEARTBEAT_MS,
    snapshot: snapshotOf(7, { checkout: rollout(1_000_000), pricing: experiment() }),
    ...options,
  });
  onTestFinished(() => door.stop().catch(() => {}));
  return door;
}

describe("fault 15: the server goes away", () => {
  it("values stay, the state is stale within two heartbeats, and live again when it is back", async () => {
    const door = await doorOf();
    const { belay } = testClient({ url: door.url });
    const states: string[] = [];
    belay.on("state", (state) => states.push(state));
    await belay.ready();
    await door.stop();
    await expect.poll(() => belay.state, { timeout: 5_000, interval: 5 }).toBe("stale");
    expect(belay.isEnabled("checkout", USER)).toBe(true);
    expect(belay.evaluate("checkout", USER, false)).toMatchObject({ value: true, reason: "STALE" });
    await door.start();
    await expect.poll(() => belay.state, { timeout: 5_000, interval: 5 }).toBe("live");
    expect(belay.evaluate("checkout", USER, false)).toMatchObject({ value: true, reason: "SPLIT" });
    expect(states.slice(0, 3)).toEqual(["live", "stale", "live"]);
  });
});

describe("fault 15: what it costs", () => {
  it("50 clients whose server is gone take less than 1 % of a core each, with every duration a sixtieth", async () => {
    const door = await doorOf();
    const clients = Array.from({ length: 50 }, () => testClient({ url: door.url }).belay);
    await Promise.all(clients.map((belay) => belay.ready()));
    await door.stop();
    await expect.poll(() => clients.filter((belay) => belay.state === "stale").length, { timeout: 5_000 }).toBe(50);
    const fromMs = performance.now();
    const from = process.cpuUsage();
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    const { user, system } = process.cpuUsage(from);
    const percent = (100 * (user + system)) / 1_000 / (performance.now() - fromMs) / clients.length;
    // Sixty times as many attempts as in life, where it is a sixtieth of this.
    expect(percent).toBeLessThan(1);
    expect(clients.filter((belay) => belay.isEnabled("checkout", USER))).toHaveLength(50);
  });
});

describe("fault 17: accepted and closed at once", () => {
  it("costs at most 12 connections in a budget's window", async () => {
    const door = await doorOf();
    const proxy = await startFaultProxy(door.port);
    onTestFinished(() => proxy.close());
    proxy.faults.isClosingAtOnce = true;
    testClient({ url: `http://127.0.0.1:${proxy.port}` });
    await new Promise((resolve) => setTimeout(resolve, 590));
    expect(proxy.accepted).toBeLessThanOrEqual(12);
    expect(proxy.accepted).toBeGreaterThanOrEqual(3);
  });
});

describe("fault 18: refused, then healed", () => {
  it.each([401, 403, 404, 429, 500, 503])("%i: live again without a restart, within the longest wait", async (status) => {
    const door = await doorOf();
    door.behave("stream", doorFaults.status(status));
    door.behave("snapshot", doorFaults.status(status));
    const { belay } = testClient({ url: door.url });
    expect(await belay.ready({ timeoutMs: 100 })).toBe("starting");
    door.behave("stream", undefined);
    door.behave("snapshot", undefined);
    expect(await belay.ready({ timeoutMs: 3_300 })).toBe("live");
  });

  it("Retry-After of a second is obeyed: never early, and at most a little late", async () => {
    const door = await doorOf();
    door.behave("stream", doorFaults.status(503, { "retry-after": "1" }));
    testClient({ url: door.url });
    await expect.poll(() => door.count("stream"), { timeout: 3_000, interval: 5 }).toBe(2);
    const [first, second] = door.requests.map((request) => request.atMs);
    expect((second as number) - (first as number)).toBeGreaterThanOrEqual(1_000);
    // 10 % of the wait, and what a busy machine adds.
    expect((second as number) - (first as number)).toBeLessThanOrEqual(2_500);
  });

  it("a key that is wrong is said once", async () => {
    const door = await doorOf();
    const { belay, said } = testClient({ url: door.url, sdkKey: "wrong" });
    await belay.ready({ timeoutMs: 700 });
    expect(said.filter((line) => line.includes("401: is the SDK key right?"))).toHaveLength(1);
    expect(said.join()).not.toContain("wrong");
  });
});

describe("fault 19: a half-open connection", () => {
  it("is left after two heartbeats, and the change is seen", async () => {
    const door = await doorOf();
    const proxy = await startFaultProxy(door.port);
    onTestFinished(() => proxy.close());
    const { belay } = testClient({ url: `http://127.0.0.1:${proxy.port}` });
    await belay.ready();
    proxy.faults.isHalfOpen = true;
    door.publish(snapshotOf(8, { checkout: rollout(0) }), changeOf(8, { checkout: rollout(0) }));
    const fromMs = performance.now();
    setTimeout(() => {
      proxy.faults.isHalfOpen = false;
    }, 1.5 * HEARTBEAT_MS);
    await expect.poll(() => belay.revision, { timeout: 5_000, interval: 5 }).toBe(8);
    expect(performance.now() - fromMs).toBeGreaterThanOrEqual(HEARTBEAT_MS);
    expect(belay.isEnabled("checkout", USER)).toBe(false);
  });
});

describe("fault 20 and 21: revisions", () => {
  it("a rollback to earlier content arrives like any change", async () => {
    const door = await doorOf();
    const { belay } = testClient({ url: door.url });
    await belay.ready();
    for (const [revision, ppm] of [
      [8, 0],
      [9, 1_000_000],
    ] as const) {
      door.publish(snapshotOf(revision, { checkout: rollout(ppm) }), changeOf(revision, { checkout: rollout(ppm) }));
      await expect.poll(() => belay.revision, { interval: 1 }).toBe(revision);
      expect(belay.isEnabled("checkout", USER)).toBe(ppm > 0);
    }
  });

  it("a gap fetches the whole snapshot", async () => {
    const door = await doorOf();
    const { belay } = testClient({ url: door.url });
    await belay.ready();
    door.publish(snapshotOf(11, { checkout: rollout(0) }), changeOf(11, {}));
    await expect.poll(() => belay.revision, { timeout: 5_000, interval: 5 }).toBe(11);
    expect(belay.isEnabled("checkout", USER)).toBe(false);
    expect(
      door.requests.filter((request) => request.door === "stream").map((request) => request.headers["last-event-id"]),
    ).toEqual([undefined, undefined]);
  });
});

describe("fault 21: one change lost on a stream that lives on", () => {
  it("is noticed by the next heartbeat, and the change is there, without another change to show the gap", async () => {
    const door = await doorOf();
    const { belay } = testClient({ url: door.url });
    await belay.ready();
    await new Promise((resolve) => setTimeout(resolve, 2.5 * HEARTBEAT_MS));
    door.snapshot = snapshotOf(8, { checkout: rollout(0) });
    const lostMs = performance.now();
    await expect.poll(() => belay.revision, { timeout: 5_000, interval: 5 }).toBe(8);
    // A heartbeat, and room for a busy machine.
    expect(performance.now() - lostMs).toBeLessThan(2 * HEARTBEAT_MS);
    expect([belay.isEnabled("checkout", USER), belay.state, door.count("stream")]).toEqual([false, "live", 2]);
  });
});

describe("fault 22: what cannot be read", () => {
  it("old rules stay through 20 broken messages, with one warning for each kind of trouble", async () => {
    const door = await doorOf();
    const { belay, said } = testClient({ url: door.url });
    await belay.ready();
    door.behave("stream", doorFaults.html);
    door.behave("snapshot", doorFaults.wrongGzip);
    door.write("event: change\ndata: {\n\n");
    await expect.poll(() => door.requests.length, { timeout: 10_000 }).toBeGreaterThanOrEqual(20);
    expect(belay.revision).toBe(7);
    expect(belay.isEnabled("checkout", USER)).toBe(true);
    expect(said.filter((line) => line.includes("trying again"))).toHaveLength(1);
  });
});

describe("fault 24: a slow first answer", () => {
  it("ready gives up in time, the application starts on its bootstrap, and one change upgrades it later", async () => {
    const door = await doorOf();
    // A sixth of the fault's ten seconds, on the product's own durations.
    door.behave("stream", doorFaults.delay(1_600));
    const { belay } = testClient({ url: door.url, bootstrap: snapshotOf(3, { checkout: rollout(0) }) }, {});
    const changes: unknown[] = [];
    belay.on("change", (change) => changes.push(change));
    const fromMs = performance.now();
    expect(await belay.ready({ timeoutMs: 300 })).toBe("stale");
    expect(performance.now() - fromMs).toBeLessThan(1_000);
    expect(belay.evaluate("checkout", USER, true)).toMatchObject({ value: false, revision: 3 });
    expect(await belay.ready({ timeoutMs: 5_000 })).toBe("live");
    expect(belay.isEnabled("checkout", USER)).toBe(true);
    expect(changes).toEqual([{ revision: 7, keys: ["checkout", "pricing"] }]);
  });
});

describe("a server without streaming", () => {
  it("is polled with the tag of what is held", async () => {
    const door = await doorOf();
    door.behave("stream", doorFaults.status(404));
    const { belay } = testClient({ url: door.url });
    expect(await belay.ready({ timeoutMs: 2_000 })).toBe("live");
    door.snapshot = snapshotOf(8, { checkout: rollout(0) });
    await expect.poll(() => belay.revision, { timeout: 5_000 }).toBe(8);
    await expect
      .poll(() => door.requests.filter((request) => request.headers["if-none-match"] === '"8"').length, { timeout: 5_000 })
      .toBeGreaterThanOrEqual(1);
    expect(belay.state).toBe("live");
  });
});

describe("fault 22: a snapshot of another length than was announced", () => {
  it.each([
    ["longer", 100],
    ["shorter", -100],
  ])("%s: the old one stays until there is a whole one", async (_name, bytes) => {
    const door = await doorOf();
    door.behave("stream", doorFaults.status(404));
    const { belay } = testClient({ url: door.url });
    expect(await belay.ready({ timeoutMs: 3_000 })).toBe("live");
    const next = snapshotOf(8, { checkout: rollout(0) });
    door.snapshot = next;
    door.behave("snapshot", doorFaults.wrongLength(JSON.stringify(next), bytes));
    const before = door.count("snapshot");
    await expect.poll(() => door.count("snapshot"), { timeout: 5_000 }).toBeGreaterThanOrEqual(before + 3);
    expect([belay.revision, belay.isEnabled("checkout", USER)]).toEqual([7, true]);
    door.behave("snapshot", undefined);
    await expect.poll(() => belay.revision, { timeout: 10_000 }).toBe(8);
    expect(belay.isEnabled("checkout", USER)).toBe(false);
  });
});

describe("receipts", () => {
  it("say which revision runs, after each swap", async () => {
    const door = await doorOf();
    const { belay } = testClient({ url: door.url }, { ...FAST, random: () => 0.01 });
    await belay.ready();
    await expect.poll(() => door.receipts.at(-1)?.revision, { timeout: 5_000 }).toBe(7);
    door.publish(snapshotOf(8, {}), changeOf(8, { checkout: rollout(0) }));
    await expect.poll(() => door.receipts.at(-1)?.revision, { timeout: 5_000 }).toBe(8);
  });
});

describe("events over a bad network", () => {
  it("faults 28 and 29: every third answer lost, a server that dies and comes back: each exposure stored once", async () => {
    const door = await doorOf();
    let posts = 0;
    door.behave("events", (request, answer) => {
      posts += 1;
      if (posts % 3 === 0) doorFaults.loseAnswer(request, answer);
      else if (posts % 5 === 0) request.response.writeHead(503).end();
      else answer();
    });
    const { belay } = testClient({ url: door.url });
    await belay.ready();
    for (let n = 0; n < 5_000; n += 1) {
      belay.value("pricing", { targetingKey: `user-${n}` }, "none");
      if (n % 100 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      if (n === 2_000) await door.stop();
      if (n === 4_000) await door.start();
    }
    await expect.poll(() => belay.report().stored, { timeout: 15_000 }).toBe(5_000);
    expect(belay.report()).toEqual({ produced: 5_000, stored: 5_000, dropped: 0, queued: 0, rejected: 0 });
    expect(new Set(door.events.map((event) => event["unit"])).size).toBe(5_000);
    expect(door.events).toHaveLength(5_000);
    expect(door.duplicates).toBeGreaterThan(0);
  });

  it("a burst of 503s: what was asked of the server meanwhile is asked again, and stored once", async () => {
    const door = await doorOf();
    door.behave("events", doorFaults.burst(503, 7));
    const { belay } = testClient({ url: door.url });
    await belay.ready();
    for (let n = 0; n < 250; n += 1) belay.value("pricing", { targetingKey: `user-${n}` }, "none");
    await expect.poll(() => belay.report().stored, { timeout: 15_000 }).toBe(250);
    expect(belay.report()).toEqual({ produced: 250, stored: 250, dropped: 0, queued: 0, rejected: 0 });
    expect([door.events.length, door.duplicates]).toEqual([250, 0]);
    expect(door.count("events")).toBeGreaterThanOrEqual(8);
  });

  it.each([
    ["longer than it is", 100],
    ["shorter than it is", -10],
  ])("a receipt announced %s is no receipt: the batch is sent again, and stored once", async (_name, bytes) => {
    const door = await doorOf();
    let posts = 0;
    door.behave("events", (request, answer) => {
      posts += 1;
      if (posts > 3) answer();
      else doorFaults.wrongLength(JSON.stringify({ accepted: 250, duplicates: 0, rejected: [] }), bytes)(request, answer);
    });
    const { belay } = testClient({ url: door.url });
    await belay.ready();
    for (let n = 0; n < 250; n += 1) belay.value("pricing", { targetingKey: `user-${n}` }, "none");
    await expect.poll(() => belay.report().stored, { timeout: 15_000 }).toBe(250);
    expect(belay.report()).toEqual({ produced: 250, stored: 250, dropped: 0, queued: 0, rejected: 0 });
    expect([door.events.length, door.duplicates]).toEqual([250, 0]);
  });

  it("batches are gzipped when that saves something, with the attributes that were asked for", async () => {
    const door = await doorOf();
    const { belay } = testClient({ url: door.url, contextAttributes: ["country", "plan"] });
    await belay.ready();
    for (let n = 0; n < 100; n += 1) belay.value("pricing", { targetingKey: `user-${n}`, country: "DE", email: "a@b.c" }, "none");
    await belay.flush();
    const posts = door.requests.filter((request) => request.door === "events");
    expect(posts[0]?.headers["content-encoding"]).toBe("gzip");
    expect(Number(posts[0]?.headers["content-length"])).toBeLessThan((posts[0]?.text.length ?? 0) / 5);
    expect(door.events[0]?.["attributes"]).toEqual({ country: "DE" });
    expect(posts.map((post) => post.text).join()).not.toContain("a@b.c");
  });
});
