/*
 * Days of a client's life from one seed: the real client against a simulated server whose network and mind are spoiled
 * at random. What must hold is checked after every step and not only at the end. A failing seed is in the test's name.
 */
import { type Dice, seeded } from "@belay/testkit";
import { describe, expect, it } from "vitest";
import type { Client } from "./client.ts";
import { fakeClient } from "./fake-client.fixture.ts";
import { experimentFlag, FakeServer, FakeTime, plainFlag, snapshotOf, type Trouble } from "./fake-world.fixture.ts";
import { failureOfStatus } from "./payload.ts";

const SEEDS = Array.from({ length: Number(process.env["BELAY_SIM_SEEDS"] ?? 15) }, (_, at) => at + 1);
const STEPS = 300;

const NETWORK: Trouble = { kind: "failure", failure: { kind: "network", detail: "reset" } };
const UNUSABLE: Trouble = { kind: "failure", failure: { kind: "unusable", detail: "no JSON" } };
const ENDS: Trouble = { kind: "ends" };
const HANGS: Trouble = { kind: "hangs" };
const ANSWER_LOST: Trouble = { kind: "answerLost" };

interface World {
  readonly dice: Dice;
  readonly time: FakeTime;
  readonly server: FakeServer;
  readonly client: Client;
  /** Units that were given a variant of the experiment at least once. */
  readonly exposed: Set<string>;
  /** Revisions the client went through. */
  readonly revisions: number[];
}

const refusal = (dice: Dice): Trouble => ({
  kind: "failure",
  failure: failureOfStatus(dice.pick([401, 403, 404, 429, 500, 503]), dice.pick([undefined, "1", "40"]), 0),
});

/** What may happen between two moments. */
const HAPPENINGS: readonly ((world: World) => void)[] = [
  ({ server, dice }) => void server.commit(flagsOf(dice)),
  ({ server, dice }) => void server.commit(flagsOf(dice), { isTold: false }),
  ({ server, dice }) => {
    const change = server.commit(flagsOf(dice), { isTold: false });
    const next = server.commit(flagsOf(dice), { isTold: false });
    for (const late of dice.shuffled([change, next, change])) server.tell(late);
  },
  ({ server }) => server.endStreams(),
  ({ server }) => server.endStreams({ kind: "unusable", detail: "no JSON" }),
  ({ server }) => server.silenceStreams(),
  ({ server, dice }) => {
    server.streamTrouble = dice.pick([NETWORK, ENDS, HANGS, UNUSABLE, refusal(dice), undefined]);
  },
  ({ server, dice }) => {
    server.pollTrouble = dice.pick([NETWORK, HANGS, UNUSABLE, refusal(dice), undefined]);
  },
  ({ server, dice }) => {
    const status: Trouble = { kind: "status", status: dice.pick([413, 429, 500, 503]), retryAfterMs: dice.pick([500, 5_000]) };
    // 413 for ever would drop everything one by one, as it must; it has its own test.
    server.postTrouble = dice.pick([NETWORK, HANGS, ANSWER_LOST, status.status === 413 ? undefined : status, undefined]);
  },
  ({ server }) => heal(server),
  ({ server, dice }) => {
    server.hintMs = dice.pick([undefined, 1_000, 9_000]);
  },
  ({ client, dice, exposed }) => {
    for (let turn = 0; turn < 40; turn += 1) {
      const unit = `user-${dice.below(2_000)}`;
      if (client.evaluate("pricing", { targetingKey: unit }, "none").variant !== undefined) exposed.add(unit);
    }
  },
];

function flagsOf(dice: Dice) {
  return { plain: plainFlag(dice.fraction() < 0.5), pricing: experimentFlag("exp", 1) };
}

function heal(server: FakeServer): void {
  server.streamTrouble = undefined;
  server.pollTrouble = undefined;
  server.postTrouble = undefined;
}

describe("whatever the network and the server do", () => {
  it.each(SEEDS)("seed %i: no revision is lowered, no content is mixed up, no event is lost or counted twice", async (seed) => {
    const world = worldOf(seed);
    for (let turn = 0; turn < STEPS; turn += 1) {
      world.dice.pick(HAPPENINGS)(world);
      check(world);
      await world.time.advance(world.dice.pick([0, 3, 200, 2_000, 20_000, 90_000]));
      check(world);
    }
    heal(world.server);
    // The longest wait of all is five minutes; a request that hung before costs half a minute more.
    await world.time.advance(6 * 60_000);
    expect(world.client.state).toBe("live");
    expect(world.client.revision).toBe(world.server.snapshot.revision);
    await checkDelivered(world);
    expect(
      mostWithin(
        world.server.starts.map((start) => start.atMs),
        60_000,
      ),
    ).toBeLessThanOrEqual(15);
  });
});

function worldOf(seed: number): World {
  const dice = seeded(seed);
  const time = new FakeTime();
  const server = new FakeServer(time, snapshotOf(1, flagsOf(dice)));
  server.latencyMs = () => dice.below(300);
  const revisions: number[] = [];
  const { client } = fakeClient(server, {}, dice.fraction);
  client.on("change", ({ revision }) => revisions.push(revision));
  return { dice, time, server, client, exposed: new Set(), revisions };
}

function check({ client, server, revisions }: World): void {
  for (let at = 1; at < revisions.length; at += 1) expect(revisions[at]).toBeGreaterThan(revisions[at - 1] as number);
  if (client.revision > 0) {
    const content = server.history.get(client.revision)?.flags["plain"];
    expect(client.isEnabled("plain", {})).toBe(
      content?.fallthrough !== undefined && "variant" in content.fallthrough && content.fallthrough.variant === "on",
    );
  }
  const { produced, stored, dropped, queued } = client.report();
  expect(stored + dropped + queued).toBe(produced);
  expect(dropped).toBe(0);
}

async function checkDelivered({ client, server, time, exposed }: World): Promise<void> {
  const closing = client.close();
  await time.advance(10_000);
  const report = await closing;
  expect(report).toEqual({ produced: exposed.size, stored: exposed.size, dropped: 0, queued: 0, rejected: 0 });
  const units = [...server.stored.values()].map((event) => event.unit);
  expect(units).toHaveLength(exposed.size);
  expect(new Set(units)).toEqual(exposed);
}

function mostWithin(timesMs: readonly number[], windowMs: number): number {
  return Math.max(0, ...timesMs.map((from) => timesMs.filter((at) => at >= from && at < from + windowMs).length));
}
