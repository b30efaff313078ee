import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import type { Decision } from "../control/decision.ts";
import { type RecordingServer, recordingServer } from "../record-doors.fixture.ts";
import type { Workspace } from "../state/workspace.ts";
import { advanceByPerson, makeReady, start } from "./climb.ts";
import type { ReleasePlace } from "./document.ts";
import { createRelease } from "./drafts.ts";
import { pointOf } from "./placement.ts";
import { ERRORS, factsOf } from "./release.fixture.ts";
import { placeIn } from "./service.ts";

const DAY_MS = 86_400_000;

let server: RecordingServer;
let ask: RecordingServer["ask"];
beforeEach(async () => {
  server = await recordingServer();
  ({ ask } = server);
  const bought = { kind: "proportion", events: { name: "buy" } };
  const answer = await ask("POST", `${P}/metrics`, { key: "bought", measure: bought, good: "increase", unseen: true });
  expect(answer.status).toBe(201);
});
afterEach(() => server.close());

const change = (key: string, decide: (place: ReleasePlace, now: number) => Decision<unknown>): Promise<unknown> =>
  server.control.execute({
    origin: { actor: { id: "ann", name: "Ann" }, requestId: "r" },
    decide: (workspace: Workspace, now) =>
      decide(placeIn(workspace, { project: "default", environment: "production", key }), now),
  });

/** A release of a flag of its own, started at its first stage. */
async function started(key: string, percentages: readonly number[], holdoutPercentage = 0): Promise<void> {
  await ask("POST", `${P}/flags`, { key });
  const stages = percentages.map((percentage) => ({
    name: `${percentage} %`,
    percentage,
    hold: { minDurationS: 60 },
    gates: [],
  }));
  const draft = { key, flag: key, stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"], holdoutPercentage };
  await change(key, (place, now) => createRelease(place, draft, { author: "ann", createdAt: new Date(now).toISOString() }));
  await change(key, (place) => makeReady(place));
  await change(key, (place, now) => start(place, new Date(now).toISOString()));
}

const advance = (key: string, stage: number): Promise<unknown> =>
  change(key, (place, now) => advanceByPerson(place, factsOf(stage, now), { now, override: true }));
const saltOf = async (flag: string): Promise<string> => (await ask("GET", `${P}/flags/${flag}`)).body.spaces.share.salt;

describe("a finished release, measured against the units it kept out", () => {
  it("shows its effect week by week, to the unit, and how fast it wears off", async () => {
    await started("checkout", [1, 100], 10);
    await advance("checkout", 0);
    const salt = await saltOf("checkout");
    const begin = server.clock.now;
    const units = Array.from({ length: 3_000 }, (_, at) => `u${at}`);
    const [rest, heldOut] = [true, false].map((isTreated) => units.filter((unit) => pointOf(salt, unit) < 900_000 === isTreated));
    if (rest === undefined || heldOut === undefined) throw new Error("two sides");
    // A fifth of those kept out buys; of the others in the first week three fifths, and each week half of that surplus goes.
    const buyersOf = (side: readonly string[], week: number): number =>
      Math.round(side.length * (0.2 + (side === rest ? 0.4 * 0.5 ** week : 0)));
    for (let week = 0; week < 4; week += 1) {
      const timeMs = begin + (7 * week + 1) * DAY_MS;
      const did = (side: readonly string[]) =>
        side.flatMap((unit, at) => [
          { timeMs, unit, name: "visit" },
          ...(at < buyersOf(side, week) ? [{ timeMs: timeMs + 60_000, unit, name: "buy" }] : []),
        ]);
      await server.receive({ metrics: [...did(rest), ...did(heldOut)], atMs: timeMs + 120_000 });
    }
    server.clock.now = begin + 28 * DAY_MS;
    await server.events.settle();
    const { status, body } = await ask("GET", `${E}/releases/checkout/holdout?metric=bought`);
    expect([status, body.percentage, body.periods.length]).toEqual([200, 10, 4]);
    for (const [week, period] of body.periods.entries()) {
      expect([period.heldOut, period.rest]).toEqual([heldOut.length, rest.length]);
      expect(period.from).toBe(new Date(begin + 7 * week * DAY_MS).toISOString());
      const expected = buyersOf(rest, week) / rest.length - buyersOf(heldOut, week) / heldOut.length;
      expect(period.absolute.value).toBeCloseTo(expected, 12);
    }
    expect(body.decay.halfLifeDays).toBeCloseTo(7, 0);
    expect(body.decay.interval.low).toBeLessThan(Math.LN2 / 7);
    expect(body.decay.interval.high).toBeGreaterThan(Math.LN2 / 7);
    expect(body.decay.pValue).toBeLessThan(0.001);
  }, 60_000);

  it("is refused while not everybody else has it, and where nobody is kept out", async () => {
    await started("checkout", [1, 100], 10);
    const holdout = async (key: string): Promise<unknown> => {
      const { status, body } = await ask("GET", `${E}/releases/${key}/holdout?metric=bought`);
      return [status, body.code];
    };
    expect(await holdout("checkout")).toEqual([409, "release_state"]);
    await started("whole", [1, 100]);
    await advance("whole", 0);
    expect(await holdout("whole")).toEqual([422, "invalid_field"]);
    await advance("checkout", 0);
    const { body } = await ask("GET", `${E}/releases/checkout/holdout?metric=bought`);
    expect([body.periods, body.whole.absolute.status, body.decay]).toEqual([
      [],
      "insufficient",
      { status: "insufficient", reason: "too-few-strata" },
    ]);
    expect((await ask("GET", `${E}/releases/checkout/holdout?metric=none`)).body.code).toBe("metric_not_found");
  });
});

describe("finished releases of a tag", () => {
  it("are each measured against the units they kept out, with what they add up to", async () => {
    for (const [key, tags, keptOut] of [
      ["cart", ["payments"], 10],
      ["card", ["payments", "web"], 20],
      ["menu", ["web"], 10],
    ] as const) {
      await started(key, [1, 100], keptOut);
      await ask("PATCH", `${P}/flags/${key}`, { tags });
      await advance(key, 0);
      server.clock.now += 1_000;
    }
    await started("climbs", [1, 100], 10);
    await ask("PATCH", `${P}/flags/climbs`, { tags: ["payments"] });
    const timeMs = server.clock.now + DAY_MS;
    const units = Array.from({ length: 2_000 }, (_, at) => `u${at}`);
    const buyers = new Set(units.filter((_, at) => at % 3 === 0));
    const visits = units.map((unit) => ({ timeMs, unit, name: "visit" }));
    const buys = [...buyers].map((unit) => ({ timeMs: timeMs + 1_000, unit, name: "buy" }));
    await server.receive({ metrics: [...visits, ...buys], atMs: timeMs + 2_000 });
    server.clock.now = timeMs + DAY_MS;
    await server.events.settle();

    /** The share of buyers among those who have it, less that among those kept out: counted by hand. */
    const effectOf = async (key: string, ppm: number): Promise<number> => {
      const salt = await saltOf(key);
      const shareOf = (side: readonly string[]): number => side.filter((unit) => buyers.has(unit)).length / side.length;
      const isKeptOut = (unit: string): boolean => pointOf(salt, unit) >= ppm;
      return shareOf(units.filter((unit) => !isKeptOut(unit))) - shareOf(units.filter(isKeptOut));
    };
    const [cart, card, menu] = [
      await effectOf("cart", 900_000),
      await effectOf("card", 800_000),
      await effectOf("menu", 900_000),
    ];
    const { status, body } = await ask("GET", `${E}/kept-out?metric=bought&tag=payments`);
    expect([status, body.tag, body.more, body.releases.map(({ release }: { release: string }) => release)]).toEqual([
      200,
      "payments",
      0,
      ["card", "cart"],
    ]);
    const effects = body.releases.map(({ whole }: { whole: { absolute: { value: number } } }) => whole.absolute.value);
    expect(effects).toEqual([expect.closeTo(card, 12), expect.closeTo(cart, 12)]);
    expect(body.releases.map(({ percentage }: { percentage: number }) => percentage)).toEqual([20, 10]);
    const errors = body.releases.map(
      ({ whole }: { whole: { absolute: { standardError: number } } }) => whole.absolute.standardError,
    );
    expect(body.together).toEqual({
      releases: 2,
      value: expect.closeTo(card + cart, 12),
      standardError: expect.closeTo(Math.hypot(...errors), 12),
    });
    const { body: all } = await ask("GET", `${E}/kept-out?metric=bought&limit=1`);
    expect([all.releases.map(({ flag }: { flag: string }) => flag), all.more]).toEqual([["menu"], 2]);
    expect(all.together.value).toBeCloseTo(menu, 12);
    expect((await ask("GET", `${E}/kept-out?metric=bought&tag=none`)).body).toMatchObject({
      releases: [],
      together: { releases: 0, value: 0, standardError: 0 },
    });
    expect((await ask("GET", `${E}/kept-out?metric=none`)).body.code).toBe("metric_not_found");
  }, 60_000);
});

describe("interference of a release", () => {
  it("is forecast stage by stage from where the ranges of others lie", async () => {
    await started("other", [10, 100]);
    await started("checkout", [1, 50, 100]);
    await started("mine-too", [5, 100]);
    await change("mine-too", (place, now) => advanceByPerson(place, factsOf(0, now), { now, override: true }));
    const { body } = await ask("GET", `${E}/releases/checkout/interference`);
    const stages = body.forecast.map(
      ({ key, stages: all }: { key: string; stages: { percentage: number; ofThis: number }[] }) => [
        key,
        ...all.map(({ percentage, ofThis }) => [percentage, ofThis].map((each) => Number(each.toFixed(6)))),
      ],
    );
    // 1 % treats one and compares one; 10 % ten and ten; 50 % and 100 % everybody.
    expect(stages).toEqual([
      ["mine-too", [2, 100], [100, 100], [100, 100]],
      ["other", [0.4, 20], [20, 20], [20, 20]],
    ]);
    expect(body.screen).toBeUndefined();
  });

  it("is found where two releases change each other's effect, by the units in both", async () => {
    await started("other", [50, 100]);
    await started("checkout", [50, 100]);
    const timeMs = server.clock.now;
    const per = 1_200;
    const exposures = [];
    const metrics = [];
    // Both new versions together sell twice as much as any one alone.
    for (const [mine, theirs, buyers] of [
      ["off", "off", 240],
      ["off", "on", 240],
      ["on", "off", 240],
      ["on", "on", 480],
    ] as const) {
      for (let at = 0; at < per; at += 1) {
        const unit = `${mine}-${theirs}-${at}`;
        for (const [release, variant] of [
          ["checkout", mine],
          ["other", theirs],
        ] as const) {
          exposures.push({ timeMs, unit, flag: release, variant, release, epoch: 1, revision: 1 });
        }
        if (at < buyers) metrics.push({ timeMs: timeMs + 1_000, unit, name: "buy" });
      }
    }
    await server.receive({ exposures, metrics });
    await server.events.settle();
    const { status, body } = await ask("GET", `${E}/releases/checkout/interference?metric=bought`);
    expect([status, body.screen.pairs.length]).toEqual([200, 1]);
    const [pair] = body.screen.pairs;
    expect([pair.kind, pair.key, pair.treatment, pair.units]).toEqual(["release", "other", "on", 4 * per]);
    expect(pair.effect.value).toBeCloseTo(0.2, 12);
    expect(pair.adjustedP).toBeLessThan(1e-6);
    expect(pair.smallestDetectable).toBeGreaterThan(0);
  }, 60_000);
});
