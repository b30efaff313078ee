import { connect } from "node:net";
import { applyToSnapshot } from "@belay/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P, type TestServer, testServer } from "../app.fixture.ts";
import type { HubLimits } from "./hub.ts";
import { type Reader, readStream } from "./sse.fixture.ts";

let server: TestServer;
let url: string;
let key: string;
const start = async (streams: Partial<HubLimits> = {}): Promise<void> => {
  server = await testServer({ streams });
  url = await server.app.listen({ host: "127.0.0.1", port: 0 });
  key = server.sdkKeys["production"] as string;
};
const rollout = (percentage: number, flag = "a") => server.ask("PUT", `${E}/flags/${flag}/rollout`, { percentage });
const clientKey = async (): Promise<string> =>
  (await server.ask("POST", `${P}/keys`, { environment: "production", kind: "client" })).body.secret;

afterEach(() => server.close());

describe("a stream", () => {
  beforeEach(async () => {
    await start();
    await server.ask("POST", `${P}/flags`, { key: "a" });
  });

  it("begins with the snapshot, then has a change per revision, which add up to the snapshot of now", async () => {
    const reader = await readStream(url, key);
    expect([reader.status, reader.headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
    const [first] = await reader.until(1);
    for (const percentage of [10, 20, 5]) await rollout(percentage);
    const events = await reader.until(4);
    expect(events.map(({ event, id }) => [event, id])).toEqual([
      ["snapshot", 2],
      ["change", 3],
      ["change", 4],
      ["change", 5],
    ]);
    expect(events.slice(1).map(({ data }) => [data.from, data.revision, Object.keys(data.flags)])).toEqual([
      [2, 3, ["a"]],
      [3, 4, ["a"]],
      [4, 5, ["a"]],
    ]);
    const added = events.slice(1).reduce((snapshot, { data }) => applyToSnapshot(snapshot, data), first?.data);
    expect(added).toEqual((await server.ask("GET", "/sdk/v1/snapshot", undefined, { as: key })).body);
    reader.request.destroy();
  });

  it("fault 20: brings earlier content back as a newer revision", async () => {
    await rollout(10);
    const reader = await readStream(url, key);
    await reader.until(1);
    await rollout(90);
    await rollout(10);
    const [first, bad, back] = await reader.until(3);
    expect([first?.id, bad?.id, back?.id]).toEqual([3, 4, 5]);
    expect(back?.data.flags.a).toEqual(first?.data.flags.a);
    reader.request.destroy();
  });

  it("resumes: the missing changes, nothing when none is missing, everything when it cannot", async () => {
    for (const percentage of [1, 2, 3]) await rollout(percentage);
    const since = async (id: string): Promise<unknown[]> => {
      const reader = await readStream(url, key, { "last-event-id": id });
      await rollout((await revision()) + 1);
      const last = await revision();
      while (reader.events.at(-1)?.id !== last) await reader.until(reader.events.length + 1);
      reader.request.destroy();
      return reader.events.map(({ event, id: made }) => [event, last - made]);
    };
    await readStream(url, key).then(({ request }) => request.destroy());
    const now = await revision();
    await rollout(50);
    await rollout(51);
    expect(await since(String(now))).toEqual([
      ["change", 2],
      ["change", 1],
      ["change", 0],
    ]);
    expect(await since(String(now + 3))).toEqual([["change", 0]]);
    for (const unknown of ["1", "999999", "abc", ""]) {
      expect(await since(unknown)).toEqual([
        ["snapshot", 1],
        ["change", 0],
      ]);
    }
  });
  const revision = async (): Promise<number> => (await server.ask("GET", E)).body.revision;

  it("shows browsers only what is theirs, and every revision", async () => {
    await server.ask("POST", `${P}/segments`, {
      key: "hidden",
      when: { attribute: "email", op: "endsWith", value: "@shop.example" },
    });
    await server.ask("POST", `${P}/segments`, { key: "used", when: { attribute: "plan", op: "in", value: "pro" } });
    await server.ask("POST", `${P}/flags`, { key: "shown", clientSide: true, description: "d", owner: "o@shop.example" });
    const rules = [{ id: "r", when: { segment: "used" }, serve: { variant: "on" } }];
    await server.ask("PUT", `${E}/flags/shown`, { enabled: true, rules });
    const reader = await readStream(url, await clientKey());
    const [first] = await reader.until(1);
    expect(Object.keys(first?.data.flags)).toEqual(["shown"]);
    expect(Object.keys(first?.data.segments)).toEqual(["used"]);
    expect(JSON.stringify(first?.data)).not.toMatch(/shop\.example|description|owner/);
    await rollout(10);
    await rollout(10, "shown");
    await server.ask("PATCH", `${P}/flags/shown`, { clientSide: false });
    const [, hidden, visible, gone] = await reader.until(4);
    expect([hidden?.data.flags, hidden?.id]).toEqual([{}, (first?.id ?? 0) + 1]);
    expect(Object.keys(visible?.data.flags)).toEqual(["shown"]);
    expect([gone?.data.flags, gone?.data.segments]).toEqual([{ shown: null }, { used: null }]);
    reader.request.destroy();
  });

  it("is cut when its key is revoked, and only then", async () => {
    const made = (await server.ask("POST", `${P}/keys`, { environment: "production", kind: "server" })).body;
    const [revoked, other] = [await readStream(url, made.secret), await readStream(url, key)];
    await Promise.all([revoked.until(1), other.until(1)]);
    await server.ask("DELETE", `${P}/keys/${made.id}`);
    expect(await revoked.ended).toBe("cut");
    expect((await server.ask("GET", "/sdk/v1/snapshot", undefined, { as: made.secret })).status).toBe(401);
    await rollout(10);
    expect((await other.until(2)).length).toBe(2);
    other.request.destroy();
  });

  it("spreads when clients are to come back", async () => {
    const readers = await Promise.all(Array.from({ length: 40 }, () => readStream(url, key)));
    await Promise.all(readers.map((reader) => reader.until(1)));
    const retries = readers.map((reader) => reader.retries[0] ?? 0);
    expect(Math.min(...retries)).toBeGreaterThanOrEqual(1_000);
    expect(Math.max(...retries)).toBeLessThanOrEqual(10_000);
    expect(new Set(retries).size).toBeGreaterThan(30);
    for (const reader of readers) reader.request.destroy();
  });
});

it("keeps a quiet stream alive with comments", async () => {
  await start({ heartbeatMs: 30 });
  const reader = await readStream(url, key);
  while (reader.heartbeats.length < 3) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(reader.events).toHaveLength(1);
  reader.request.destroy();
});

it("names in each heartbeat the revision that what came before adds up to", async () => {
  await start({ heartbeatMs: 5 });
  const reader = await readStream(url, key);
  await server.ask("POST", `${P}/flags`, { key: "a" });
  for (let percentage = 1; percentage <= 20; percentage += 1) await rollout(percentage);
  await reader.until(22);
  const last = reader.events.at(-1)?.id;
  while (reader.heartbeats.at(-1)?.text !== `revision ${last}`) await new Promise((resolve) => setTimeout(resolve, 5));
  for (const { text, events } of reader.heartbeats) expect(text).toBe(`revision ${reader.events[events - 1]?.id}`);
  expect(new Set(reader.heartbeats.map(({ text }) => text)).size).toBeGreaterThanOrEqual(2);
  reader.request.destroy();
});

it("refuses one stream too many with a time to come back", async () => {
  await start({ streamsMax: 2 });
  const readers = await Promise.all([readStream(url, key), readStream(url, key)]);
  await Promise.all(readers.map((reader) => reader.until(1)));
  const third = await readStream(url, key);
  expect(third.status).toBe(503);
  expect(Number(third.headers["retry-after"])).toBeGreaterThanOrEqual(1);
  readers[0]?.request.destroy();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const next = await readStream(url, key);
  expect(next.status).toBe(200);
  for (const { request } of [readers[1] as Reader, next]) request.destroy();
});

it("fault 25: cuts a client that does not read at its cap, and the others notice nothing", async () => {
  const bufferMax = 256 * 1024;
  await start({ bufferMax });
  const variants = Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`v${index}`, "x".repeat(1_000)]));
  await server.ask("POST", `${P}/flags`, { key: "big", type: "string", variants });
  const readers = await Promise.all(Array.from({ length: 20 }, () => readStream(url, key)));
  await Promise.all(readers.map((reader) => reader.until(1)));
  const stalled = connect(Number(new URL(url).port), "127.0.0.1");
  stalled.on("error", () => undefined).pause();
  const cut = new Promise((resolve) => stalled.once("close", resolve));
  stalled.write(`GET /sdk/v1/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const delays: number[] = [];
  for (let change = 1; change <= 100; change += 1) {
    const startedMs = performance.now();
    await server.ask("PUT", `${E}/flags/big/rollout`, { percentage: change / 10, variant: "v1" });
    await Promise.all(readers.map((reader) => reader.until(change + 1)));
    delays.push(...readers.map((reader) => (reader.events.at(-1)?.atMs ?? Number.POSITIVE_INFINITY) - startedMs));
  }
  stalled.resume();
  await cut;
  expect(delays).toHaveLength(2_000);
  expect(delays.sort((a, b) => a - b)[Math.floor(delays.length * 0.99)]).toBeLessThan(1_000);
  expect(stalled.bytesRead).toBeLessThan(100 * 100_000);
  for (const reader of readers) reader.request.destroy();
}, 60_000);

it("fault 26: ends 1,000 streams in order and in time, each told when to come back", async () => {
  await start();
  const readers: Reader[] = [];
  for (let batch = 0; batch < 10; batch += 1) {
    readers.push(...(await Promise.all(Array.from({ length: 100 }, () => readStream(url, key)))));
  }
  await Promise.all(readers.map((reader) => reader.until(1)));
  const startedMs = performance.now();
  await server.app.close();
  expect(performance.now() - startedMs).toBeLessThan(5_000);
  const ends = await Promise.all(readers.map(({ ended }) => ended));
  expect(ends.filter((end) => end === "end")).toHaveLength(1_000);
  const retries = readers.map((reader) => reader.retries.at(-1) ?? 0);
  expect(readers.every((reader) => reader.retries.length === 2)).toBe(true);
  expect(new Set(retries).size).toBeGreaterThan(500);
}, 60_000);
