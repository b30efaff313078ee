import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { P } from "../app.fixture.ts";
import { NOON, type RecordingServer, recordingServer } from "../record-doors.fixture.ts";

let server: RecordingServer;
let ask: RecordingServer["ask"];
beforeAll(async () => {
  server = await recordingServer();
  ({ ask } = server);
  await server.receive({
    metrics: [
      { timeMs: NOON - 4, name: "purchase", unit: "ann", value: 10, properties: { country: "DE", net: 8 } },
      { timeMs: NOON - 3, name: "purchase", unit: "ann", value: 30, properties: { country: "DE" } },
      { timeMs: NOON - 2, name: "purchase", unit: "bob", properties: { country: "FR", net: 5 } },
      { timeMs: NOON - 1, name: "visit", unit: "cem" },
    ],
  });
});
afterAll(() => server.close());

const revenue = { key: "revenue", measure: { kind: "sum", events: { name: "purchase" } }, good: "increase" };
const selection = (over: object = {}): object => ({ measure: { kind: "sum", events: { name: "purchase", ...over } } });
const previewed = async (over: object): Promise<object> =>
  (await ask("POST", `${P}/metrics/preview`, selection(over))).body.selections[0];

describe("a metric", () => {
  it("is defined with what is usual, and read with its revision", async () => {
    const made = await ask("POST", `${P}/metrics`, revenue);
    const { revision, ...body } = made.body;
    expect([made.status, body]).toEqual([
      201,
      {
        project: "default",
        key: "revenue",
        description: "",
        tags: [],
        window: {},
        tolerance: 0.02,
        measure: revenue.measure,
        good: "increase",
        version: 1,
        archived: false,
        createdAt: "2026-11-22T12:00:00.000Z",
      },
    ]);
    const read = await ask("GET", `${P}/metrics/revenue`);
    expect([read.body, read.headers["etag"]]).toEqual([made.body, `"${revision}"`]);
    expect((await ask("POST", `${P}/metrics`, revenue)).body.code).toBe("already_exists");
  });

  it("gets a new version when what is measured changes, and not for words", async () => {
    const words = await ask("PATCH", `${P}/metrics/revenue`, { description: "Gross", owner: "ann" });
    expect([words.body.version, words.body.owner]).toEqual([1, "ann"]);
    const window = await ask("PATCH", `${P}/metrics/revenue`, { window: { toHours: 168 }, owner: null });
    expect([window.body.version, window.body.owner, window.body.window]).toEqual([2, undefined, { toHours: 168 }]);
    const stale = await ask(
      "PATCH",
      `${P}/metrics/revenue`,
      { tolerance: 0.01 },
      { headers: { "if-match": words.headers["etag"] as string } },
    );
    expect([stale.status, stale.body.change.action]).toEqual([412, "metric.edit"]);
  });

  it("of a kind there is not is told all kinds there are", async () => {
    const measure = { kind: "conversion", events: { name: "purchase" } };
    const { body } = await ask("POST", `${P}/metrics`, { key: "odd", measure, good: "increase" });
    expect([body.field, body.reason]).toEqual(["measure.kind", "it is none of the values in `allowed`"]);
    expect(body.allowed).toEqual(["proportion", "count", "retention", "sum", "mean", "ratio", "quantile", "funnel"]);
  });

  it("is archived and brought back, and not edited meanwhile", async () => {
    expect((await ask("POST", `${P}/metrics/revenue/archive`, {})).body.archived).toBe(true);
    expect((await ask("PATCH", `${P}/metrics/revenue`, { tolerance: 0.5 })).body.code).toBe("archived");
    expect((await ask("POST", `${P}/metrics/revenue/restore`, {})).body.archived).toBe(false);
    const { items } = (await ask("GET", `${P}/changes?limit=3`)).body;
    expect(items.map(({ action }: { action: string }) => action)).toEqual(["metric.restore", "metric.archive", "metric.edit"]);
  });

  it("survives a restart", async () => {
    const { documents } = await server.log.load();
    const found = documents.find(({ kind, key }) => kind === "metric" && key === "revenue");
    expect(found?.body).toMatchObject({ version: 2, archived: false, window: { toHours: 168 } });
  });
});

describe("a metric is checked against recent events", () => {
  it("counts events, units and values of its selection", async () => {
    expect(await previewed({})).toEqual({
      name: "purchase",
      named: 3,
      events: 3,
      units: 2,
      values: 2,
      mean: 20,
      min: 10,
      max: 30,
      lastSeen: "2026-11-22T11:59:59.998Z",
    });
    expect(await previewed({ valueProperty: "net" })).toMatchObject({ events: 3, values: 2, mean: 6.5, min: 5, max: 8 });
  });

  it.each([
    [{ property: "country", op: "in", value: ["DE"] }, 2, 1],
    [{ property: "country", op: "in", value: [false, "FR"] }, 1, 1],
    [{ property: "net", op: "exists", value: true }, 2, 2],
    [{ property: "net", op: "exists", value: false }, 1, 1],
    [{ property: "net", op: "gt", value: 5 }, 1, 1],
    [{ property: "net", op: "gte", value: 5 }, 2, 2],
    [{ property: "net", op: "lt", value: 8 }, 1, 1],
    [{ property: "net", op: "lte", value: 8 }, 2, 2],
    [{ property: "country", op: "lt", value: 8 }, 0, 0],
    [{ property: "constructor", op: "exists", value: true }, 0, 0],
  ])("filters by %j", async (filter, events, units) => {
    expect(await previewed({ filters: [filter] })).toMatchObject({ named: 3, events, units });
  });

  it("looks back as far as it was asked to", async () => {
    server.clock.now = NOON + 10 * 86_400_000;
    expect(await previewed({})).toEqual({ name: "purchase", named: 0, events: 0, units: 0, values: 0 });
    const { body } = await ask("POST", `${P}/metrics/preview`, { ...selection(), days: 11 });
    expect([body.from, body.selections[0].events]).toEqual(["2026-11-21T12:00:00.001Z", 3]);
    server.clock.now = NOON;
  });

  it("sees only the environment it is asked about", async () => {
    const { body } = await ask("POST", `${P}/metrics/preview`, { ...selection(), environment: "staging" });
    expect(body.selections[0].named).toBe(0);
    const nowhere = await ask("POST", `${P}/metrics/preview`, { ...selection(), environment: "moon" });
    expect(nowhere.body.code).toBe("environment_not_found");
  });

  it("reads a cap given as a quantile off recent units once, and keeps where it was", async () => {
    const order = (unit: string, value: number) => ({ timeMs: NOON, name: "order", unit, value });
    const sums = [10, 20, 30, 40, 50].flatMap((sum) => [order(`u${sum}`, sum - 1), order(`u${sum}`, 1)]);
    await server.receive({ metrics: [...sums, order("nothing", 0)] });
    const measure = { kind: "sum", events: { name: "order" }, cap: { quantile: 0.5 } };
    const saved = await ask("POST", `${P}/metrics`, { ...revenue, key: "capped", measure });
    expect([saved.status, saved.body.code]).toEqual([201, undefined]);
    const { at, quantile } = saved.body.measure.cap;
    expect([quantile, at]).toEqual([0.5, 30]);
    // What comes later moves nothing; words are edited without reading it anew.
    await server.receive({ metrics: [order("whale", 1e6), order("shark", 1e6)] });
    const edited = await ask("PATCH", `${P}/metrics/capped`, { description: "cut" });
    expect([edited.body.version, edited.body.measure.cap.at]).toEqual([1, at]);
    const nowhere = { kind: "sum", events: { name: "not-yet" }, cap: { quantile: 0.99 } };
    const refused = await ask("POST", `${P}/metrics`, { ...revenue, key: "later", measure: nowhere, unseen: true });
    expect([refused.status, refused.body.code, refused.body.field]).toEqual([422, "invalid_field", "measure.cap.quantile"]);
  });

  it("reads a cap over stretches as long as the window, and anew for another window", async () => {
    const hoursAgo = (hours: number, unit: string, value: number) => ({
      ...{ timeMs: NOON - hours * 3_600_000, name: "spend", unit, value },
    });
    // Of a day: 10 and 30, 20, 40, 50. Of a week: 40, 60, 50. Before the week, and within four of them: 1,000.
    await server.receive({
      metrics: [
        ...[hoursAgo(1, "ann", 10), hoursAgo(30, "ann", 30), hoursAgo(2, "bob", 15), hoursAgo(3, "bob", 5)],
        ...[hoursAgo(60, "bob", 40), hoursAgo(100, "cem", 50)],
      ],
    });
    server.clock.now = NOON - 20 * 86_400_000;
    await server.receive({ metrics: [hoursAgo(20 * 24, "dan", 1_000)] });
    server.clock.now = NOON;
    const measure = { kind: "sum", events: { name: "spend" }, cap: { quantile: 0.5 } };
    const capOver = async (key: string, window?: object): Promise<number> =>
      (await ask("POST", `${P}/metrics`, { ...revenue, key, measure, ...(window === undefined ? {} : { window }) })).body.measure
        .cap.at;
    expect(await capOver("spend-day", { toHours: 24 })).toBe(30);
    expect(await capOver("spend-later-day", { fromHours: 24, toHours: 48 })).toBe(30);
    expect(await capOver("spend-week", { toHours: 168 })).toBe(50);
    expect(await capOver("spend-month", { toHours: 672 })).toBe(55);
    expect(await capOver("spend-ever")).toBe(55);
    const week = await ask("PATCH", `${P}/metrics/spend-day`, { window: { toHours: 168 } });
    expect([week.body.version, week.body.measure.cap]).toEqual([2, { at: 50, quantile: 0.5 }]);
    const same = await ask("PATCH", `${P}/metrics/spend-day`, { window: { toHours: 168 }, tolerance: 0.01 });
    expect(same.body.measure.cap.at).toBe(50);
    const backwards = await ask("PATCH", `${P}/metrics/spend-day`, { window: { fromHours: 9, toHours: 3 } });
    expect([backwards.status, backwards.body.field]).toEqual([422, "window.toHours"]);
  });

  it("refuses to save what no event fits, unless told that it has not come yet", async () => {
    const typo = { ...revenue, key: "typo", measure: { kind: "count", events: { name: "purchse" } } };
    const refused = await ask("POST", `${P}/metrics`, typo);
    expect([refused.status, refused.body.code, refused.body.field]).toEqual([422, "metric_unseen", "measure.events"]);
    expect(refused.body.detail).toContain("there is no event of that name");
    const valueless = {
      ...revenue,
      key: "visits",
      measure: {
        kind: "ratio",
        numerator: { of: "values", events: { name: "visit" } },
        denominator: { of: "events", events: { name: "visit" } },
      },
    };
    const noValue = await ask("POST", `${P}/metrics`, valueless);
    expect([noValue.body.field, noValue.body.preview]).toMatchObject(["measure.numerator.events", { events: 1, values: 0 }]);
    expect((await ask("POST", `${P}/metrics`, { ...typo, unseen: true })).status).toBe(201);
  });
});

describe("a definition that cannot be computed is refused", () => {
  it.each([
    [{ measure: { kind: "retention", events: { name: "visit" } } }, "invalid_field", "window.toHours"],
    [{ window: { fromHours: 24, toHours: 24 } }, "invalid_field", "window.toHours"],
    [{ measure: { kind: "funnel", steps: [{ name: "visit" }] } }, "invalid_field", "measure.steps"],
    [{ measure: { kind: "quantile", events: { name: "purchase" }, quantile: 1 } }, "invalid_field", "measure.quantile"],
    [{ tolerance: 0 }, "invalid_field", "tolerance"],
    [
      { measure: { kind: "count", events: { name: "visit", filters: [{ property: "a", op: "in", value: "x" }] } } },
      "invalid_value",
      "measure.events.filters[0].value",
    ],
    [
      { measure: { kind: "count", events: { name: "visit", filters: [{ property: "a", op: "like", value: "x" }] } } },
      "unknown_operator",
      "measure.events.filters[0].op",
    ],
  ])("%j", async (over, code, field) => {
    const { body } = await ask("POST", `${P}/metrics`, { ...revenue, key: "broken", ...over });
    expect([body.code, body.field]).toEqual([code, field]);
    expect((await ask("GET", `${P}/metrics/broken`)).body.code).toBe("metric_not_found");
  });
});
