import type { ExperimentResults } from "@belay/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { E, P } from "../app.fixture.ts";
import { DRAFT, layGround, track } from "../experiments/experiments.fixture.ts";
import { NOON, type RecordingServer, recordingServer } from "../record-doors.fixture.ts";

/*
 * Every kind of metric through the API, on forty units an arm whose numbers can be had with a pencil. Each unit was exposed at a minute of
 * its own, and what it did is told from there: the windows are the unit's, not the experiment's.
 *
 *   visit       an hour after (value 100 + i; 200 + i in `short`), 30 hours after (every fourth; every second), 60 hours after (three; five)
 *   purchase    a millisecond before 48 hours (eight of 10 and 12; twelve of 11 and 13), at 48 hours (twenty of 1,000)
 *   purchase    an hour before the exposure (every tenth, of 7): it never counts
 */

const HOUR_MS = 3_600_000;
const UNITS = 40;
const DAY_2 = { toHours: 48 };

const METRICS: Readonly<Record<string, { measure: object; window?: object }>> = {
  bought: { measure: { kind: "proportion", events: { name: "purchase" } }, window: DAY_2 },
  visits: { measure: { kind: "count", events: { name: "visit" } }, window: DAY_2 },
  spent: { measure: { kind: "sum", events: { name: "purchase" } }, window: DAY_2 },
  spent_capped: { measure: { kind: "sum", events: { name: "purchase" }, cap: { at: 11 } }, window: DAY_2 },
  basket: { measure: { kind: "mean", events: { name: "purchase" } }, window: DAY_2 },
  a_visit: {
    measure: {
      kind: "ratio",
      numerator: { of: "values", events: { name: "purchase" } },
      denominator: { of: "events", events: { name: "visit" } },
    },
    window: DAY_2,
  },
  slow: { measure: { kind: "quantile", events: { name: "visit" }, quantile: 0.5 }, window: { toHours: 24 } },
  day_2: { measure: { kind: "retention", events: { name: "visit" } }, window: { fromHours: 24, toHours: 48 } },
  came_back: { measure: { kind: "funnel", steps: ["visit", "purchase", "visit"].map((name) => ({ name })) } },
};

let server: RecordingServer;
let results: ExperimentResults;
beforeAll(async () => {
  server = await recordingServer();
  const { ask } = server;
  await layGround(server);
  for (const [key, metric] of Object.entries(METRICS)) {
    expect((await ask("POST", `${P}/metrics`, { key, good: "increase", unseen: true, ...metric })).status).toBe(201);
  }
  await track(server);
  await ask("POST", `${P}/experiments`, { ...DRAFT, metrics: { ...DRAFT.metrics, secondary: Object.keys(METRICS) } });
  expect((await ask("POST", `${P}/experiments/checkout-test/start`, {})).status).toBe(200);
  await happen();
  server.clock.now = NOON + 5 * 24 * HOUR_MS;
  results = (await ask("GET", `${P}/experiments/checkout-test/results`)).body;
});
afterAll(() => server.close());

async function happen(): Promise<void> {
  const epoch: number = (await server.ask("GET", `${E}/flags/checkout`)).body.targeting.fallthrough.split[0].tracks.epoch;
  const units = (["long", "short"] as const).flatMap((variant) =>
    Array.from({ length: UNITS }, (_, i) => ({ variant, i, unit: `${variant}-${i}`, timeMs: NOON + i * 60_000 })),
  );
  const did = (name: string, afterMs: number, value: number, { unit, timeMs }: { unit: string; timeMs: number }): object => ({
    timeMs: timeMs + afterMs,
    name,
    unit,
    value,
  });
  await server.receive({
    exposures: units.map(({ unit, timeMs, variant }) => ({
      ...{ timeMs, unit, variant, flag: "checkout", experiment: "checkout-test", epoch, revision: epoch },
    })),
    metrics: units.flatMap((one) => {
      const { i } = one;
      const isShort = one.variant === "short";
      return [
        did("visit", HOUR_MS, (isShort ? 200 : 100) + i, one),
        ...(i % (isShort ? 2 : 4) === 0 ? [did("visit", 30 * HOUR_MS, 500, one)] : []),
        ...(i < (isShort ? 5 : 3) ? [did("visit", 60 * HOUR_MS, 500, one)] : []),
        ...(i < (isShort ? 12 : 8) ? [did("purchase", 48 * HOUR_MS - 1, (isShort ? 11 : 10) + 2 * (i % 2), one)] : []),
        ...(i < 20 ? [did("purchase", 48 * HOUR_MS, 1_000, one)] : []),
        ...(i % 10 === 0 ? [did("purchase", -HOUR_MS, 7, one)] : []),
      ];
    }) as never,
  });
  expect(await server.events.settle(60_000)).toBe(0);
}

const found = (key: string): ExperimentResults["metrics"][number] | undefined =>
  results.metrics.find(({ metric }) => metric === key);
const armsOf = (key: string): (number | string)[] | undefined =>
  found(key)?.arms.map(({ value }) => (value.status === "ok" ? value.value : value.reason));

test.each([
  ["bought", 8 / 40, 12 / 40],
  ["visits", 50 / 40, 60 / 40],
  ["spent", (4 * 10 + 4 * 12) / 40, (6 * 11 + 6 * 13) / 40],
  ["spent_capped", (4 * 10 + 4 * 11) / 40, (12 * 11) / 40],
  ["basket", 11, 12],
  ["a_visit", 88 / 50, 144 / 60],
  ["day_2", 10 / 40, 20 / 40],
  ["came_back", 3 / 40, 5 / 40],
])("%s is %d in control and %d in treatment, and their difference the effect", (key, control, treatment) => {
  const [long, short] = armsOf(key) ?? [];
  expect(long).toBeCloseTo(control, 10);
  expect(short).toBeCloseTo(treatment, 10);
  expect(found(key)?.comparisons[0]?.absolute).toMatchObject({ status: "ok", value: expect.closeTo(treatment - control, 10) });
});

test("a quantile is read off classes a percent wide", () => {
  const [long, short] = armsOf("slow") ?? [];
  // The middle one of 100 to 139, and of 200 to 239.
  expect(Math.abs(Number(long) / 119.5 - 1)).toBeLessThan(0.015);
  expect(Math.abs(Number(short) / 219.5 - 1)).toBeLessThan(0.015);
});

test("errors of the effects are those of their tests, by hand", () => {
  const errorOf = (key: string): number | undefined => {
    const absolute = found(key)?.comparisons[0]?.absolute;
    return absolute?.status === "ok" ? absolute.standardError : undefined;
  };
  // The score test pools the shares; Welch's has each arm's own variance, n - 1 below.
  expect(errorOf("day_2")).toBeCloseTo(Math.sqrt(0.375 * 0.625 * (2 / 40)), 12);
  expect(errorOf("visits")).toBeCloseTo(Math.sqrt((0.25 * 0.75 + 0.5 * 0.5) / 39), 12);
  // A ratio's unit is the unit: value less 11 (12) for each of its purchases, over purchases a unit.
  expect(errorOf("basket")).toBeCloseTo(Math.sqrt(8 / 39 / 40 / 0.2 ** 2 + 12 / 39 / 40 / 0.3 ** 2), 12);
});
