import { afterAll, beforeAll, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { DRAFT } from "../experiments/experiments.fixture.ts";
import { addLooks } from "../experiments/looks.ts";
import { markStale } from "../flags/lifecycle.ts";
import { projectOf } from "../http/params.ts";
import { type Story, tellStory } from "../releases/log/log-story.fixture.ts";
import { OutcomeKeeper } from "../releases/log/outcome-keeper.ts";

const HOUR_MS = 3_600_000;
const KEY = DRAFT.key;
const ORIGIN = { actor: { id: "scheduler", name: "Scheduler" }, requestId: "test" };

let story: Story;
let ask: Story["server"]["ask"];

/** A release that went back, an experiment that found something, one that did not, and a stale flag. */
beforeAll(async () => {
  story = await tellStory();
  const { server } = story;
  ({ ask } = server);
  await outcomesAreWrittenOnce();
  await ask("POST", `${P}/flags`, { key: "cart", type: "string", variants: { long: "l", short: "s", none: "n" } });
  const metric = (key: string, name: string, good: string) =>
    ask("POST", `${P}/metrics`, { key, measure: { kind: "proportion", events: { name } }, good, unseen: true });
  await metric("buyers", "purchase", "increase");
  await metric("crashes", "crash", "decrease");
  const prediction = { metric: "buyers", mean: 0.1, interval: [0.05, 0.15], level: 0.8 };
  const metrics = { primary: ["buyers"], guardrails: ["crashes"] };
  const experiment = { ...DRAFT, flag: "cart", metrics, prediction, owner: "search" };
  await split(KEY);
  expect((await ask("POST", `${P}/experiments`, experiment)).status).toBe(201);
  expect((await ask("POST", `${P}/experiments/${KEY}/start`, {})).status).toBe(200);
  server.clock.now += 30 * HOUR_MS;
  const look = {
    at: new Date(server.clock.now).toISOString(),
    metric: "buyers",
    treatment: "short",
    units: { control: 1_000, treatment: 1_000 },
    effect: 0.2,
    variance: 0.0016,
    information: 625,
    rejectedBy: ["sequence" as const],
  };
  await server.control.execute({
    origin: ORIGIN,
    decide: (workspace) => addLooks(projectOf(workspace, "default"), KEY, [look], undefined),
  });
  server.clock.now += 48 * HOUR_MS;
  const decision = { outcome: "inconclusive", reason: "we try again", againstAdvice: true };
  expect((await ask("POST", `${P}/experiments/${KEY}/decide`, decision)).status).toBe(200);
  await server.control.execute({
    origin: ORIGIN,
    decide: (workspace) =>
      markStale(projectOf(workspace, "default"), "cart", [{ code: "full", since: look.at, environment: "production" }]),
  });
}, 120_000);
afterAll(() => story.close());

/** Not before events that were under way are in, and never twice. */
async function outcomesAreWrittenOnce(): Promise<void> {
  const { control, clock } = story.server;
  const keeper = new OutcomeKeeper({
    control,
    log: story.log,
    events: story.events,
    now: () => clock.now,
    holder: "here",
    onFault: (error) => {
      throw error;
    },
    everyMs: 2 ** 30,
  });
  const written = async (): Promise<unknown[]> => {
    await keeper.round();
    const changes = (await ask("GET", `${P}/changes?kind=outcomes&limit=10`)).body.items;
    return changes.map(({ target, actor }: Record<string, Record<string, string>>) => [target?.["key"], actor?.["name"]]);
  };
  const { now } = clock;
  clock.now = Date.parse((await ask("GET", `${E}/releases/checkout`)).body.endedAt) + 14 * 60_000;
  expect(await written()).toEqual([]);
  clock.now = now;
  expect(await written()).toEqual([["production/checkout", "Scheduler"]]);
  clock.now += HOUR_MS;
  expect(await written()).toHaveLength(1);
  await keeper.close();
}

/** Half and half, tracked for an experiment. */
async function split(experiment: string): Promise<void> {
  const fallthrough = { weights: { long: 50, short: 50 }, tracks: { experiment } };
  const targeting = { enabled: true, off: "long", rules: [], fallthrough, newEpoch: true };
  expect((await ask("PUT", `${E}/flags/cart`, targeting)).status).toBe(200);
}

it("has the figures of the last days, each with the cases behind it", async () => {
  const { body: report } = await ask("GET", `${P}/learning?days=10`);
  const startedAt = (await ask("GET", `${E}/releases/checkout`)).body;
  expect(report.deployments).toMatchObject({ started: 1, perWeek: 0.7, cases: [{ kind: "release", key: "checkout" }] });
  // One instance never acknowledged it: how long it took is not known, and in no number.
  expect(report.rollbacks).toMatchObject({ count: 0, withinTarget: 0, target: 1_800_000 });
  expect(report.rollbacks.cases).toMatchObject([{ key: "checkout", note: "2 of 3 instances acknowledged" }]);
  const left = Date.parse(startedAt.epochs[1].from) - Date.parse(startedAt.startedAt);
  expect(report.insight).toMatchObject({ count: 2, p50: left, p90: 30 * HOUR_MS, withinTarget: 1, target: 24 * HOUR_MS });
  expect(report.insight.cases.map(({ key, value }: Record<string, unknown>) => [key, value])).toEqual([
    [KEY, 30 * HOUR_MS],
    ["checkout", left],
  ]);
  expect(report.turnaround).toMatchObject({ count: 1, p50: 48 * HOUR_MS, withinTarget: 1, cases: [{ key: KEY }] });
  const [errors] = (await ask("GET", `${E}/releases/checkout/log`)).body.predictions;
  expect(report.calibration.teams).toEqual([
    { team: "ann", predictions: 1, coverage: 0, claimed: 0.9, meanIntervalScore: expect.closeTo(errors.score.intervalScore, 9) },
    { team: "search", predictions: 1, coverage: 0, claimed: 0.8, meanIntervalScore: expect.closeTo(0.1 + 10 * 0.05, 9) },
  ]);
  expect(report.calibration.cases.map(({ key, value, note }: Record<string, unknown>) => [key, value, note])).toEqual([
    [KEY, 0.2, "outside"],
    ["checkout", errors.actual.value, "errors: outside"],
    ["checkout", undefined, "revenue: nothing measured it"],
  ]);
  expect(report.coverage).toEqual({ count: 0, target: 1, cases: [] });
  expect(report.exposures).toMatchObject({ share: 1, cases: [{ kind: "release", key: "checkout", value: 1 }] });
  expect(report.flagDebt).toMatchObject({ flags: 2, stale: 1, reasons: { full: 1, unseen: 0, overdue: 0, "asked-for": 0 } });
  expect(report.flagDebt.cases).toMatchObject([{ key: "cart", note: "full in production" }]);
  const links = Object.values(report).flatMap((figure) => (figure as { cases?: { href: string }[] }).cases ?? []);
  const statuses = await Promise.all(links.map(async ({ href }) => (await ask("GET", href)).status));
  expect([statuses.length, new Set(statuses)]).toEqual([10, new Set([200])]);
});

it("shows where code still asks for a stale flag, as scans said", async () => {
  const places = Array.from({ length: 7 }, (_, at) => ({ flag: "cart", file: "src/shop.ts", line: 10 + at }));
  await ask("PUT", `${P}/code-places/shop`, { places: [...places, { flag: "checkout", file: "src/shop.ts", line: 1 }] });
  const { cases } = (await ask("GET", `${P}/learning`)).body.flagDebt;
  expect(cases).toMatchObject([{ key: "cart", places: places.map(({ file, line }) => ({ repository: "shop", file, line })) }]);
  const { text } = await ask("GET", `${P}/learning?format=html`);
  expect(text).toContain("full in production<br>shop: src/shop.ts:10<br>");
  expect(text).toContain("shop: src/shop.ts:14<br>and 2 more</td>");
  await ask("DELETE", `${P}/code-places/shop`);
  expect((await ask("GET", `${P}/learning`)).body.flagDebt.cases[0].places).toBeUndefined();
});

it("looks back as far as it is told, and shows nobody what they may not see", async () => {
  const { body: lately } = await ask("GET", `${P}/learning?days=1`);
  expect([lately.deployments.started, lately.insight.count, lately.turnaround.count]).toEqual([0, 0, 0]);
  const token = { name: "t", role: "viewer", environments: ["staging"] };
  const { secret } = (await ask("POST", "/api/v1/tokens", token)).body;
  const { body: elsewhere } = await ask("GET", `${P}/learning`, undefined, { as: secret });
  const shown = ["deployments", "rollbacks", "coverage", "insight", "turnaround", "calibration", "exposures"].flatMap(
    (name) => elsewhere[name].cases,
  );
  expect([shown, elsewhere.flagDebt.stale]).toEqual([[], 1]);
  expect((await ask("GET", `${P}/learning?days=401`)).status).toBe(422);
});

it("counts what is live as covered while it is heard of, and says what is not", async () => {
  await ask("POST", `${P}/experiments`, {
    ...DRAFT,
    key: "second",
    metrics: { primary: ["buyers"], guardrails: ["crashes"] },
    flag: "cart",
  });
  await split("second");
  expect((await ask("POST", `${P}/experiments/second/start`, {})).status).toBe(200);
  const coverage = async (): Promise<unknown> => (await ask("GET", `${P}/learning`)).body.coverage;
  expect(await coverage()).toMatchObject({ count: 1, share: 1, cases: [{ key: "second", value: 1 }] });
  story.server.clock.now += 25 * HOUR_MS;
  expect(await coverage()).toMatchObject({ count: 1, share: 0, cases: [{ key: "second", value: 0, note: "exposures-silent" }] });
  expect((await ask("GET", `${P}/uncovered`)).body.items).toEqual([]);
});

it("is a page without script, each figure with its target and its cases", async () => {
  const { text, headers } = await ask("GET", `${P}/learning?format=html`);
  expect(headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(text).not.toMatch(/<script| on\w+=|<link|<img|src=/);
  expect([...text.matchAll(/<h2>(.+?)<\/h2>/g)].map(([, title]) => title)).toEqual([
    "At a glance",
    "Deployment frequency",
    "Rollback speed",
    "Monitoring coverage",
    "Insight speed",
    "Decision turnaround",
    "Prediction calibration",
    "Exposure data quality",
    "Flag debt",
  ]);
  expect(text).toContain("p50 2.0 h, p90 30.0 h");
  // The experiment that fell silent, and the one that took 30 hours: in words, not by a colour alone.
  expect(text).toContain("<h1>2 of 5 figures with a target missed it</h1>");
  expect(text.match(/<span class="(?:good|bad|open)">(met|missed)<\/span>/g)).toHaveLength(4);
  expect(text.match(/<a href="\/api\/v1\/projects\/default\/[^"]+">/g)?.length).toBeGreaterThanOrEqual(8);
});

it("does not praise a project in which nothing was measured", async () => {
  expect((await ask("POST", "/api/v1/projects", { key: "quiet" })).status).toBe(201);
  const { text } = await ask("GET", "/api/v1/projects/quiet/learning?format=html");
  expect(text).toContain("<h1>Nothing with a target was measured yet</h1>");
  expect(text).not.toMatch(/<span class="(good|bad)">/);
});
