import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { NOON, type RecordingServer, recordingServer } from "../record-doors.fixture.ts";
import { DRAFT, layGround, track } from "./experiments.fixture.ts";

const X = `${P}/experiments`;
const ONE = `${X}/checkout-test`;

let server: RecordingServer;
let ask: RecordingServer["ask"];
beforeEach(async () => {
  server = await recordingServer();
  ({ ask } = server);
  await layGround(server);
});
afterEach(() => server.close());

describe("a draft", () => {
  it("is completed with what is usual and can be edited", async () => {
    const made = await ask("POST", X, DRAFT);
    expect([made.status, made.body]).toMatchObject([
      201,
      { status: "draft", phases: [], segments: [], plan: { alpha: 0.05, power: 0.8, smallestEffect: 0.1, horizonDays: 14 } },
    ]);
    const edited = await ask("PATCH", ONE, { plan: null, segments: ["country"], metrics: { secondary: [] } });
    expect(edited.body.plan).toBeUndefined();
    expect(edited.body).toMatchObject({
      segments: ["country"],
      metrics: { primary: ["buyers"], secondary: [], guardrails: ["errors"] },
    });
    expect((await ask("GET", `${X}?status=draft&flag=checkout`)).body.items).toEqual([edited.body]);
    expect((await ask("GET", `${X}?status=running`)).body.items).toEqual([]);
  });

  it.each([
    [{ flag: "nothing" }, 422, "unknown_flag", "flag"],
    [{ environment: "moon" }, 404, "environment_not_found", "environment"],
    [{ control: "wide" }, 422, "unknown_variant", "control"],
    [{ treatments: ["short", "wide"] }, 422, "unknown_variant", "treatments[1]"],
    [{ treatments: ["long"] }, 422, "invalid_field", "treatments[0]"],
    [{ metrics: { primary: ["buyers", "nothing"] } }, 422, "unknown_metric", "metrics.primary[1]"],
    [{ metrics: { primary: ["buyers"], guardrails: ["buyers"] } }, 422, "invalid_field", "metrics.guardrails[0]"],
    [
      { prediction: { metric: "revenue", mean: 0.1, interval: [0, 0.2], level: 0.8 } },
      422,
      "unknown_metric",
      "prediction.metric",
    ],
    [
      { prediction: { metric: "buyers", mean: 0.3, interval: [0, 0.2], level: 0.8 } },
      422,
      "invalid_field",
      "prediction.interval",
    ],
    [{ alertRoute: "shout" }, 422, "invalid_field", "alertRoute"],
    [{ plan: { smallestEffect: 0, horizonDays: 14 } }, 422, "invalid_field", "plan.smallestEffect"],
    [{ layer: { layer: "nothing", range: [0, 10] } }, 404, "layer_not_found", "layer.layer"],
  ])("that names %j is refused", async (over, status, code, field) => {
    const { body, ...answer } = await ask("POST", X, { ...DRAFT, ...over });
    expect([answer.status, body.code, body.field]).toEqual([status, code, field]);
  });

  it("is not shown to a token of another environment", async () => {
    await ask("POST", X, DRAFT);
    const { secret } = (await ask("POST", "/api/v1/tokens", { name: "t", role: "admin", environments: ["staging"] })).body;
    expect((await ask("GET", X, undefined, { as: secret })).body.items).toEqual([]);
    expect((await ask("GET", ONE, undefined, { as: secret })).body.code).toBe("experiment_not_found");
  });
});

describe("a start", () => {
  const pointsOf = async (over: object = {}): Promise<string[]> => {
    await ask("POST", X, { ...DRAFT, ...over });
    const { status, body } = await ask("POST", `${ONE}/start`, {});
    expect([status, body.code]).toEqual([409, "experiment_not_ready"]);
    return body.points.map(({ point }: { point: string }) => point);
  };

  it("is refused without a guardrail and without an alert route", async () => {
    await track(server);
    const { alertRoute: _, ...silent } = { ...DRAFT, metrics: { primary: ["buyers"] } };
    await ask("POST", X, silent);
    const { body } = await ask("POST", `${ONE}/start`, {});
    expect(body.points).toEqual([
      { point: "metrics.guardrails", reason: "it has no guardrail" },
      { point: "alertRoute", reason: "it has no alert route" },
    ]);
    await ask("PATCH", ONE, { metrics: { guardrails: ["errors"] } });
    expect((await ask("POST", `${ONE}/start`, {})).body.points).toMatchObject([{ point: "alertRoute" }]);
    await ask("PATCH", ONE, { alertRoute: "webhook:nowhere" });
    expect((await ask("POST", `${ONE}/start`, {})).body.points).toMatchObject([{ point: "alertRoute" }]);
    await ask("PATCH", ONE, { alertRoute: "slack:#sales" });
    expect((await ask("POST", `${ONE}/start`, {})).body.status).toBe("running");
  });

  it("is refused while no split tracks it", async () => {
    expect(await pointsOf()).toEqual(["split"]);
  });

  it("is refused while its split serves an arm that is none of it", async () => {
    await track(server, { weights: { long: 50, short: 25, none: 25 } });
    expect(await pointsOf()).toEqual(["split"]);
  });

  it("is refused while its flag is off", async () => {
    await track(server, { enabled: false });
    expect(await pointsOf()).toEqual(["flag"]);
  });

  it("freezes definition, metrics and prediction, and opens the first phase", async () => {
    await track(server, { weights: { long: 60, short: 40 } });
    const prediction = { metric: "buyers", mean: 0.05, interval: [0, 0.1], level: 0.8 };
    await ask("POST", X, { ...DRAFT, prediction });
    const { body } = await ask("POST", `${ONE}/start`, {});
    const epoch = (await ask("GET", `${E}/flags/checkout`)).body.revision;
    expect(body).toMatchObject({
      status: "running",
      startedAt: "2026-11-22T12:00:00.000Z",
      phases: [{ epoch, from: "2026-11-22T12:00:00.000Z", weights: { long: 0.6, short: 0.4 } }],
      frozen: { at: "2026-11-22T12:00:00.000Z", metrics: [{ key: "buyers", version: 1 }, { key: "errors" }, { key: "revenue" }] },
    });
    expect(body.frozen.hash).toMatch(/^[\w-]{43}$/);

    const frozen = await ask("PATCH", ONE, { prediction: { ...prediction, mean: 0.06 } });
    expect([frozen.status, frozen.body.code, frozen.body.field]).toEqual([409, "experiment_frozen", "prediction"]);
    for (const [field, value] of [
      ["plan", null],
      ["hypothesis", "x"],
      ["segments", ["a"]],
      ["metrics", { secondary: [] }],
    ] as const) {
      expect((await ask("PATCH", ONE, { [field]: value })).body).toMatchObject({ code: "experiment_frozen", field });
    }
    expect((await ask("PATCH", ONE, { alertRoute: null })).body).toMatchObject({
      code: "experiment_frozen",
      field: "alertRoute",
    });
    const open = await ask("PATCH", ONE, { owner: "ann", alertRoute: "slack:#sales" });
    expect([open.body.owner, open.body.frozen]).toEqual(["ann", body.frozen]);

    await ask("PATCH", `${P}/metrics/buyers`, { tolerance: 0.5 });
    expect((await ask("GET", ONE)).body.frozen.metrics[0]).toMatchObject({ version: 1, tolerance: 0.02 });
    expect((await ask("POST", `${P}/metrics/buyers/archive`, {})).body).toMatchObject({
      code: "in_use",
      users: "experiment checkout-test",
    });
    const { items } = (await ask("GET", `${P}/metrics/buyers/uses`)).body;
    expect(items).toEqual([{ key: "checkout-test", as: "primary", version: 1, status: "running", environment: "production" }]);
    expect((await ask("POST", `${ONE}/start`, {})).body).toMatchObject({
      code: "wrong_status",
      current: "running",
      needed: "draft",
    });
  });

  it("keeps its flag from the archive while it runs", async () => {
    await track(server);
    await ask("POST", X, DRAFT);
    await ask("POST", `${ONE}/start`, {});
    const { flag } = DRAFT;
    expect((await ask("POST", `${P}/flags/${flag}/archive`, {})).body).toMatchObject({
      status: 409,
      code: "in_use",
      users: "experiment checkout-test",
    });
    const bulk = await ask("POST", `${P}/flags/bulk`, { action: "archive", flags: [flag] });
    expect(bulk.body.results).toEqual([{ flag, outcome: "refused", code: "in_use", users: "experiment checkout-test" }]);
    await ask("POST", `${ONE}/stop`, {});
    expect((await ask("POST", `${P}/flags/${flag}/archive`, {})).body.archived).toBe(true);
  });

  it("is ended by a stop, once", async () => {
    await track(server);
    await ask("POST", X, DRAFT);
    expect((await ask("POST", `${ONE}/stop`, {})).body.code).toBe("wrong_status");
    await ask("POST", `${ONE}/start`, {});
    server.clock.now += 1_000;
    expect((await ask("POST", `${ONE}/stop`, {})).body).toMatchObject({
      status: "stopped",
      stoppedAt: "2026-11-22T12:00:01.000Z",
    });
  });
});

describe("a forecast", () => {
  it("sizes the experiment from the units of the last days", async () => {
    await track(server);
    await ask("POST", X, DRAFT);
    // 400 units in two days, a quarter of which buys after it was met.
    const exposures = Array.from({ length: 400 }, (_, index) => ({
      timeMs: NOON - 2 * 86_400_000,
      flag: "checkout",
      variant: "long",
      experiment: "earlier",
      epoch: 1,
      revision: 1,
      unit: `u${index}`,
    }));
    await server.receive({ exposures, atMs: NOON - 2 * 86_400_000 });
    const purchase = (index: number, timeMs: number) => ({ timeMs, name: "purchase", unit: `u${index}` });
    await server.receive({
      metrics: [
        ...Array.from({ length: 100 }, (_, index) => purchase(index, NOON - 1)),
        // Before it was met, and by somebody who was not.
        purchase(399, NOON - 3 * 86_400_000),
        purchase(1_000, NOON - 1),
      ],
    });
    const { body } = await ask("POST", `${ONE}/forecast`, {});
    expect([body.unitsPerDay, body.unitsFrom]).toEqual([200, "exposures"]);
    const [metric] = body.metrics;
    expect([metric.metric, metric.baselineFrom]).toEqual(["buyers", "exposures"]);
    expect(metric.baseline.mean).toBeCloseTo(0.25, 12);
    expect(metric.baseline.sd ** 2).toBeCloseTo((400 / 399) * 0.25 * 0.75, 12);
    // (1.96 + 0.8416)^2 / 0.025^2 x 0.19408 / (1/4), both arms together buying 26.25 %, and 7 % more for 14 looks.
    const both = (400 / 399) * 0.2625 * 0.7375;
    expect(metric.requiredUnits / ((7.8489 / 0.025 ** 2) * both * 4)).toBeCloseTo(1.0695, 3);
    expect([metric.requiredDays, metric.isWithinHorizon]).toEqual([Math.ceil(metric.requiredUnits / 200), false]);
    expect(metric.detectableEffect).toBeCloseTo(0.1 * Math.sqrt(metric.requiredUnits / 2_800), 3);
  });

  it("takes what it is told, and says what is missing", async () => {
    await ask("POST", X, DRAFT);
    const empty = (await ask("POST", `${ONE}/forecast`, {})).body;
    expect(empty).toEqual({
      unitsFrom: "nowhere",
      metrics: [
        {
          metric: "buyers",
          baselineFrom: "nowhere",
          missing: "no recent unit says what the metric is like without treatment",
        },
      ],
      overlaps: [],
    });
    const told = (await ask("POST", `${ONE}/forecast`, { unitsPerDay: 5_000, baselines: { buyers: { mean: 0.25, sd: 0.433 } } }))
      .body;
    expect(told.metrics[0]).toMatchObject({ baselineFrom: "request", isWithinHorizon: true });
    expect(told.metrics[0].requiredDays).toBe(3);
  });

  it("names running experiments that share its units, and those of the same layer share none", async () => {
    await ask("POST", `${P}/flags`, { key: "price" });
    await ask("PUT", `${E}/flags/price`, {
      enabled: true,
      rules: [],
      fallthrough: { weights: { on: 50, off: 50 }, share: 20, tracks: { experiment: "price-test" } },
    });
    await ask("POST", X, { ...DRAFT, key: "price-test", flag: "price", control: "off", treatments: ["on"] });
    expect((await ask("POST", `${X}/price-test/start`, {})).body.status).toBe("running");
    await track(server);
    await ask("POST", X, { ...DRAFT, metrics: { primary: ["buyers"] } });
    const { overlaps } = (await ask("POST", `${ONE}/forecast`, { unitsPerDay: 1, baselines: {} })).body;
    expect(overlaps).toEqual([{ experiment: "price-test", percentage: 20, ofThis: 20, metrics: ["buyers"] }]);
  });
});
