import type { ExperimentResults } from "@belay/protocol";
import { afterAll, beforeAll, expect, test } from "vitest";
import { E, P } from "../app.fixture.ts";
import { NOON, type RecordingServer, recordingServer } from "../record-doors.fixture.ts";

/*
 * The recorded experiment of the game Cookie Cats by its published counts: players of each arm, and how many of them came
 * back after one day and after seven. Every one of the 90,189 goes through the event door, and results are read off the API.
 */

const ARMS = [
  { variant: "gate_30", players: 44_700, after1: 20_034, after7: 8_502 },
  { variant: "gate_40", players: 45_489, after1: 20_119, after7: 8_279 },
] as const;

const HOUR_MS = 3_600_000;
const INSTALLED_MS = NOON - 20 * 24 * HOUR_MS;
const BATCH = 10_000;

let server: RecordingServer;
beforeAll(async () => {
  server = await recordingServer();
  const { ask } = server;
  await ask("POST", `${P}/flags`, { key: "gate", type: "number", variants: { gate_30: 30, gate_40: 40 } });
  await ask("PUT", `${E}/flags/gate`, {
    enabled: true,
    off: "gate_30",
    rules: [],
    fallthrough: { weights: { gate_30: 50, gate_40: 50 }, tracks: { experiment: "gate" } },
  });
  for (const day of [1, 7]) {
    const measure = { kind: "retention", events: { name: "session" } };
    const window = { fromHours: 24 * day, toHours: 24 * (day + 1) };
    await ask("POST", `${P}/metrics`, { key: `retention_${day}`, measure, window, good: "increase", unseen: true });
  }
  await ask("POST", `${P}/experiments`, {
    key: "gate",
    hypothesis: "A later gate keeps players",
    flag: "gate",
    environment: "production",
    control: "gate_30",
    treatments: ["gate_40"],
    metrics: { primary: ["retention_7"], guardrails: ["retention_1"] },
    alertRoute: "mailto:games@example.org",
  });
  const started = await ask("POST", `${P}/experiments/gate/start`, {});
  expect([started.status, started.body.code]).toEqual([200, undefined]);
  await playThrough(started.body.phases[0].epoch);
}, 300_000);
afterAll(() => server.close());

/** Everything as applications would send it. */
async function playThrough(epoch: number): Promise<void> {
  const players = ARMS.flatMap(({ variant, players: n, after1, after7 }) =>
    Array.from({ length: n }, (_, index) => ({
      variant,
      unit: `${variant}-${index}`,
      day1: index < after1,
      day7: index < after7,
    })),
  );
  const exposures = players.map(({ variant, unit }) => ({
    timeMs: INSTALLED_MS,
    flag: "gate",
    variant,
    experiment: "gate",
    epoch,
    revision: epoch,
    unit,
  }));
  const session = (unit: string, hours: number) => ({ timeMs: INSTALLED_MS + hours * HOUR_MS, name: "session", unit });
  const metrics = players.flatMap(({ unit, day1, day7 }) => [
    ...(day1 ? [session(unit, 30)] : []),
    ...(day7 ? [session(unit, 180)] : []),
  ]);
  let seq = 0;
  const send = async (list: "exposures" | "metrics", events: readonly object[]): Promise<void> => {
    for (let from = 0; from < events.length; from += BATCH) {
      const numbered = events.slice(from, from + BATCH).map((event, index) => ({ seq: seq + index + 1, ...event }));
      seq += numbered.length;
      const batch = { batchId: `b-${seq}`, sentAtMs: NOON, sdk: "test/1", instance: "player", [list]: numbered };
      const { status, body } = await server.ask("POST", "/sdk/v1/events", batch, { as: server.sdkKeys["production"] as string });
      expect([status, body.accepted]).toEqual([202, numbered.length]);
    }
  };
  await send("exposures", exposures);
  await send("metrics", metrics);
  // Results answer after a moment also while events wait to be loaded, and say so by their lag: here all are to be in.
  expect(await server.events.settle(200_000)).toBe(0);
}

test("Cookie Cats through the public API: its published figures, the right intervals, and what its arm sizes say", async () => {
  const { status, body } = await server.ask("GET", `${P}/experiments/gate/results`);
  expect([status, body.code]).toEqual([200, undefined]);
  const { arms, metrics, quality, verdict } = body as ExperimentResults;

  expect(arms.map(({ variant, units }) => [variant, units])).toEqual([
    ["gate_30", 44_700],
    ["gate_40", 45_489],
  ]);
  const shown = metrics.map(({ metric, arms: of }) => [
    metric,
    ...of.map(({ value }) => (value.status === "ok" ? (100 * value.value).toFixed(2) : value.reason)),
  ]);
  expect(shown).toEqual([
    ["retention_7", "19.02", "18.20"],
    ["retention_1", "44.82", "44.23"],
  ]);

  // Newcombe's method 10 and the pooled score test, by their formulas in double precision elsewhere.
  const [seven, one] = metrics.map(({ comparisons }) => comparisons[0]?.absolute);
  expect(seven).toMatchObject({
    value: expect.closeTo(-0.008201298, 8),
    interval: { low: expect.closeTo(-0.013281941, 8), high: expect.closeTo(-0.003121303, 8), level: 0.95 },
    pValue: expect.closeTo(0.00155425, 8),
  });
  expect(one).toMatchObject({
    value: expect.closeTo(-0.00590517, 8),
    interval: { low: expect.closeTo(-0.012391905, 8), high: expect.closeTo(0.000582095, 8), level: 0.95 },
    pValue: expect.closeTo(0.07440966, 8),
  });

  // Chi-square 6.9024 on one degree of freedom. Conspicuous at one look; under constant looking it does not reject the design.
  const { pValue, anytimePValue, isMismatched, sentence } = quality.sampleRatio;
  expect(pValue).toBeCloseTo(0.00860799, 8);
  expect([isMismatched, (anytimePValue ?? 0) > 0.001]).toEqual([false, true]);
  expect(sentence).toMatch(/^Conspicuous: looked at once, the sizes \(gate_30 44,700, gate_40 45,489\) .* 0\.0086; /);
  expect(verdict.sentences[0]).toBe(sentence);
  expect(verdict.advice).not.toBe("ship");
}, 300_000);
