import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type ChangeLog, openChangeLog } from "./index.ts";
import { LeasedRounds, type LeasedRoundsOptions } from "./leased-rounds.ts";

const START = Date.parse("2026-11-23T10:00:00Z");

let log: ChangeLog;
let faults: unknown[];
const made: LeasedRounds[] = [];
beforeEach(async () => {
  vi.useFakeTimers({ now: START, toFake: ["setInterval", "clearInterval", "Date"] });
  log = await openChangeLog(":memory:");
  faults = [];
});
afterEach(async () => {
  for (const rounds of made.splice(0)) await rounds.close();
  await log.close();
  vi.useRealTimers();
});

/** Rounds every second under a lease of five; `begun` says when, in seconds from the start. */
const roundsOf = (holder: string, options: Partial<LeasedRoundsOptions> = {}): { rounds: LeasedRounds; begun: number[] } => {
  const begun: number[] = [];
  const { work = async () => undefined } = options;
  const rounds = new LeasedRounds({
    ...{ log, holder, lease: "work", leaseMs: 5_000, now: Date.now, everyMs: 1_000 },
    onFault: (error) => void faults.push(error),
    ...options,
    work: (at) => {
      begun.push((at - START) / 1_000);
      return work(at);
    },
  });
  made.push(rounds);
  return { rounds, begun };
};

/** Work that goes on until it is let go; `most` is how much of it ever went on at once. */
const heldWork = (): { work: () => Promise<void>; letGo: () => void; most: () => number } => {
  const waiting: (() => void)[] = [];
  let most = 0;
  return {
    work: () =>
      new Promise((resolve) => {
        waiting.push(resolve);
        most = Math.max(most, waiting.length);
      }),
    letGo: () => waiting.shift()?.(),
    most: () => most,
  };
};

const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

it("makes a round at each time, and one in between where it is asked", async () => {
  const { rounds, begun } = roundsOf("here");
  await pass(2_500);
  await rounds.round();
  await pass(500);
  expect([begun, faults]).toEqual([[1, 2, 2.5, 3], []]);
});

it("makes one round at a time, which all share who ask for it meanwhile", async () => {
  const held = heldWork();
  const { rounds, begun } = roundsOf("here", { work: held.work });
  const asked = [rounds.round(), rounds.round()];
  await pass(3_000);
  expect([begun, held.most()]).toEqual([[0], 1]);
  held.letGo();
  await Promise.all(asked);
  await pass(1_000);
  expect([begun, held.most()]).toEqual([[0, 4], 1]);
  held.letGo();
});

it("makes one more round for all who ask for the next one", async () => {
  const held = heldWork();
  const { rounds, begun } = roundsOf("here", { work: held.work });
  const running = rounds.round();
  const next = [rounds.next(), rounds.next()];
  await pass(500);
  expect(begun).toEqual([0]);
  held.letGo();
  await running;
  await pass(0);
  expect([begun, held.most()]).toEqual([[0, 0.5], 1]);
  held.letGo();
  await Promise.all(next);
  expect(begun).toEqual([0, 0.5]);
});

it("makes the next round at once where none runs", async () => {
  const { rounds, begun } = roundsOf("here");
  await rounds.next();
  await rounds.next();
  expect(begun).toEqual([0, 0]);
});

it("tells of a round that failed, and makes the next one", async () => {
  const fault = new Error("no luck");
  const { begun } = roundsOf("here", {
    work: async () => {
      if (Date.now() === START + 1_000) throw fault;
    },
  });
  await pass(2_000);
  expect([begun, faults]).toEqual([[1, 2], [fault]]);
});

it("tells of a log that is away, and works once it is back", async () => {
  const away = new Error("away");
  const { begun } = roundsOf("here", {
    log: {
      takeLease: (...lease) => (Date.now() < START + 3_000 ? Promise.reject(away) : log.takeLease(...lease)),
      releaseLease: () => Promise.reject(away),
    },
  });
  await pass(3_000);
  expect([begun, faults]).toEqual([[3], [away, away]]);
});

it("closes when the round that runs is over, and begins none after", async () => {
  const held = heldWork();
  const { rounds, begun } = roundsOf("here", { work: held.work });
  const running = rounds.round();
  const next = rounds.next();
  let isOver = false;
  const closed = rounds.close().then(() => {
    isOver = true;
  });
  await pass(3_000);
  expect([isOver, rounds.isClosed]).toEqual([false, true]);
  held.letGo();
  await Promise.all([running, next, closed, rounds.round(), rounds.next()]);
  await pass(3_000);
  expect([begun, isOver]).toEqual([[0], true]);
});

it("works where the lease is held alone: the next holder follows when it is given back, or over", async () => {
  const first = roundsOf("first");
  const second = roundsOf("second");
  await pass(3_000);
  expect([first.begun, second.begun]).toEqual([[1, 2, 3], []]);
  await first.rounds.close();
  await pass(1_000);
  expect([first.begun, second.begun]).toEqual([[1, 2, 3], [4]]);
  await second.rounds.close();

  // One that died gives nothing back.
  await log.takeLease("work", "dead", { now: START + 4_000, until: START + 9_000 });
  const third = roundsOf("third");
  await pass(6_000);
  expect([third.begun, faults]).toEqual([[9, 10], []]);
});

it("leaves the log alone while nothing is due", async () => {
  const { begun } = roundsOf("here", { isDue: () => Date.now() >= START + 3_000 });
  const other = roundsOf("other", { everyMs: 1_500 });
  await pass(1_500);
  await other.rounds.close();
  await pass(2_500);
  expect([begun, other.begun]).toEqual([[3, 4], [1.5]]);
});
