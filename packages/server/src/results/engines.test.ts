import { afterEach, expect, test } from "vitest";
import { P } from "../app.fixture.ts";
import { DRAFT, layGround, track } from "../experiments/experiments.fixture.ts";
import { NOON, type RecordingServer, recordingServer } from "../record-doors.fixture.ts";
import { newDatabase, withClickHouse } from "../store/events/clickhouse/clickhouse.fixture.ts";
import { LookKeeper } from "./look-keeper.ts";
import { createResults } from "./service.ts";

/*
 * The same commands and events given to a server on DuckDB and to one on ClickHouse, and what both answer. The events are seeded: every
 * kind of metric, segments, a covariate, two phases, an incident, another experiment on the same units, late and repeated ones.
 */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const UNITS = 700;

const EVENTS = { name: "purchase" };
const MEASURES: Readonly<Record<string, { measure: object; window?: object; good?: string }>> = {
  visits: { measure: { kind: "count", events: { name: "visit" } } },
  capped: { measure: { kind: "sum", events: EVENTS, cap: { at: 40 } }, window: { toHours: 48 } },
  basket: { measure: { kind: "mean", events: EVENTS } },
  a_visit: {
    measure: {
      kind: "ratio",
      numerator: { of: "values", events: EVENTS },
      denominator: { of: "events", events: { name: "visit" } },
    },
  },
  slowest: { measure: { kind: "quantile", events: { name: "visit" }, quantile: 0.9 }, good: "decrease" },
  return_1: { measure: { kind: "retention", events: { name: "visit" } }, window: { fromHours: 24, toHours: 48 } },
  checkout: { measure: { kind: "funnel", steps: [{ name: "visit" }, { name: "purchase" }] } },
};

const servers: RecordingServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

withClickHouse("results on ClickHouse", (clickHouse) => {
  test("are those on DuckDB, by every kind of metric, for each population, in lines too", async () => {
    const database = newDatabase();
    const onDuckDb = await lived({});
    const onClickHouse = await lived({ clickHouse: { urls: [`${clickHouse().url}/${database}`] } });
    const questions = [
      `${P}/experiments/checkout-test/results`,
      `${P}/experiments/checkout-test/results?population=triggered`,
      `${P}/interactions?environment=production&metric=buyers`,
      ...["buyers", "revenue", "slowest"].map((metric) => `${P}/holdouts/q4/results?environment=production&metric=${metric}`),
    ];
    for (const question of questions) {
      const [here, there] = [await answered(onDuckDb, question), await answered(onClickHouse, question)];
      expect(rounded(there), question).toEqual(rounded(here));
    }
    const [one] = questions;
    const results = (await onDuckDb.ask("GET", one ?? "")).body;
    // What was compared is not nothing: 10 metrics, two phases, three segments, two incidents, another experiment.
    expect([results.metrics.length, results.phases.length, results.incidents.length, results.interactions.length]).toEqual([
      10, 2, 2, 1,
    ]);
    expect(new Set(results.segments.map(({ value }: { value: string }) => value))).toEqual(new Set(["", "DE", "FR"]));
    const told = results.metrics.map(
      ({ comparisons }: { comparisons: { absolute: { status: string } }[] }) => comparisons[0]?.absolute.status,
    );
    expect(told).toEqual(Array(10).fill("ok"));
    const lines = await Promise.all(
      [onDuckDb, onClickHouse].map(async ({ ask }) => (await ask("GET", `${one}?format=csv`)).text.split("\r\n").length),
    );
    expect(lines[0]).toBe(lines[1]);
    await clickHouse().query(`drop database if exists ${database}`);
  }, 240_000);
});

async function answered({ ask }: RecordingServer, question: string): Promise<unknown> {
  const { status, body } = await ask("GET", question);
  expect([status, body.code]).toEqual([200, undefined]);
  return { ...body, lagMs: 0 };
}

/** Nine digits of every number: sums in another order differ in the last bits. */
function rounded(value: unknown): unknown {
  if (typeof value === "number") return Math.abs(value) < 1e-12 ? 0 : Number(value.toPrecision(9));
  if (Array.isArray(value)) return value.map(rounded);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, rounded(one)]));
}

/** A server on which all of it has happened. */
async function lived(options: Parameters<typeof recordingServer>[0]): Promise<RecordingServer> {
  let filled = 0;
  // The same salts on both, so that a holdout keeps out the same units.
  const fillRandom = <T extends Uint8Array>(bytes: T): T => {
    for (let i = 0; i < bytes.length; i += 1) {
      filled = (filled * 167 + 41) % 65_536;
      bytes[i] = filled >> 8;
    }
    return bytes;
  };
  const server = await recordingServer({ ...options, fillRandom });
  servers.push(server);
  const { ask } = server;
  await layGround(server);
  for (const [key, { good = "increase", ...metric }] of Object.entries(MEASURES)) {
    expect((await ask("POST", `${P}/metrics`, { key, good, unseen: true, ...metric })).status).toBe(201);
  }
  await track(server);
  const metrics = { ...DRAFT.metrics, secondary: ["revenue", ...Object.keys(MEASURES)] };
  await ask("POST", `${P}/experiments`, { ...DRAFT, metrics, segments: ["country"], covariateDays: 3 });
  expect((await ask("POST", `${P}/experiments/checkout-test/start`, {})).status).toBe(200);
  await startOther(server);
  await ask("POST", `${P}/holdouts`, { key: "q4", percentage: 20 });
  await happen(server, { prefix: "early", fromMs: NOON });
  server.clock.now = NOON + DAY_MS;
  await track(server, { weights: { long: 80, short: 20 }, newEpoch: true });
  await notice(server);
  await happen(server, { prefix: "later", fromMs: NOON + DAY_MS });
  const [from, to] = [NOON + 6 * HOUR_MS, NOON + 12 * HOUR_MS].map((ms) => new Date(ms).toISOString());
  await ask("POST", `${P}/incidents`, { key: "outage", reason: "payments were down", from, to });
  await ask("POST", `${P}/incidents`, { key: "sale", reason: "a sale", from: to });
  server.clock.now = NOON + 5 * DAY_MS;
  return server;
}

/** A round of the scheduler: it looks, and opens the phase. */
async function notice({ control, log, events, clock }: RecordingServer): Promise<void> {
  const faults: unknown[] = [];
  const now = (): number => clock.now;
  const results = createResults({ control, events, now });
  const keeper = new LookKeeper({ control, log, results, now, holder: "here", onFault: (error) => void faults.push(error) });
  await keeper.round();
  await keeper.close();
  expect(faults).toEqual([]);
}

async function startOther({ ask }: RecordingServer): Promise<void> {
  await ask("POST", `${P}/flags`, { key: "banner", type: "string", variants: { red: "r", blue: "b" } });
  const fallthrough = { weights: { red: 50, blue: 50 }, tracks: { experiment: "banner-test" } };
  await ask("PUT", `${P}/environments/production/flags/banner`, { enabled: true, off: "red", rules: [], fallthrough });
  const other = { ...DRAFT, key: "banner-test", flag: "banner", control: "red", treatments: ["blue"] };
  await ask("POST", `${P}/experiments`, other);
  expect((await ask("POST", `${P}/experiments/banner-test/start`, {})).status).toBe(200);
}

async function happen(
  server: RecordingServer,
  { prefix, fromMs }: { readonly prefix: string; readonly fromMs: number },
): Promise<void> {
  const { targeting } = (await server.ask("GET", `${P}/environments/production/flags/checkout`)).body;
  const epoch: number = targeting.fallthrough.split[0].tracks.epoch;
  const chance = seeded(prefix.length * 977 + 5);
  const exposures: object[] = [];
  const metrics: object[] = [];
  const did = (unit: string, name: string, timeMs: number, value?: number): void => {
    metrics.push({ timeMs: Math.trunc(timeMs), name, unit, ...(value === undefined ? {} : { value }) });
  };
  for (let index = 0; index < UNITS; index += 1) {
    const unit = `${prefix}-${index}`;
    const startMs = Math.trunc(fromMs + chance() * 20 * HOUR_MS);
    const variant = chance() < 0.5 ? "long" : "short";
    const country = ["DE", "FR", undefined][Math.floor(chance() * 3)];
    const about = { unit, timeMs: startMs, revision: epoch, ...(chance() < 0.7 ? { differs: chance() < 0.6 } : {}) };
    const attributes = country === undefined ? {} : { attributes: { country } };
    const seen = { ...about, flag: "checkout", experiment: "checkout-test", epoch, ...attributes };
    exposures.push({ ...seen, variant });
    // Some come again later, a few of them in the other arm.
    if (chance() < 0.2) exposures.push({ ...seen, timeMs: startMs + HOUR_MS, variant: chance() < 0.02 ? "long" : variant });
    const banner = chance() < 0.5 ? "red" : "blue";
    exposures.push({ ...about, timeMs: startMs + 1_000, flag: "banner", experiment: "banner-test", epoch: 1, variant: banner });
    const times = Math.floor(chance() * 5);
    for (let n = 0; n < times; n += 1)
      did(unit, "visit", startMs + (chance() - 0.3) * 3 * DAY_MS, Math.ceil(chance() * 4_000) / 8);
    if (chance() < (variant === "short" ? 0.4 : 0.3))
      did(unit, "purchase", startMs + chance() * 2 * DAY_MS, Math.ceil(chance() * 480) / 8);
    if (chance() < 0.03) did(unit, "error", startMs + chance() * DAY_MS);
  }
  // Two batches, the exposures last: what arrives late counts all the same.
  await server.receive({ metrics: metrics as never });
  await server.receive({ exposures: exposures as never });
}

/** Numbers from 0 to below 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
