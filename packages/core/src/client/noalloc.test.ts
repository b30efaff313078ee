import { describe, expect, it } from "vitest";
import type { Client } from "./client.ts";
import { fakeClient } from "./fake-client.fixture.ts";
import { experimentFlag, FakeServer, FakeTime, plainFlag, snapshotOf } from "./fake-world.fixture.ts";

const CALLS = 200_000;
const contexts = Array.from({ length: 10_000 }, (_, n) => ({ targetingKey: `user-${n}` }));

function clientOf(): Client {
  const server = new FakeServer(new FakeTime(), snapshotOf(1));
  const flags = { plain: plainFlag(true), pricing: experimentFlag() };
  return fakeClient(server, { isOffline: true, held: { snapshot: snapshotOf(1, flags), from: "application" } }).client;
}

/** Bytes a call leaves on the heap, the least of nine rounds: what else runs in the process only ever adds. */
function bytesPerCall(call: (n: number) => unknown): number {
  const rounds: number[] = [];
  let sink = 0;
  for (let round = 0; round < 12; round += 1) {
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < CALLS; n += 1) if (call(n % contexts.length)) sink += 1;
    // The first rounds are the compiler's.
    if (round >= 3) rounds.push((process.memoryUsage().heapUsed - before) / CALLS);
  }
  expect(sink).toBeGreaterThanOrEqual(0);
  // A round with a collection in it went below zero and says nothing.
  return Math.min(...rounds.filter((bytes) => bytes >= 0));
}

describe("the hot path of seen units", () => {
  it.each([
    ["a plain flag", (belay: Client) => (n: number) => belay.isEnabled("plain", contexts[n])],
    ["a tracked experiment", (belay: Client) => (n: number) => belay.value("pricing", contexts[n] ?? {}, "none") === "A"],
    ["a flag that is not there", (belay: Client) => (n: number) => belay.isEnabled("nothing", contexts[n])],
  ])("%s: not a byte a call", (_name, callOf) => {
    expect(bytesPerCall(callOf(clientOf()))).toBeLessThan(0.5);
  });

  it("and an allocation would be seen: an object a call is 16 bytes and more", () => {
    const kept: unknown[] = new Array(1);
    expect(
      bytesPerCall((n) => {
        kept[0] = { n };
        return true;
      }),
    ).toBeGreaterThanOrEqual(16);
  });
});
