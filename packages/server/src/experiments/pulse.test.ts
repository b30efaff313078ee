import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { recordDoors } from "../record-doors.ts";
import { type ReleaseServer, releaseServer } from "../releases/desk.fixture.ts";
import { ERRORS } from "../releases/release.fixture.ts";
import { type EventStore, openEventStore } from "../store/events/index.ts";
import { DRAFT, layGround, track } from "./experiments.fixture.ts";
import { gapOf, SILENT_AFTER_MS, silencesOf } from "./pulse.ts";

const T0 = Date.parse("2026-11-22T12:00:00.000Z");
const HOUR_MS = 3_600_000;
const STARTED = { startedAt: new Date(T0).toISOString() };

it.each([
  ["not before its time is over, with nothing heard at all", {}, SILENT_AFTER_MS, []],
  ["once it is over", {}, SILENT_AFTER_MS + 1, ["exposures-silent", "metrics-silent"]],
  ["of what stopped alone", { exposuresAt: T0 + HOUR_MS }, SILENT_AFTER_MS + 1, ["metrics-silent"]],
  [
    "counted from the last that was heard",
    { exposuresAt: T0, metricsAt: T0 + HOUR_MS },
    SILENT_AFTER_MS + 1,
    ["exposures-silent"],
  ],
  ["not because of what was heard before it started", { exposuresAt: 0, metricsAt: 0 }, SILENT_AFTER_MS, []],
] as const)("is silent %s", (_, heard, afterMs, silences) => {
  expect(silencesOf(STARTED, heard, T0 + afterMs)).toEqual(silences);
});

it("is not covered without a guardrail, or without a route for alarms", () => {
  const metrics = { primary: ["buyers"], secondary: [], guardrails: ["errors"] };
  expect(gapOf({ metrics, alertRoute: "mailto:a@b.example" })).toBeUndefined();
  expect(gapOf({ metrics })).toBe("no-alert-route");
  expect(gapOf({ metrics: { ...metrics, guardrails: [] }, alertRoute: "mailto:a@b.example" })).toBe("no-guardrail");
});

describe("on a server", () => {
  let folder: TempDir;
  let events: EventStore;
  let server: ReleaseServer;
  beforeEach(async () => {
    folder = await tempDir("pulse");
    events = await openEventStore({ directory: folder.path, database: "here", segmentAgeMs: 50 });
    server = await releaseServer({ doors: [recordDoors({ events, now: () => server.clock.now })] });
  });
  afterEach(async () => {
    await server.close();
    await events.close();
    await folder.remove();
  });

  const KEY = DRAFT.key;

  async function run(): Promise<void> {
    const { ask } = server;
    await layGround(server as never);
    await track(server as never);
    expect((await ask("POST", `${P}/experiments`, DRAFT)).status).toBe(201);
    expect((await ask("POST", `${P}/experiments/${KEY}/start`, {})).status).toBe(200);
  }

  const exposure = { seq: 1, timeMs: T0, unit: "u1", flag: "checkout", variant: "short", experiment: KEY, epoch: 1, revision: 1 };
  const purchase = { seq: 2, timeMs: T0, unit: "u1", name: "purchase" };

  it("tells once what fell silent, and again only when it fell silent again", async () => {
    await run();
    const { clock, pulse, notices, acknowledge } = server;
    const told = (): string[] => notices.splice(0).map(({ type, text, to }) => `${type} to ${to}: ${text}`);
    acknowledge({ exposures: [exposure], metrics: [purchase] });
    clock.now += SILENT_AFTER_MS;
    pulse.look();
    expect(told()).toEqual([]);
    // Somebody else's event, and one of another environment, are no pulse of this one.
    acknowledge({ exposures: [exposure], metrics: [{ ...purchase, name: "other" }] });
    acknowledge({ environment: "staging", metrics: [purchase] });
    clock.now += 1;
    pulse.look();
    pulse.look();
    expect(told()).toEqual([
      "experiment.silent to mailto:team@example.org: Experiment `checkout-test` in production: no events of its metrics since 2026-11-22T12:00:00.000Z",
    ]);
    acknowledge({ metrics: [purchase] });
    pulse.look();
    expect(told()).toEqual([]);
    clock.now += SILENT_AFTER_MS + 1;
    pulse.look();
    expect(told().map((text) => text.replace(/since.*/, ""))).toEqual([
      "experiment.silent to mailto:team@example.org: Experiment `checkout-test` in production: no exposures ",
      "experiment.silent to mailto:team@example.org: Experiment `checkout-test` in production: no events of its metrics ",
    ]);
    await server.ask("POST", `${P}/experiments/${KEY}/stop`, {});
    clock.now += 10 * SILENT_AFTER_MS;
    pulse.look();
    expect(told()).toEqual([]);
  });

  it("leaves no release and no experiment uncovered, through all that can be done to them", async () => {
    await run();
    const { ask } = server;
    const stages = [50, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 60 }, gates: [] }));
    await ask("POST", `${P}/flags`, { key: "search" });
    await ask("POST", `${E}/releases`, {
      key: "search",
      flag: "search",
      stages,
      guardrails: [ERRORS],
      alertRoutes: ["slack:#r"],
    });
    const at = `${E}/releases/search`;
    const steps: [string, string, object][] = [
      ["POST", `${at}/ready`, {}],
      ["POST", `${at}/start`, {}],
      ["POST", `${at}/hold`, {}],
      ["PATCH", `${P}/experiments/${KEY}`, { alertRoute: null }],
      ["PATCH", `${P}/experiments/${KEY}`, { metrics: { guardrails: [] } }],
      ["POST", `${at}/resume`, {}],
      ["PUT", `${E}/flags/search/rollout`, { percentage: 10 }],
      ["POST", `${P}/freeze`, { reason: "incident" }],
      ["POST", `${P}/freeze/leave`, {}],
      ["POST", `${at}/rollback`, {}],
      ["POST", `${P}/experiments/${KEY}/stop`, {}],
    ];
    const seen: unknown[] = [];
    for (const [method, path, body] of steps) {
      const { status } = await ask(method, path, body);
      seen.push([status, (await ask("GET", `${P}/uncovered`)).body.items]);
    }
    // A running experiment keeps its guardrails and its route: taking them away is refused, or comes to nothing.
    expect(seen.map((one) => (one as [number, unknown[]])[1])).toEqual(steps.map(() => []));
    expect(seen.map((one) => (one as [number, unknown[]])[0])).toEqual([200, 200, 200, 409, 409, 200, 200, 200, 200, 200, 200]);
  });
});
