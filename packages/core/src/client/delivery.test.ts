import { seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import type { Client } from "./client.ts";
import { fakeClient } from "./fake-client.fixture.ts";
import { experimentFlag, FakeServer, FakeTime, snapshotOf } from "./fake-world.fixture.ts";

const FAILURE = { kind: "failure", failure: { kind: "network", detail: "reset" } } as const;

async function world(settings: Parameters<typeof fakeClient>[1] = {}) {
  const time = new FakeTime();
  const server = new FakeServer(time, snapshotOf(7, { pricing: experimentFlag() }));
  const { client, said } = fakeClient(server, settings, seeded(3).fraction);
  await time.advance(100);
  return { time, server, client, said };
}

function expose(client: Client, from: number, to: number): void {
  for (let n = from; n < to; n += 1) client.value("pricing", { targetingKey: `user-${n}` }, "none");
}

describe("when a batch leaves", () => {
  it("one second after its first event, or at once when there are 100", async () => {
    const { time, server, client } = await world();
    expose(client, 0, 5);
    await time.advance(990);
    expect(server.batches).toHaveLength(0);
    await time.advance(20);
    expect(server.batches.map((batch) => batch.exposures?.length)).toEqual([5]);
    expose(client, 5, 105);
    await time.advance(10);
    expect(server.batches.map((batch) => batch.exposures?.length)).toEqual([5, 100]);
  });

  it("one at a time, in order, up to 500 events each when a backlog has grown", async () => {
    const { time, server, client } = await world();
    server.postTrouble = FAILURE;
    expose(client, 0, 1_200);
    await time.advance(60_000);
    server.postTrouble = undefined;
    await time.advance(60_000);
    expect(server.batches.map((batch) => batch.exposures?.length)).toEqual([100, 500, 500, 100]);
    const seqs = server.batches.flatMap((batch) => batch.exposures?.map((exposure) => exposure.seq) ?? []);
    expect(seqs).toEqual(Array.from({ length: 1_200 }, (_, n) => n + 1));
  });

  it("counts are told once a minute, by flag and variant", async () => {
    const { time, server, client } = await world();
    for (let turn = 0; turn < 250; turn += 1) client.value("pricing", { targetingKey: "user-1" }, "none");
    client.isEnabled("nothing", {});
    await time.advance(61_000);
    const counts = server.batches.flatMap((batch) => batch.counts ?? []);
    expect(counts.filter((count) => count.flag === "pricing").map((count) => count.count)).toEqual([250]);
    expect(counts.find((count) => count.flag === "nothing")).toEqual({ flag: "nothing", count: 1 });
  });
});

describe("fault 28: a lost acknowledgement", () => {
  it("sends the same events with the same numbers again, and only the sending time is new", async () => {
    const { time, server, client } = await world();
    server.postTrouble = { kind: "answerLost" };
    expose(client, 0, 50);
    await time.advance(4_000);
    server.postTrouble = undefined;
    await time.advance(30_000);
    expect(server.batches.length).toBeGreaterThanOrEqual(2);
    const [first, ...again] = server.batches.map(({ sentAtMs, ...batch }) => batch);
    for (const batch of again) expect(batch).toEqual(first);
    const times = server.batches.map((batch) => batch.sentAtMs);
    expect(new Set(times).size).toBe(times.length);
    expect(server.stored.size).toBe(50);
    expect(client.report()).toEqual({ produced: 50, stored: 50, dropped: 0, queued: 0, rejected: 0 });
  });
});

describe("fault 29: ten minutes without ingestion at 2,000 events a second", () => {
  it("keeps 10,000, counts every other one as dropped, and stored + dropped + queued = produced", async () => {
    const { time, server, client } = await world();
    server.postTrouble = FAILURE;
    for (let second = 0; second < 600; second += 1) {
      expose(client, 2_000 * second, 2_000 * (second + 1));
      await time.advance(1_000);
    }
    expect(client.report()).toEqual({ produced: 1_200_000, stored: 0, dropped: 1_190_000, queued: 10_000, rejected: 0 });
    server.postTrouble = undefined;
    await time.advance(60_000);
    expect(client.report()).toEqual({ produced: 1_200_000, stored: 10_000, dropped: 1_190_000, queued: 0, rejected: 0 });
    expect(server.stored.size).toBe(10_000);
    const arms = server.batches.flatMap((batch) => batch.ledger ?? []);
    const last = new Map(arms.map((arm) => [arm.variant, arm]));
    expect([...last.values()].reduce((sum, arm) => sum + arm.produced, 0)).toBe(1_200_000);
    expect([...last.values()].reduce((sum, arm) => sum + arm.dropped, 0)).toBe(1_190_000);
  });
});

describe("fault 31: events added while a flush is under way", () => {
  it("100,000 of them, in seeded interleavings with failures and lost answers: none lost, none stored twice", async () => {
    const { time, server, client } = await world();
    const dice = seeded(31);
    let made = 0;
    while (made < 100_000) {
      const more = 1 + dice.below(400);
      expose(client, made, made + more);
      made += more;
      server.latencyMs = () => dice.below(40);
      server.postTrouble = dice.pick([undefined, undefined, undefined, FAILURE, { kind: "answerLost" }]);
      if (dice.below(10) === 0) void client.flush({ timeoutMs: dice.below(100) });
      await time.advance(dice.below(30) + (client.report().queued > 5_000 ? 20_000 : 0));
      if (client.report().queued > 5_000) server.postTrouble = undefined;
    }
    server.postTrouble = undefined;
    await time.advance(120_000);
    expect(client.report()).toEqual({ produced: made, stored: made, dropped: 0, queued: 0, rejected: 0 });
    expect(server.stored.size).toBe(made);
    expect(new Set([...server.stored.values()].map((event) => event.unit)).size).toBe(made);
  });
});

describe("fault 33: a batch that is too large", () => {
  it("is halved until it fits; a single event that does not is dropped and counted", async () => {
    const { time, server, client, said } = await world();
    const platform = server.platform();
    const sizes: number[] = [];
    const { client: picky } = fakeClient(
      Object.assign(Object.create(server) as FakeServer, {
        platform: () => ({
          ...platform,
          transport: {
            ...platform.transport,
            post: (door: "events" | "receipt", body: string, done: Parameters<typeof platform.transport.post>[2]) => {
              if (door === "receipt") return platform.transport.post(door, body, done);
              sizes.push(body.length);
              // About a hundred events fit, and one event never does.
              if (body.length <= 20_000 && !body.includes('"user-66"')) return platform.transport.post(door, body, done);
              return time.set(() => done({ kind: "answered", status: 413, text: "" }), 1);
            },
          },
        }),
      }),
    );
    await time.advance(100);
    expose(picky, 0, 500);
    await time.advance(120_000);
    expect(picky.report()).toEqual({ produced: 500, stored: 499, dropped: 1, queued: 0, rejected: 0 });
    expect(server.stored.size).toBe(499);
    expect(sizes.length).toBeLessThanOrEqual(60);
    expect(client.report().produced).toBe(0);
    expect(said).toEqual([]);
  });
});

describe("answers that are no receipts", () => {
  it("a batch that is refused for good is given up after three times, counted, and does not block those behind it", async () => {
    const { time, server, client } = await world();
    server.postTrouble = { kind: "status", status: 422 };
    expose(client, 0, 100);
    await time.advance(30_000);
    expect(client.report()).toEqual({ produced: 100, stored: 0, dropped: 100, queued: 0, rejected: 0 });
    server.postTrouble = undefined;
    expose(client, 100, 200);
    await time.advance(2_000);
    expect(client.report()).toEqual({ produced: 200, stored: 100, dropped: 100, queued: 0, rejected: 0 });
  });

  it("503 with Retry-After is obeyed", async () => {
    const { time, server, client } = await world();
    server.postTrouble = { kind: "status", status: 503, retryAfterMs: 20_000 };
    expose(client, 0, 100);
    await time.advance(10);
    server.postTrouble = undefined;
    await time.advance(19_900);
    expect(client.report().stored).toBe(0);
    await time.advance(2_200);
    expect(client.report().stored).toBe(100);
  });
});

describe("fault 27: close", () => {
  it("is final: what is recorded afterwards is dropped, counted and never sent", async () => {
    const { time, server, client, said } = await world();
    expose(client, 0, 10);
    const closing = client.close();
    await time.advance(100);
    await closing;
    expose(client, 10, 30);
    client.track("late", { targetingKey: "user-1" });
    await time.advance(120_000);
    expect(client.report()).toEqual({ produced: 31, stored: 10, dropped: 21, queued: 0, rejected: 0 });
    expect(server.stored.size).toBe(10);
    expect(said).toEqual(["belay: events are being dropped: closed"]);
  });

  it("stores 250 of 250", async () => {
    const { time, server, client } = await world();
    expose(client, 0, 250);
    const closing = client.close();
    await time.advance(100);
    expect(await closing).toEqual({ produced: 250, stored: 250, dropped: 0, queued: 0, rejected: 0 });
    expect(server.stored.size).toBe(250);
  });

  it.each([
    ["refuses", FAILURE],
    ["hangs", { kind: "hangs" }],
    ["is overloaded", { kind: "status", status: 503, retryAfterMs: 60_000 }],
  ] as const)("ends within its deadline when the server %s, and reports what was left", async (_name, trouble) => {
    const { time, server, client, said } = await world();
    server.postTrouble = trouble;
    expose(client, 0, 250);
    const closing = client.close({ deadlineMs: 4_000 });
    await time.advance(4_000);
    expect(await closing).toEqual({ produced: 250, stored: 0, dropped: 250, queued: 0, rejected: 0 });
    expect(said.at(-1)).toBe("belay: closed with 250 of 250 events dropped; 0 are stored");
  });
});
