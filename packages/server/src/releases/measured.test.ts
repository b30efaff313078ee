import type { GuardrailDraft, MetricCreation } from "@belay/protocol";
import { afterEach, beforeEach, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { recordDoors } from "../record-doors.ts";
import type { EventStore } from "../store/events/index.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { pointOf } from "./placement.ts";
import { ERRORS } from "./release.fixture.ts";

/** Metrics are saved without a look at events: nothing is asked of the store. */
const NO_EVENTS = {} as EventStore;

let server: ReleaseServer;
beforeEach(async () => {
  server = await releaseServer({ doors: [recordDoors({ events: NO_EVENTS, now: Date.now })] });
  const { ask } = server;
  await ask("POST", `${P}/flags`, { key: "checkout" });
  for (const metric of METRICS) expect((await ask("POST", `${P}/metrics`, { ...metric, unseen: true })).status).toBe(201);
  await ask("POST", `${P}/metrics/old/archive`, {});
});
afterEach(() => server.close());

const PAID = { property: "state", op: "in", value: ["paid"] } as const;
const VISITS = { of: "events", events: { name: "visit" } } as const;

const METRICS: readonly MetricCreation[] = [
  { key: "crashes", measure: { kind: "proportion", events: { name: "crash" } }, good: "decrease", tolerance: 0.3 },
  { key: "buyers", measure: { kind: "proportion", events: { name: "purchase" } }, good: "increase" },
  { key: "latency", measure: { kind: "mean", events: { name: "took" }, cap: { at: 5_000 } }, good: "decrease" },
  { key: "uncapped", measure: { kind: "mean", events: { name: "took" } }, good: "decrease" },
  {
    key: "mobile",
    measure: { kind: "proportion", events: { name: "crash", filters: [{ property: "os", op: "in", value: ["ios"] }] } },
    good: "decrease",
  },
  {
    key: "baskets",
    measure: { kind: "mean", events: { name: "order", filters: [PAID], valueProperty: "total" }, cap: { at: 400 } },
    good: "increase",
  },
  { key: "visits", measure: { kind: "count", events: { name: "visit" } }, good: "increase" },
  { key: "revenue", measure: { kind: "sum", events: { name: "order" }, cap: { at: 400 } }, good: "increase" },
  { key: "rate", measure: { kind: "ratio", numerator: VISITS, denominator: VISITS }, good: "increase" },
  { key: "slowest", measure: { kind: "quantile", events: { name: "took" }, quantile: 0.95 }, good: "decrease" },
  {
    key: "back",
    measure: { kind: "retention", events: { name: "visit" } },
    window: { fromHours: 24, toHours: 48 },
    good: "increase",
  },
  { key: "bought", measure: { kind: "funnel", steps: [{ name: "visit" }, { name: "order" }] }, good: "increase" },
  { key: "soon", measure: { kind: "proportion", events: { name: "order" } }, window: { toHours: 24 }, good: "increase" },
  { key: "strict", measure: { kind: "proportion", events: { name: "crash" } }, good: "decrease", tolerance: 0.01 },
  { key: "old", measure: { kind: "proportion", events: { name: "crash" } }, good: "decrease" },
];

const stages = [{ name: "Half", percentage: 50, hold: { minDurationS: 60 }, gates: [] }];
const rest = { onBreach: "rollback", staleAfterS: 600 } as const;

async function drafted(guardrail: object): Promise<{ status: number; body: Record<string, never> }> {
  const draft = { key: "checkout", flag: "checkout", stages, guardrails: [guardrail], alertRoutes: ["slack:#r"] };
  return server.ask("POST", `${E}/releases`, draft);
}

it.each<[GuardrailDraft, object]>([
  [
    { metric: "crashes", ...rest },
    { measure: { kind: "failures", event: "crash" }, harm: "increase", margin: 0.3, metricVersion: 1 },
  ],
  [
    { metric: "buyers", ...rest },
    {
      measure: { kind: "failures", event: "purchase" },
      harm: "decrease",
      margin: expect.closeTo(0.02 / 0.98, 12),
      metricVersion: 1,
    },
  ],
  [
    { metric: "latency", scale: 20, margin: 50, ...rest },
    { measure: { kind: "values", event: "took", cap: 5_000, scale: 20 }, harm: "increase", margin: 50, metricVersion: 1 },
  ],
  [
    { metric: "strict", margin: 0.1, tolerance: 0.05, ...rest },
    { measure: { kind: "failures", event: "crash" }, harm: "increase", margin: 0.1, tolerance: 0.05, metricVersion: 1 },
  ],
  [
    { metric: "mobile", margin: 0.1, ...rest },
    {
      measure: { kind: "failures", event: "crash", filters: [{ property: "os", op: "in", value: ["ios"] }] },
      harm: "increase",
      margin: 0.1,
      metricVersion: 1,
    },
  ],
  [
    { metric: "baskets", scale: 5, margin: 10, ...rest },
    {
      measure: { kind: "values", event: "order", filters: [PAID], valueProperty: "total", cap: 400, scale: 5 },
      harm: "decrease",
      margin: 10,
      metricVersion: 1,
    },
  ],
  [ERRORS, { measure: ERRORS.measure, harm: "increase", margin: 0.5 }],
])("takes from the metric what a guardrail leaves out: %j", async (draft, taken) => {
  const { status, body } = await drafted(draft);
  expect([status, body["guardrails"]]).toEqual([201, [{ metric: draft.metric, ...rest, ...taken }]]);
});

it.each([
  ["unknown_metric", "guardrails[0].metric", { metric: "none", ...rest }],
  ["unknown_metric", "guardrails[0].metric", { metric: "old", ...rest }],
  ["invalid_field", "guardrails[0].metric", { metric: "visits", ...rest }],
  [
    "invalid_value",
    "guardrails[0].measure.filters[1].value",
    { ...ERRORS, measure: { ...ERRORS.measure, filters: [PAID, { ...PAID, op: "gt" }] } },
  ],
  ["invalid_field", "guardrails[0].metric", { metric: "uncapped", scale: 1, margin: 1, ...rest }],
  ["invalid_field", "guardrails[0].scale", { metric: "latency", margin: 50, ...rest }],
  ["invalid_field", "guardrails[0].margin", { metric: "latency", scale: 20, ...rest }],
])("refuses what no guardrail can count, by field: %s %s %j", async (code, field, draft) => {
  const { status, body } = await drafted(draft);
  expect([status, body["code"], body["field"]]).toEqual([422, code, field]);
});

it.each([
  ["visits", "record the count as a value"],
  ["revenue", "guard fewer first events (`failures`) and smaller ones (`values`)"],
  ["rate", "record the ratio as the value of an event"],
  ["slowest", "with a filter for what is beyond the bound"],
  ["back", "a guardrail knows no age of units"],
  ["bought", "`failures` with the last step"],
  ["soon", "so no window: say `measure`"],
])("says of %s what to guard instead: %s", async (metric, way) => {
  const { status, body } = await drafted({ metric, scale: 1, margin: 1, ...rest });
  expect([status, body["code"], body["field"]]).toEqual([422, "invalid_field", "guardrails[0].metric"]);
  expect(String(body["detail"])).toContain(way);
});

it("is kept as it was when the metric changes, may be sent back as read, and serves templates and edits", async () => {
  const { ask } = server;
  const { body } = await drafted({ metric: "crashes", ...rest });
  await ask("PATCH", `${P}/metrics/crashes`, { tolerance: 0.5 });
  const read = (await ask("GET", `${E}/releases/checkout`)).body;
  expect(read.guardrails).toEqual(body["guardrails"]);
  const same = await ask("PATCH", `${E}/releases/checkout`, { guardrails: read.guardrails });
  expect([same.status, same.body.guardrails]).toEqual([200, read.guardrails]);
  const anew = await ask("PATCH", `${E}/releases/checkout`, { guardrails: [{ metric: "crashes", ...rest }] });
  expect(anew.body.guardrails).toMatchObject([{ margin: 0.5, metricVersion: 2 }]);
  const template = await ask("PUT", `${P}/release-templates/usual`, { stages, guardrails: [{ metric: "buyers", ...rest }] });
  expect(template.body.guardrails).toMatchObject([{ harm: "decrease", metricVersion: 1 }]);
  expect((await ask("PUT", `${P}/release-templates/usual`, { stages, guardrails: [{ metric: "x", ...rest }] })).status).toBe(422);
});

it("judges what the metric means: fewer of what should not fall are harm", async () => {
  const { ask, acknowledge, clock } = server;
  await drafted({ metric: "buyers", ...rest });
  await ask("POST", `${E}/releases/checkout/ready`, {});
  await ask("POST", `${E}/releases/checkout/start`, {});
  const { salt } = (await ask("GET", `${P}/flags/checkout`)).body.spaces.share;
  const control = Array.from({ length: 40 }, (_, index) => `u${index}`).filter((unit) => pointOf(salt, unit) >= 500_000);
  acknowledge({
    metrics: control.slice(0, 8).map((unit, index) => ({ seq: index + 1, timeMs: clock.now, name: "purchase", unit })),
  });
  const [state] = (await ask("GET", `${E}/releases/checkout/guardrails`)).body.items;
  // Eight of eight buyers are control's, at one half.
  expect(state).toMatchObject({ metric: "buyers" });
  expect(state.logEvidence).toBeGreaterThan(1);
});
