import type { ExperimentResults, InteractionScreenReport } from "@belay/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { DRAFT, layGround, track } from "../experiments/experiments.fixture.ts";
import { projectOf } from "../http/params.ts";
import { NOON, type RecordingServer, recordingServer } from "../record-doors.fixture.ts";
import { enterFreeze } from "../releases/freeze.ts";
import { LookKeeper } from "./look-keeper.ts";
import { createResults } from "./service.ts";

const ONE = `${P}/experiments/checkout-test`;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

let server: RecordingServer;
let ask: RecordingServer["ask"];
beforeEach(async () => {
  server = await recordingServer();
  ({ ask } = server);
  await layGround(server);
});
afterEach(() => server.close());

interface Arm {
  readonly variant: string;
  readonly units: number;
  readonly buyers: number;
  readonly errors?: number;
}

/** Units of arms, met in the epoch of the split as it is now, an hour apart from what they did. */
async function happen(
  arms: readonly Arm[],
  { atMs = NOON, prefix = "u", country }: { atMs?: number; prefix?: string; country?: string } = {},
): Promise<void> {
  const targeting = (await ask("GET", `${E}/flags/checkout`)).body.targeting;
  const epoch = targeting.fallthrough.split[0].tracks.epoch;
  const units = arms.flatMap(({ variant, units: n, buyers, errors = 0 }) =>
    Array.from({ length: n }, (_, index) => ({
      variant,
      unit: `${prefix}-${variant}-${index}`,
      buys: index < buyers,
      errs: index < errors,
    })),
  );
  await server.receive({
    atMs,
    exposures: units.map(({ variant, unit }) => ({
      timeMs: atMs,
      flag: "checkout",
      variant,
      experiment: "checkout-test",
      epoch,
      revision: epoch,
      unit,
      ...(country === undefined ? {} : { attributes: { country } }),
    })),
    metrics: [
      ...units.filter(({ buys }) => buys).map(({ unit }) => ({ timeMs: atMs + HOUR_MS, name: "purchase", unit, value: 10 })),
      ...units.filter(({ errs }) => errs).map(({ unit }) => ({ timeMs: atMs + HOUR_MS, name: "error", unit })),
    ],
  });
}

async function start(over: object = {}): Promise<void> {
  await track(server);
  expect((await ask("POST", `${P}/experiments`, { ...DRAFT, ...over })).status).toBe(201);
  expect((await ask("POST", `${ONE}/start`, {})).body.status).toBe("running");
}

const read = async (): Promise<ExperimentResults> => {
  const { status, body } = await ask("GET", `${ONE}/results`);
  expect([status, body.code]).toEqual([200, undefined]);
  return body;
};

describe("results", () => {
  it("are those of a draft only once it has started", async () => {
    await ask("POST", `${P}/experiments`, DRAFT);
    expect((await ask("GET", `${ONE}/results`)).body.code).toBe("wrong_status");
  });

  it("say that nothing is known yet while nobody was exposed, with no number that is none", async () => {
    await start();
    const { status, text } = await ask("GET", `${ONE}/results`);
    const { verdict, metrics, quality } = JSON.parse(text) as ExperimentResults;
    expect([status, verdict.advice, quality.isGood]).toEqual([200, "not-enough-yet", true]);
    expect(metrics[0]?.comparisons[0]?.absolute).toEqual({ status: "insufficient", reason: "too-few-units" });
    expect(text).not.toMatch(/null|NaN|Infinity/);
  });

  it("have the effect of the score test with Newcombe's interval, and the log ratio", async () => {
    await start();
    await happen([
      { variant: "long", units: 1_000, buyers: 100, errors: 50 },
      { variant: "short", units: 1_000, buyers: 130, errors: 50 },
    ]);
    server.clock.now = NOON + 2 * HOUR_MS;
    const { metrics, arms, progress } = await read();
    expect(arms).toEqual([
      { variant: "long", units: 1_000, crossed: 0, share: 0.5, designedShare: 0.5 },
      { variant: "short", units: 1_000, crossed: 0, share: 0.5, designedShare: 0.5 },
    ]);
    const [buyers, , revenue] = metrics;
    expect(buyers?.arms.map(({ value }) => value)).toMatchObject([{ value: 0.1 }, { value: 0.13 }]);
    const [comparison] = buyers?.comparisons ?? [];
    // z = 0.03 / sqrt(0.115 x 0.885 x 2 / 1000) = 2.1027, p = erfc(z / sqrt 2); Newcombe's method 10 by its formula.
    expect(comparison?.absolute).toMatchObject({
      status: "ok",
      value: expect.closeTo(0.03, 12),
      pValue: expect.closeTo(0.03548845, 8),
      interval: { low: expect.closeTo(0.002002349, 8), high: expect.closeTo(0.058070485, 8), level: 0.95 },
    });
    expect(comparison?.relative).toMatchObject({ status: "ok", value: expect.closeTo(0.2985, 4) });
    expect(comparison?.series.map(({ day }) => day)).toEqual(["2026-11-22"]);
    expect(revenue?.metric).toBe("revenue");
    expect(revenue?.comparisons[0]?.absolute).toMatchObject({ status: "ok", value: expect.closeTo(0.3, 12) });
    expect(progress[0]?.fraction).toBeGreaterThan(0.02);
    expect(progress[0]?.fraction).toBeLessThan(0.1);
  });

  it("tell rare failures exactly, by whose they are, and common ones by their effect", async () => {
    await ask("PATCH", `${P}/metrics/errors`, { tolerance: 0.5, unseen: true });
    await start();
    await happen([
      { variant: "long", units: 4_000, buyers: 400, errors: 80 },
      { variant: "short", units: 4_000, buyers: 400, errors: 60 },
    ]);
    server.clock.now = NOON + 2 * HOUR_MS;
    const guardrail = async () => (await read()).metrics.find(({ role }) => role === "guardrail")?.comparisons[0]?.nonInferiority;
    const rare = await guardrail();
    expect(rare).toMatchObject({ status: "ok", method: "count", tolerance: 0.5, isNonInferior: true });
    // 60 of 140 where a half may be treated: evidence of 1,092 against half as many failures again.
    expect(rare?.status === "ok" ? Math.round(1 / rare.anytimePValue) : 0).toBe(1_092);
    await happen([{ variant: "long", units: 1_000, buyers: 0, errors: 900 }], { prefix: "v" });
    expect(await guardrail()).toMatchObject({ status: "ok", method: "sequence" });
  });

  it("of those a decision may have differed for leave out whom the treatment cannot have touched", async () => {
    await start();
    const { epoch } = (await ask("GET", `${E}/flags/checkout`)).body.targeting.fallthrough.split[0].tracks;
    const units = (["long", "short"] as const).flatMap((variant) =>
      Array.from({ length: 1_000 }, (_, index) => ({ variant, unit: `${variant}-${index}`, differs: index < 200, at: index })),
    );
    await server.receive({
      exposures: units.map(({ variant, unit, differs }) => ({
        ...{ timeMs: NOON, flag: "checkout", experiment: "checkout-test", epoch, revision: epoch },
        ...{ variant, unit, differs },
      })),
      // A tenth of all buys, and in treatment half of those it touched.
      metrics: units
        .filter(({ variant, at }) => at % 10 === 0 || (variant === "short" && at < 100))
        .map(({ unit }) => ({ timeMs: NOON + 1, name: "purchase", unit, value: 1 })),
    });
    server.clock.now = NOON + 2 * HOUR_MS;
    const everybody = await read();
    const triggered: ExperimentResults = (await ask("GET", `${ONE}/results?population=triggered`)).body;
    const effect = ({ metrics }: ExperimentResults): unknown => metrics[0]?.comparisons[0]?.absolute;
    expect([everybody.population, triggered.population]).toEqual(["exposed", "triggered"]);
    expect([everybody, triggered].map(({ arms }) => arms.map((arm) => arm.units))).toEqual([
      [1_000, 1_000],
      [200, 200],
    ]);
    // 190 of 1,000 against 100; 110 of 200 against 20.
    expect(effect(everybody)).toMatchObject({ value: expect.closeTo(0.09, 12) });
    expect(effect(triggered)).toMatchObject({ value: expect.closeTo(0.45, 12) });
    expect([triggered.looks, triggered.verdict.sentences[0]]).toEqual([
      [],
      "Only units whose decision may have differed are counted.",
    ]);
  });

  it("of a ramp are compared within phases: a base rate that moves is no effect", async () => {
    await start();
    await track(server, { weights: { long: 90, short: 10 }, newEpoch: true });
    await happen([
      { variant: "long", units: 1_800, buyers: 180 },
      { variant: "short", units: 200, buyers: 20 },
    ]);
    await track(server, { weights: { long: 50, short: 50 }, newEpoch: true });
    await happen(
      [
        { variant: "long", units: 1_000, buyers: 300 },
        { variant: "short", units: 1_000, buyers: 300 },
      ],
      { prefix: "v" },
    );
    server.clock.now = NOON + 2 * HOUR_MS;
    const { metrics } = await read();
    const [comparison] = metrics[0]?.comparisons ?? [];
    expect(comparison?.absolute).toMatchObject({ value: expect.closeTo(0, 12), pValue: expect.closeTo(1, 12) });
    expect(comparison?.method).toContain("within 2 phases");
  });

  it("show a mismatch of the arm sizes above all, and advise nothing", async () => {
    await start({ segments: ["country"] });
    await happen(
      [
        { variant: "long", units: 800, buyers: 80 },
        { variant: "short", units: 800, buyers: 80 },
      ],
      { country: "DE" },
    );
    await happen(
      [
        { variant: "long", units: 900, buyers: 80 },
        { variant: "short", units: 300, buyers: 80 },
      ],
      { country: "FR", prefix: "f" },
    );
    const { verdict, quality, segments } = await read();
    expect([verdict.advice, verdict.because, quality.isGood]).toEqual(["fix-quality-first", ["sampleRatio"], false]);
    expect(quality.sampleRatio).toMatchObject({ isMismatched: true, segments: ["country = FR"] });
    expect(verdict.sentences[0]).toMatch(/^Sample ratio mismatch: /);
    expect(segments.map(({ value, units, adjustedP }) => [value, units, typeof adjustedP])).toEqual([
      ["DE", 1_600, "number"],
      ["FR", 1_200, "number"],
    ]);
  });
});

describe("segments", () => {
  it("beyond the twenty with most units are one, so that the long tail costs the others no certainty", async () => {
    await start({ segments: ["country"] });
    for (let index = 0; index < 23; index += 1) {
      const units = 40 - index;
      const arms = ["long", "short"].map((variant) => ({ variant, units, buyers: 10 }));
      await happen(arms, { prefix: `c${index}`, country: `land-${String(index).padStart(2, "0")}` });
    }
    server.clock.now = NOON + 2 * HOUR_MS;
    const { segments } = await read();
    expect(segments.map(({ value }) => value)).toEqual([
      ...Array.from({ length: 20 }, (_, index) => `land-${String(index).padStart(2, "0")}`),
      "(other)",
    ]);
    // 20, 19 and 18 of each arm, of which 30 bought.
    expect(segments.at(-1)).toMatchObject({ units: 2 * 57, relative: { status: "ok", value: expect.closeTo(0, 12) } });
  });
});

describe("an incident", () => {
  it("is reported with, without, and by whether it changed the effect", async () => {
    await start();
    const half = (buyers: number, prefix: string, atMs: number): Promise<void> =>
      happen(
        [
          { variant: "long", units: 1_000, buyers: 200 },
          { variant: "short", units: 1_000, buyers },
        ],
        { prefix, atMs },
      );
    await half(220, "before", NOON);
    await half(100, "during", NOON + 10 * HOUR_MS);
    await half(220, "after", NOON + 20 * HOUR_MS);
    const [from, to] = [9, 15].map((hours) => new Date(NOON + hours * HOUR_MS).toISOString());
    await ask("POST", `${P}/incidents`, { key: "outage", reason: "payments were down", from, to });
    server.clock.now = NOON + 24 * HOUR_MS;
    const { incidents } = await read();
    expect(incidents).toMatchObject([{ incident: "outage", reason: "payments were down", metric: "buyers", treatment: "short" }]);
    const [report] = incidents;
    // 540 against 600 of 3,000 each; 440 against 400 of 2,000 each; 100 against 200 of 1,000 each.
    expect(report?.with).toMatchObject({ status: "ok", value: expect.closeTo(-0.1, 3) });
    expect(report?.without).toMatchObject({ status: "ok", value: expect.closeTo(0.1, 3) });
    expect(report?.interaction).toMatchObject({ status: "ok", value: expect.closeTo(-0.6, 2) });
    expect(report?.interaction.status === "ok" && report.interaction.pValue < 1e-6).toBe(true);
    // One that still goes on has nothing after it.
    await ask("POST", `${P}/incidents`, { key: "since", reason: "a sale", from });
    const since = (await read()).incidents.find(({ incident }) => incident === "since");
    expect(since?.without).toMatchObject({ status: "ok", value: expect.closeTo(0.1, 3) });
    // A freeze is recorded as an incident.
    server.clock.now = NOON + 25 * HOUR_MS;
    await server.control.execute({
      origin: { actor: { id: "ops", name: "Ops" }, requestId: "r" },
      decide: (workspace, at) =>
        enterFreeze(projectOf(workspace, "default"), "database down", { id: "ops", name: "Ops" }, new Date(at).toISOString()),
    });
    server.clock.now = NOON + 26 * HOUR_MS;
    expect((await read()).incidents.map(({ incident, reason }) => [incident, reason])).toEqual([
      ["outage", "payments were down"],
      ["since", "a sale"],
      ["freeze-1", "database down"],
    ]);
  });
});

describe("experiments on the same units", () => {
  it("are screened for interaction by the cells of both", async () => {
    await start();
    await ask("POST", `${P}/flags`, { key: "price" });
    await ask("PUT", `${E}/flags/price`, {
      enabled: true,
      rules: [],
      fallthrough: { weights: { on: 50, off: 50 }, tracks: { experiment: "price-test" } },
    });
    const other = { ...DRAFT, key: "price-test", flag: "price", control: "off", treatments: ["on"] };
    await ask("POST", `${P}/experiments`, other);
    expect((await ask("POST", `${P}/experiments/price-test/start`, {})).body.status).toBe("running");
    // Both treatments together sell, neither alone does.
    const cells = [
      { variant: "long", other: "off", buyers: 110 },
      { variant: "long", other: "on", buyers: 110 },
      { variant: "short", other: "off", buyers: 110 },
      { variant: "short", other: "on", buyers: 330 },
    ];
    for (const { variant, other: theirs, buyers } of cells) {
      const units = Array.from({ length: 1_100 }, (_, index) => `${variant}-${theirs}-${index}`);
      const exposure = (unit: string, flag: string, of: string, experiment: string) =>
        ({ timeMs: NOON, flag, variant: of, experiment, epoch: 1, revision: 1, unit }) as const;
      await server.receive({
        exposures: units.flatMap((unit) => [
          exposure(unit, "checkout", variant, "checkout-test"),
          exposure(unit, "price", theirs, "price-test"),
        ]),
        metrics: units.slice(0, buyers).map((unit) => ({ timeMs: NOON + 1, name: "purchase", unit })),
      });
    }
    server.clock.now = NOON + HOUR_MS;
    const { interactions } = await read();
    expect(interactions).toMatchObject([
      { experiment: "price-test", metric: "buyers", treatments: ["short", "on"], units: 4_400, effect: { status: "ok" } },
    ]);
    const [found] = interactions;
    expect(found?.effect.status === "ok" ? found.effect.value : undefined).toBeCloseTo(0.2, 12);
    expect(found?.adjustedP).toBeLessThan(1e-10);
    expect(found?.smallestDetectable).toBeGreaterThan(0.05);
    const screen = await ask("GET", `${P}/interactions?environment=production&metric=buyers`);
    expect(screen.status).toBe(200);
    const { pairs, ...about } = screen.body as InteractionScreenReport;
    expect(about).toMatchObject({ metric: "buyers", experiments: ["checkout-test", "price-test"] });
    expect(pairs).toEqual([
      {
        ...{ experiments: ["checkout-test", "price-test"], treatments: ["short", "on"], units: 4_400 },
        ...{ effect: found?.effect, adjustedP: found?.adjustedP, smallestDetectable: found?.smallestDetectable },
      },
    ]);
    const asked = async (query: string) => (await ask("GET", `${P}/interactions?${query}`)).body.code;
    expect(await asked("environment=production&metric=none")).toBe("metric_not_found");
    expect(await asked("environment=none&metric=buyers")).toBe("environment_not_found");
  });
});

it("ask about more metrics than one question takes in several", async () => {
  const keys = Array.from({ length: 30 }, (_, index) => `m${String(index).padStart(2, "0")}`);
  for (const [index, key] of keys.entries()) {
    const measure = { kind: "sum", events: { name: "purchase" }, cap: { at: index + 1 } };
    await ask("POST", `${P}/metrics`, { key, measure, good: "increase", unseen: true });
  }
  await start({ metrics: { primary: ["buyers"], secondary: keys, guardrails: ["errors"] } });
  await happen([
    { variant: "long", units: 10, buyers: 5 },
    { variant: "short", units: 10, buyers: 10 },
  ]);
  server.clock.now = NOON + 2 * HOUR_MS;
  const { metrics } = await read();
  // Every buyer spent 10: the cap decides up to there.
  const spent = metrics.slice(2).map(({ arms }) => arms.map(({ value }) => (value.status === "ok" ? value.value : Number.NaN)));
  expect(spent).toEqual(keys.map((_, index) => [Math.min(10, index + 1) / 2, Math.min(10, index + 1)]));
});

describe("the same results", () => {
  /** Two days of units, whose names and segments are what an attacker would choose. */
  async function seeded(): Promise<void> {
    await start({ segments: ["country"], hypothesis: "<script>alert(1)</script> & co" });
    const day = (buyers: number, atMs: number, prefix: string, country: string): Promise<void> =>
      happen(
        [
          { variant: "long", units: 400, buyers: 40, errors: 8 },
          { variant: "short", units: 400, buyers, errors: 8 },
        ],
        { atMs, prefix, country },
      );
    await day(48, NOON, "a", "=1+1");
    await day(60, NOON + DAY_MS, "b", "<img src=x>");
    server.clock.now = NOON + 2 * DAY_MS;
  }

  it("fault 49: are a page that needs no script and no other file, and shows what was named as text", async () => {
    await seeded();
    const { text, headers } = await ask("GET", `${ONE}/results?format=html`);
    expect(headers["content-type"]).toBe("text/html; charset=utf-8");
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/]{43}='; /);
    expect(text).not.toMatch(/<script|<img|<link|style="|\bon\w+="|https?:|NaN|Infinity|undefined/);
    expect(text).toContain("&#60;script&#62;alert(1)&#60;/script&#62; &#38; co");
    // The forest of metrics, the course of the primary metric, the forest of segments.
    expect(text.match(/<svg /g)).toHaveLength(3);
    expect(text.indexOf("<h1>")).toBeLessThan(text.indexOf("Can these numbers be trusted?"));
    expect(text.indexOf("Can these numbers be trusted?")).toBeLessThan(text.indexOf("<h2>Effects"));
    const opened = [...text.matchAll(/<(\w+)[ >]/g)]
      .map(([, tag]) => tag)
      .filter((tag) => tag === "g" || tag === "table" || tag === "section");
    const closed = [...text.matchAll(/<\/(g|table|section)>/g)];
    expect(closed).toHaveLength(opened.length);
  });

  it("fault 50: are rows, a formula made text", async () => {
    await seeded();
    const { text, headers } = await ask("GET", `${ONE}/results?format=csv`);
    const [head, ...rows] = text
      .trimEnd()
      .split("\r\n")
      .map((line) => line.split(","));
    expect(headers["content-disposition"]).toBe('attachment; filename="checkout-test-results.csv"');
    const column = (name: string): (string | undefined)[] => rows.map((row) => row[head?.indexOf(name) ?? -1]);
    expect(column("metric")).toEqual(["buyers", "errors", "revenue", "buyers", "buyers"]);
    expect(column("segment_value")).toEqual(["", "", "", "<img src=x>", "'=1+1"]);
    expect(rows.every((row) => row.length === head?.length)).toBe(true);
    expect(Number(column("absolute")[0])).toBeCloseTo(0.035, 12);
  });
});

describe("phases", () => {
  it("are one for each allocation that was committed, also of changes while no server looked", async () => {
    await start();
    const commit = async (atMs: number, long: number): Promise<void> => {
      server.clock.now = atMs;
      await track(server, { weights: { long, short: 100 - long }, newEpoch: true });
    };
    await commit(NOON + 1_000, 90);
    await commit(NOON + 2_000, 80);
    await commit(NOON + 2_001, 50);
    server.clock.now = NOON + HOUR_MS;
    const keeper = keeperOf();
    await keeper.round();
    await keeper.close();
    const phases: { from: string; weights: Record<string, number> }[] = (await ask("GET", ONE)).body.phases;
    expect(phases.slice(1).map(({ from, weights }) => [Date.parse(from) - NOON, weights])).toEqual([
      [1_000, { long: 0.9, short: 0.1 }],
      [2_000, { long: 0.8, short: 0.2 }],
      [2_001, { long: 0.5, short: 0.5 }],
    ]);
  });

  it.each([
    ["stop", {}],
    ["decide", { outcome: "inconclusive", reason: "enough" }],
  ])("are whole after %s, though no server had looked; what the split does later opens none", async (verb, body) => {
    await start();
    const commit = async (atMs: number, long: number): Promise<void> => {
      server.clock.now = atMs;
      await track(server, { weights: { long, short: 100 - long }, newEpoch: true });
    };
    await commit(NOON + 1_000, 90);
    await commit(NOON + 2_000, 50);
    server.clock.now = NOON + 3_000;
    expect((await ask("POST", `${ONE}/${verb}`, body)).status).toBe(200);
    await commit(NOON + 4_000, 80);
    await ask("POST", `${ONE}/decide`, { outcome: "inconclusive", reason: "enough" });
    const phases: { from: string; weights: Record<string, number> }[] = (await ask("GET", ONE)).body.phases;
    expect(phases.map(({ from, weights }) => [Date.parse(from) - NOON, weights["long"]])).toEqual([
      [0, 0.5],
      [1_000, 0.9],
      [2_000, 0.5],
    ]);
  });
});

const keeperOf = (faults: unknown[] = []): LookKeeper =>
  new LookKeeper({
    control: server.control,
    log: server.log,
    results: createResults({ control: server.control, events: server.events, now: () => server.clock.now }),
    now: () => server.clock.now,
    holder: "here",
    onFault: (error) => void faults.push(error),
  });

describe("the look ledger", () => {
  const looks = async (): Promise<{ at: string; fraction: number; alphaSpent: number }[]> =>
    (await ask("GET", `${ONE}/looks`)).body.items;

  it("is written once a day by the scheduler, never by reading, and stays as it is", async () => {
    await start();
    await happen([
      { variant: "long", units: 1_000, buyers: 100 },
      { variant: "short", units: 1_000, buyers: 120 },
    ]);
    const faults: unknown[] = [];
    const keeper = keeperOf(faults);
    server.clock.now = NOON + DAY_MS - 1;
    await keeper.round();
    await read();
    expect(await looks()).toEqual([]);
    server.clock.now = NOON + DAY_MS;
    await keeper.round();
    await keeper.round();
    await read();
    const first = await looks();
    expect(first).toMatchObject([
      { at: "2026-11-23T12:00:00.000Z", metric: "buyers", treatment: "short", units: { control: 1_000, treatment: 1_000 } },
    ]);
    await happen(
      [
        { variant: "long", units: 3_000, buyers: 300 },
        { variant: "short", units: 3_000, buyers: 390 },
      ],
      { atMs: NOON + DAY_MS, prefix: "v" },
    );
    // Three days of downtime are one look.
    server.clock.now = NOON + 4 * DAY_MS;
    await keeper.round();
    const both = await looks();
    expect([both.length, both[0]]).toEqual([2, first[0]]);
    expect(both[1]?.fraction ?? 0).toBeGreaterThan(both[0]?.fraction ?? 1);
    expect(both[1]?.alphaSpent ?? 0).toBeGreaterThan(both[0]?.alphaSpent ?? 1);
    expect((await read()).looks).toEqual(both);
    expect(faults).toEqual([]);
    await keeper.close();
  });

  it("gives a quantile its course, for ranks do not add up over days", async () => {
    const measure = { kind: "quantile", events: { name: "latency" }, quantile: 0.5 };
    await ask("POST", `${P}/metrics`, { key: "slow", measure, good: "decrease", unseen: true });
    await start({ metrics: { ...DRAFT.metrics, primary: ["slow"] } });
    const keeper = keeperOf();
    for (const day of [0, 1]) {
      const atMs = NOON + day * DAY_MS;
      const arms = ["long", "short"].map((variant) => ({ variant, units: 200, buyers: 0 }));
      await happen(arms, { atMs, prefix: `d${day}` });
      await server.receive({
        atMs,
        metrics: arms.flatMap(({ variant }) =>
          Array.from({ length: 200 }, (_, index) => ({
            ...{ timeMs: atMs + 1, name: "latency", unit: `d${day}-${variant}-${index}` },
            value: (variant === "short" ? 80 : 100) + index,
          })),
        ),
      });
      server.clock.now = atMs + DAY_MS;
      await keeper.round();
    }
    await keeper.close();
    const { metrics, looks: ledger } = await read();
    const series = metrics.find(({ metric }) => metric === "slow")?.comparisons[0]?.series ?? [];
    expect(series.map(({ day }) => day)).toEqual(["2026-11-23", "2026-11-24"]);
    expect(series.map(({ value }) => value)).toEqual(ledger.map(({ effect }) => effect));
    // Medians of about 180 and 200.
    expect(series[1]?.value).toBeCloseTo(-0.1, 1);
    expect((series[0]?.high ?? 0) - (series[0]?.low ?? 0)).toBeGreaterThan((series[1]?.high ?? 0) - (series[1]?.low ?? 0));
  });

  it("opens a phase when a split's allocation changes", async () => {
    await start();
    const keeper = keeperOf();
    await track(server, { weights: { long: 80, short: 20 }, newEpoch: true });
    await keeper.round();
    const { phases } = (await ask("GET", ONE)).body;
    expect(phases.map(({ weights }: { weights: object }) => weights)).toEqual([
      { long: 0.5, short: 0.5 },
      { long: 0.8, short: 0.2 },
    ]);
    await keeper.close();
  });
});

describe("a decision", () => {
  const decide = (body: object) => ask("POST", `${ONE}/decide`, body);

  it("to ship needs an improvement and harmless guardrails; against the advice it is marked", async () => {
    await start();
    await happen([
      { variant: "long", units: 500, buyers: 50 },
      { variant: "short", units: 500, buyers: 50 },
    ]);
    const refused = await decide({ outcome: "ship", reason: "I like it" });
    expect([refused.status, refused.body.code, refused.body.advice]).toEqual([409, "against_advice", "not-enough-yet"]);
    expect((await decide({ outcome: "ship", variant: "none", reason: "x", againstAdvice: true })).body.code).toBe(
      "unknown_variant",
    );
    const { body } = await decide({ outcome: "ship", reason: "the board wants it", againstAdvice: true });
    expect(body).toMatchObject({
      status: "decided",
      decision: {
        outcome: "ship",
        variant: "short",
        reason: "the board wants it",
        isAgainstAdvice: true,
        advice: { advice: "not-enough-yet" },
      },
    });
    expect((await decide({ outcome: "inconclusive", reason: "x" })).body.code).toBe("wrong_status");
  });

  it("follows the advice where all of it holds", async () => {
    await ask("PATCH", `${P}/metrics/errors`, { tolerance: 0.5, unseen: true });
    await start();
    await happen([
      { variant: "long", units: 6_000, buyers: 600, errors: 600 },
      { variant: "short", units: 6_000, buyers: 1_200, errors: 540 },
    ]);
    server.clock.now = NOON + 2 * HOUR_MS;
    const { verdict } = await read();
    expect([verdict.advice, verdict.because]).toEqual(["ship", []]);
    expect(verdict.headline).toBe(
      "Ship short: a primary metric improved, every guardrail is non-inferior and nothing got worse.",
    );
    expect((await decide({ outcome: "do-not-ship", reason: "too late" })).body.code).toBe("against_advice");
    expect((await decide({ outcome: "ship", reason: "it sells more" })).body.decision).toMatchObject({
      variant: "short",
      isAgainstAdvice: false,
    });
  });

  it("is advised against when a metric got worse", async () => {
    await start();
    await happen([
      { variant: "long", units: 4_000, buyers: 400, errors: 40 },
      { variant: "short", units: 4_000, buyers: 400, errors: 400 },
    ]);
    server.clock.now = NOON + 2 * HOUR_MS;
    const { verdict } = await read();
    expect([verdict.advice, verdict.because]).toEqual(["do-not-ship", ["errors"]]);
    expect((await decide({ outcome: "do-not-ship", reason: "errors" })).body.decision).toMatchObject({
      variant: "long",
      isAgainstAdvice: false,
    });
  });
});
