import type { Condition, Part, SnapshotFlag } from "@belay/protocol";
import { describe, expect, it } from "vitest";
import type { Client } from "./client.ts";
import { fakeClient } from "./fake-client.fixture.ts";
import { experimentFlag, FakeServer, FakeTime, plainFlag, snapshotOf } from "./fake-world.fixture.ts";

const CALLS = 200_000;
const contexts = Array.from({ length: 10_000 }, (_, n) => ({ targetingKey: `user-${n}`, country: "AT", version: "2.10.3" }));

/** In for half of those whom the condition, if there is one, lets through. */
function halfFlag(when?: Condition): SnapshotFlag {
  const split: Part[] = [{ variant: "on", draws: [{ space: "share", in: [[0, 500_000]] }] }];
  const rule = { id: "half", serve: { split }, ...(when === undefined ? {} : { when }) };
  return { ...plainFlag(false), spaces: { share: { salt: "k7d2m4qa" } }, rules: [rule] };
}

const someVersions: Condition = {
  all: [
    { attribute: "country", op: "in", value: ["DE", "AT"] },
    { attribute: "version", op: "semverGte", value: "2.3.0" },
  ],
};

function clientOf(): Client {
  const server = new FakeServer(new FakeTime(), snapshotOf(1));
  const flags = { plain: plainFlag(true), half: halfFlag(), some: halfFlag(someVersions), pricing: experimentFlag() };
  return fakeClient(server, { isOffline: true, held: { snapshot: snapshotOf(1, flags), from: "application" } }).client;
}

/** Bytes a call leaves on the heap, in each of nine rounds. */
function bytesPerCall(call: (n: number) => unknown, calls: number): number[] {
  const rounds: number[] = [];
  let sink = 0;
  for (let round = 0; round < 12; round += 1) {
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < calls; n += 1) if (call(n % contexts.length)) sink += 1;
    // The first rounds are the compiler's.
    if (round >= 3) rounds.push((process.memoryUsage().heapUsed - before) / calls);
  }
  expect(sink).toBeGreaterThanOrEqual(0);
  return rounds;
}

describe("the hot path of seen units", () => {
  it.each([
    ["a plain flag", (belay: Client) => (n: number) => belay.isEnabled("plain", contexts[n])],
    ["a rollout", (belay: Client) => (n: number) => belay.isEnabled("half", contexts[n])],
    ["a rollout behind conditions", (belay: Client) => (n: number) => belay.isEnabled("some", contexts[n])],
    ["a tracked experiment", (belay: Client) => (n: number) => belay.value("pricing", contexts[n] ?? {}, "none") === "A"],
    ["a flag that is not there", (belay: Client) => (n: number) => belay.isEnabled("nothing", contexts[n])],
  ])("%s: not a byte a call", (_name, callOf) => {
    // The least of the rounds: what else runs in the process only ever adds. One with a collection in it went below zero
    // and says nothing.
    const rounds = bytesPerCall(callOf(clientOf()), CALLS).filter((bytes) => bytes >= 0);
    expect(Math.min(...rounds)).toBeLessThan(0.5);
  });

  it("and an allocation would be seen: an object a call is 16 bytes and more", () => {
    const kept: unknown[] = new Array(1);
    const allocate = (n: number): boolean => {
      kept[0] = { n };
      return true;
    };
    // The most of the rounds, and short ones: a collection in the middle of one takes away what was seen.
    expect(Math.max(...bytesPerCall(allocate, CALLS / 20))).toBeGreaterThanOrEqual(16);
  });
});
