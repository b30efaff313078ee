import { seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import { fakeClient } from "./fake-client.fixture.ts";
import { FakeServer, FakeTime, plainFlag, snapshotOf } from "./fake-world.fixture.ts";
import { failureOfStatus } from "./payload.ts";
import { type Failure, initialSync, type Moment, SYNC_TABLE, SYNC_TIMINGS, type Sync, step } from "./sync.ts";

const HEARTBEAT_MS = SYNC_TIMINGS.heartbeatMs;
const MINUTE_MS = 60_000;
const ENDED: Failure = { kind: "ended", detail: "ended" };
const NETWORK: Failure = { kind: "network", detail: "reset" };

function world(revision = 7): { time: FakeTime; server: FakeServer } {
  const time = new FakeTime();
  return { time, server: new FakeServer(time, snapshotOf(revision, { flag: plainFlag(true) })) };
}

describe("SPEC 1: the table", () => {
  it("has every one of its 7 x 13 cells", () => {
    const cells = Object.values(SYNC_TABLE).map((events) => Object.keys(events).length);
    expect(cells).toEqual([13, 13, 13, 13, 13, 13, 13]);
  });
});

describe("SPEC 2: it never stops for good", () => {
  it.each([401, 403, 404, 429, 500, 502, 503])(
    "an hour of %i on every door, and within 5 minutes of its end it is live again",
    async (status) => {
      const { time, server } = world();
      server.streamTrouble = { kind: "failure", failure: failureOfStatus(status, undefined, 0) };
      server.pollTrouble = server.streamTrouble;
      const { client } = fakeClient(server, {}, seeded(status).fraction);
      await time.advance(60 * MINUTE_MS);
      expect(client.state).toBe("starting");
      server.streamTrouble = undefined;
      server.pollTrouble = undefined;
      await time.advance(5 * MINUTE_MS);
      expect(client.state).toBe("live");
      expect(client.revision).toBe(7);
    },
  );

  it("asks seldom while it is refused: at most 31 requests in an hour of 401", async () => {
    const { time, server } = world();
    server.streamTrouble = { kind: "failure", failure: failureOfStatus(401, undefined, 0) };
    server.pollTrouble = server.streamTrouble;
    fakeClient(server, {}, seeded(9).fraction);
    await time.advance(60 * MINUTE_MS);
    expect(server.starts.length).toBeLessThanOrEqual(31);
    expect(server.starts.length).toBeGreaterThanOrEqual(12);
  });
});

describe("SPEC 3: Retry-After", () => {
  it.each([1, 30, 120, 299])("of %i s is obeyed: never early, at most 10 % late, 200 times", (seconds) => {
    const dice = seeded(seconds);
    const at: Moment = { nowMs: 5_000, random: dice.fraction, timings: SYNC_TIMINGS };
    for (let turn = 0; turn < 200; turn += 1) {
      const failure = failureOfStatus(dice.pick([429, 503]), String(seconds), 0);
      const waitMs = waitOf(step(connecting(), { on: "failed", failure }, at).effects);
      expect(waitMs / (seconds * 1_000)).toBeGreaterThanOrEqual(0.9);
      expect(waitMs / (seconds * 1_000)).toBeLessThanOrEqual(1.1);
    }
  });

  it("of a day is cut to 5 minutes", () => {
    const at: Moment = { nowMs: 0, random: () => 0.999, timings: SYNC_TIMINGS };
    const failure = failureOfStatus(503, "86400", 0);
    expect(waitOf(step(connecting(), { on: "failed", failure }, at).effects)).toBeLessThanOrEqual(300_000);
  });
});

describe("SPEC 4: the budget", () => {
  it.each([
    ["the worst dice", () => 0],
    ["seed 1", seeded(1).fraction],
    ["seed 2", seeded(2).fraction],
    ["seed 3", seeded(3).fraction],
  ])("a server that accepts and closes at once sees at most 12 connections in any 60 s, with %s", async (_name, random) => {
    const { time, server } = world();
    server.streamTrouble = { kind: "ends" };
    server.pollTrouble = { kind: "ends" };
    fakeClient(server, {}, random);
    await time.advance(10 * MINUTE_MS);
    expect(
      mostWithin(
        server.starts.map((start) => start.atMs),
        MINUTE_MS,
      ),
    ).toBeLessThanOrEqual(12);
    expect(server.starts.length).toBeGreaterThanOrEqual(20);
  });
});

describe("SPEC 5: half-open streams", () => {
  it("a silent stream is left after two heartbeats, and the change is seen before two and a half", async () => {
    const { time, server } = world();
    const { client } = fakeClient(server);
    await time.advance(10 * HEARTBEAT_MS + 1);
    server.silenceStreams();
    server.commit({ flag: plainFlag(false) }, { isTold: false });
    await time.advance(2 * HEARTBEAT_MS - 1_000);
    expect(client.revision).toBe(7);
    await time.advance(0.5 * HEARTBEAT_MS + 1_000);
    expect(client.revision).toBe(8);
    expect(client.isEnabled("flag", {})).toBe(false);
  });

  it("a server that never answers is given up after two heartbeats too", async () => {
    const { time, server } = world();
    server.streamTrouble = { kind: "hangs" };
    const { client } = fakeClient(server);
    await time.advance(2 * HEARTBEAT_MS - 1);
    expect(server.starts).toHaveLength(1);
    // Such a stream may be a proxy's doing: the next request is a plain one.
    await time.advance(1_100);
    expect(server.starts.map((start) => start.door)).toEqual(["stream", "poll"]);
    expect(client.state).toBe("live");
  });
});

describe("SPEC 6: revisions only rise", () => {
  it("a rollback to earlier content arrives like any change", async () => {
    const { time, server } = world(6);
    const { client } = fakeClient(server);
    await time.advance(100);
    server.commit({ flag: plainFlag(false) });
    expect(client.isEnabled("flag", {})).toBe(false);
    server.commit({ flag: plainFlag(true) });
    expect(client.revision).toBe(8);
    expect(client.isEnabled("flag", {})).toBe(true);
  });

  it("a message that comes again, or too late, changes nothing and costs no connection", async () => {
    const { time, server } = world();
    const { client } = fakeClient(server);
    await time.advance(100);
    const first = server.commit({ flag: plainFlag(false) });
    const second = server.commit({ flag: plainFlag(true) });
    for (const change of [second, first, first, second]) server.tell(change);
    expect(client.revision).toBe(9);
    expect(client.isEnabled("flag", {})).toBe(true);
    expect(server.starts).toHaveLength(1);
  });

  it("a snapshot older than what is held is refused and said once", async () => {
    const { time, server } = world(7);
    const { client, said } = fakeClient(server);
    await time.advance(100);
    server.snapshot = snapshotOf(3, { flag: plainFlag(false) });
    server.endStreams();
    await time.advance(3_000);
    server.endStreams();
    await time.advance(10_000);
    expect(client.revision).toBe(7);
    expect(client.isEnabled("flag", {})).toBe(true);
    expect(said.filter((line) => line.includes("revision 3, older than 7"))).toHaveLength(1);
  });

  it("what came with the application is replaced whatever its number", async () => {
    const { time, server } = world(7);
    const { client } = fakeClient(server, {
      held: { snapshot: snapshotOf(999, { flag: plainFlag(false) }), from: "application" },
    });
    expect(client.isEnabled("flag", {})).toBe(false);
    await time.advance(100);
    expect(client.revision).toBe(7);
    expect(client.isEnabled("flag", {})).toBe(true);
  });
});

describe("SPEC 7: a gap fetches the whole", () => {
  it("three changes lost, the fourth arrives: the client asks without Last-Event-ID and has all four within a second", async () => {
    const { time, server } = world();
    const { client } = fakeClient(server);
    await time.advance(2 * MINUTE_MS);
    for (let turn = 0; turn < 3; turn += 1) server.commit({ flag: plainFlag(false) }, { isTold: false });
    server.commit({ flag: plainFlag(false) });
    await time.advance(1_000);
    expect(client.revision).toBe(11);
    expect(server.starts.map((start) => start.after)).toEqual([undefined, undefined]);
    expect(client.isEnabled("flag", {})).toBe(false);
  });

  it("one change lost on a stream that lives on is noticed by the next heartbeat, and there within a second of it", async () => {
    const { time, server } = world();
    const { client } = fakeClient(server);
    await time.advance(2 * MINUTE_MS);
    server.commit({ flag: plainFlag(false) }, { isTold: false });
    const lostMs = time.monotonic();
    while (client.revision === 7 && time.monotonic() - lostMs < 2 * HEARTBEAT_MS) await time.advance(10);
    expect(time.monotonic() - lostMs).toBeLessThanOrEqual(HEARTBEAT_MS + 1_000);
    expect([client.revision, client.isEnabled("flag", {}), client.state]).toEqual([8, false, "live"]);
    expect(server.starts.map((start) => start.after)).toEqual([undefined, undefined]);
  });

  it("heartbeats of the revision held, of a lower one and of none change nothing in an hour", async () => {
    const { time, server } = world();
    const { client } = fakeClient(server);
    await time.advance(30 * MINUTE_MS);
    server.isNamingRevisions = false;
    await time.advance(15 * MINUTE_MS);
    server.isNamingRevisions = true;
    server.snapshot = snapshotOf(3, { flag: plainFlag(false) });
    await time.advance(15 * MINUTE_MS);
    expect([client.revision, client.state, server.starts.length, server.openStreams]).toEqual([7, "live", 1, 1]);
  });

  it("a stream that sends heartbeats and never the rules is left at each: after three the client polls them", async () => {
    const { time, server } = world();
    server.isSilentAtFirst = true;
    const { client, said } = fakeClient(server);
    await time.advance(5 * HEARTBEAT_MS);
    expect([client.revision, client.state]).toEqual([7, "live"]);
    expect(server.starts.slice(0, 4).map((start) => start.door)).toEqual(["stream", "stream", "stream", "poll"]);
    expect(said.some((line) => line.includes("the server is at revision 7 while 0 is held"))).toBe(true);
  });

  it("a later stream goes on from the revision held", async () => {
    const { time, server } = world();
    fakeClient(server);
    await time.advance(2 * MINUTE_MS);
    server.endStreams();
    await time.advance(5_000);
    expect(server.starts.map((start) => start.after)).toEqual([undefined, 7]);
  });
});

describe("SPEC 8: polling and back", () => {
  it("a server without a stream is polled from the first second, each 27-33 s", async () => {
    const { time, server } = world();
    server.streamTrouble = { kind: "failure", failure: failureOfStatus(404, undefined, 0) };
    const { client } = fakeClient(server);
    await time.advance(2_000);
    expect(client.state).toBe("live");
    server.commit({ flag: plainFlag(false) });
    await time.advance(66_000);
    expect(client.revision).toBe(8);
    await time.advance(10 * MINUTE_MS);
    expect(client.state).toBe("live");
    const polls = server.starts.filter((start) => start.door === "poll").length;
    expect(polls).toBeGreaterThanOrEqual(15);
    expect(polls).toBeLessThanOrEqual(30);
  });

  it("falls to polling when streams end three times before they are healthy, and is back on a stream within 5 minutes of peace", async () => {
    const { time, server } = world();
    server.streamTrouble = { kind: "ends" };
    const { client } = fakeClient(server);
    await time.advance(MINUTE_MS);
    expect(server.starts.some((start) => start.door === "poll")).toBe(true);
    expect(client.state).toBe("live");
    server.streamTrouble = undefined;
    await time.advance(5 * MINUTE_MS + 33_000);
    expect(server.openStreams).toBe(1);
    const polls = server.starts.filter((start) => start.door === "poll").length;
    await time.advance(10 * MINUTE_MS);
    expect(server.starts.filter((start) => start.door === "poll")).toHaveLength(polls);
  });
});

describe("SPEC 8: after an outage", () => {
  it("the first poll that gets through leads back to the stream within a second, in 100 worlds of 100", async () => {
    let back = 0;
    for (let seed = 0; seed < 100; seed += 1) {
      const { time, server } = world();
      const { client } = fakeClient(server, {}, seeded(seed).fraction);
      await time.advance(MINUTE_MS);
      server.streamTrouble = { kind: "failure", failure: NETWORK };
      server.pollTrouble = server.streamTrouble;
      server.endStreams(NETWORK);
      await time.advance(MINUTE_MS);
      expect(client.state).toBe("stale");
      // Streams stay away until a poll is through: which of the two is tried next when an outage ends is up to the dice.
      server.pollTrouble = undefined;
      for (let waitedMs = 0; client.state !== "live" && waitedMs < 2 * MINUTE_MS; waitedMs += 10) await time.advance(10);
      server.streamTrouble = undefined;
      const { length } = server.starts;
      await time.advance(1_010);
      if (client.state === "live" && server.openStreams === 1) back += 1;
      expect(server.starts.slice(length).map((start) => start.door)).toEqual(["stream"]);
    }
    expect(back).toBe(100);
  });
});

describe("SPEC 9: stale and live", () => {
  it("ten minutes without a server: stale within two heartbeats, no value changes, and live again when it is back", async () => {
    const { time, server } = world();
    const { client } = fakeClient(server);
    await time.advance(MINUTE_MS);
    expect(client.evaluate("flag", {}, false)).toMatchObject({ value: true, reason: "STATIC" });
    server.streamTrouble = { kind: "failure", failure: NETWORK };
    server.pollTrouble = server.streamTrouble;
    server.endStreams(NETWORK);
    expect(client.state).toBe("live");
    await time.advance(2 * HEARTBEAT_MS);
    expect(client.state).toBe("stale");
    let changed = 0;
    for (let second = 0; second < 600; second += 1) {
      await time.advance(1_000);
      if (!client.isEnabled("flag", {})) changed += 1;
    }
    expect(changed).toBe(0);
    expect(client.evaluate("flag", {}, false)).toMatchObject({ value: true, reason: "STALE", revision: 7 });
    server.streamTrouble = undefined;
    server.pollTrouble = undefined;
    await time.advance(MINUTE_MS);
    expect(client.evaluate("flag", {}, false)).toMatchObject({ value: true, reason: "STATIC" });
  });

  it("rules of 30 days ago from a disk decide, and say STALE", async () => {
    const { time, server } = world();
    server.streamTrouble = { kind: "failure", failure: NETWORK };
    server.pollTrouble = server.streamTrouble;
    const { client } = fakeClient(server, { held: { snapshot: snapshotOf(5, { flag: plainFlag(true) }), from: "server" } });
    expect(client.evaluate("flag", {}, false)).toMatchObject({ value: true, reason: "STALE", revision: 5 });
    await time.advance(30 * 24 * 60 * MINUTE_MS);
    expect(client.evaluate("flag", {}, false)).toMatchObject({ value: true, reason: "STALE", revision: 5 });
  });

  it("offline is a choice and not stale", async () => {
    const { time, server } = world();
    const held = { snapshot: snapshotOf(5, { flag: plainFlag(true) }), from: "application" } as const;
    const { client } = fakeClient(server, { held, isOffline: true });
    await time.advance(10 * MINUTE_MS);
    expect(client.state).toBe("offline");
    expect(client.evaluate("flag", {}, false)).toMatchObject({ value: true, reason: "STATIC" });
    expect(server.starts).toHaveLength(0);
  });
});

describe("SPEC 10: a herd comes back spread", () => {
  it("fault 16: 1,000 clients of a restarted server: at most 100 new streams in any second, all within 60 s", () => {
    const dice = seeded(20);
    const waits = Array.from({ length: 1_000 }, () => {
      const hintMs = 1_000 + dice.fraction() * 9_000;
      const at: Moment = { nowMs: MINUTE_MS, random: dice.fraction, timings: SYNC_TIMINGS };
      const streaming: Sync = { ...connecting(), state: "streaming", streamingSinceMs: 0, hintMs };
      return waitOf(step(streaming, { on: "failed", failure: ENDED }, at).effects);
    });
    expect(Math.max(...waits)).toBeLessThanOrEqual(60_000);
    const seconds = new Map<number, number>();
    for (const waitMs of waits) seconds.set(Math.floor(waitMs / 1_000), (seconds.get(Math.floor(waitMs / 1_000)) ?? 0) + 1);
    expect(Math.max(...seconds.values())).toBeLessThanOrEqual(100);
  });
});

describe("SPEC 11: closed is closed", () => {
  it("no timer, no stream and no request is left", async () => {
    const { time, server } = world();
    const { client } = fakeClient(server);
    await time.advance(MINUTE_MS);
    const closing = client.close();
    await time.advance(5_000);
    await closing;
    expect(client.state).toBe("closed");
    expect(server.openStreams).toBe(0);
    // The server's own heartbeat is the one timer left in this world.
    expect(time.pending).toBe(1);
    expect(client.isEnabled("flag", {})).toBe(true);
  });
});

function connecting(): Sync {
  return { ...initialSync({ isOffline: false, revision: 7, isProvisional: false }), state: "connecting" };
}

function waitOf(effects: ReturnType<typeof step>["effects"]): number {
  const armed = effects.find((effect) => effect.do === "arm" && effect.timer === "wait");
  return armed?.do === "arm" ? armed.afterMs : Number.NaN;
}

function mostWithin(timesMs: readonly number[], windowMs: number): number {
  return Math.max(...timesMs.map((from) => timesMs.filter((at) => at >= from && at < from + windowMs).length));
}
