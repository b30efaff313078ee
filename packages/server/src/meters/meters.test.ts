import { Registry } from "prom-client";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import { asJson } from "../control/decision.ts";
import { allStreams } from "../control/streams.ts";
import { ProblemError } from "../http/problem.ts";
import { InstanceRegistry } from "../instances/registry.ts";
import type { ProjectState } from "../state/workspace.ts";
import type { EventStoreStatus, LedgerLine } from "../store/events/event-store.ts";
import { meteredLog } from "./log-meters.ts";
import { meterParts } from "./parts.ts";
import { Places } from "./places.ts";

const CLIENTS = 10_000;
const FLAGS = 5_000;

const STATUS: EventStoreStatus = {
  spoolBytes: 10,
  spoolBytesMax: 100,
  lagMs: 1_500,
  instances: 0,
  accepted: 7,
  duplicates: 2,
  fault: undefined,
};

let registry: Registry;
let instances: InstanceRegistry;
let server: TestServer;
let lines: LedgerLine[];
let status: EventStoreStatus;
let asked: number;
const clock = { now: Date.parse("2026-11-22T12:00:00Z") };

beforeEach(async () => {
  registry = new Registry();
  instances = new InstanceRegistry(() => clock.now);
  lines = [];
  status = STATUS;
  asked = 0;
  server = await testServer({ instances, meters: { registry, isOpenHere: false } });
  meterParts(registry, {
    control: server.control,
    instances,
    events: {
      ledger: async () => {
        asked += 1;
        return lines;
      },
      status: () => status,
    },
    intake: { rejected: 3 },
    deliveries: { totals: async () => ({ pending: 4, dead: 1 }) },
    tower: { reading: () => undefined, uncovered: () => [] },
    pulse: { silent: () => [], uncovered: () => [] },
    now: () => clock.now,
  });
});
afterEach(() => server.close());

/** Series as the scraper gets them, comments left out. */
async function scrape(as?: string): Promise<Map<string, number>> {
  const { status: code, text } = await server.ask("GET", "/metrics", undefined, as === undefined ? {} : { as });
  expect(code).toBe(200);
  const rows = text.split("\n").filter((row) => row !== "" && !row.startsWith("#"));
  return new Map(rows.map((row) => [row.slice(0, row.lastIndexOf(" ")), Number(row.slice(row.lastIndexOf(" ") + 1))]));
}

const named = (series: Map<string, number>, start: string): [string, number][] =>
  [...series].filter(([name]) => name.startsWith(start));

/** Names of all series but those of the process that come and go with what it waits for and collects. */
const lasting = (series: Map<string, number>): string[] =>
  [...series.keys()].filter((name) => !/^nodejs_(active|gc)_/.test(name));

describe("what the meters say", () => {
  it("counts events, streams, messages and what the ledger adds up to", async () => {
    lines = [arm("e", "i1")];
    await scrape();
    const series = await scrape();
    const place = 'project="default",environment="production",kind="experiment",key="e"';
    expect(Object.fromEntries(series)).toMatchObject({
      belay_events_accepted_total: 7,
      belay_events_duplicate_total: 2,
      belay_events_rejected_total: 3,
      belay_spool_bytes: 10,
      belay_spool_bytes_max: 100,
      belay_event_store_lag_seconds: 1.5,
      belay_event_store_up: 1,
      belay_streams_open: 0,
      belay_streams_slow_total: 0,
      'belay_webhook_messages{state="pending"}': 4,
      'belay_webhook_messages{state="dead"}': 1,
      [`belay_ledger_exposures{${place},count="produced"}`]: 5,
      [`belay_ledger_exposures{${place},count="stored"}`]: 4,
      [`belay_ledger_exposures{${place},count="dropped"}`]: 1,
    });
  });

  it("asks the ledger about news once a minute at most, and without news after ten", async () => {
    await scrape();
    await scrape();
    expect(asked).toBe(1);
    clock.now += 60_000;
    await scrape();
    expect(asked).toBe(1);
    status = { ...STATUS, accepted: 8 };
    await scrape();
    expect(asked).toBe(2);
    clock.now += 600_000;
    await scrape();
    expect(asked).toBe(3);
  });

  it("times a change from going live to each application that takes it, once, and no newcomer", async () => {
    const place = { id: "k", project: "default", environment: "production", kind: "server" as const };
    const say = (instance: string, revision: number): void => instances.note(place, { instance, sdk: "t/1", revision });
    const before = server.control.workspace.projects.get("default")?.environments.get("production")?.revision ?? 0;
    say("a", before);
    say("b", before);
    await server.ask("POST", `${P}/flags`, { key: "f", type: "boolean" });
    const after = server.control.workspace.projects.get("default")?.environments.get("production")?.revision ?? 0;
    clock.now += 40;
    say("a", after);
    say("new", after);
    clock.now += 30_000;
    say("b", after);
    say("a", after);
    const series = await scrape();
    expect(after).toBe(before + 1);
    expect(series.get("belay_propagation_seconds_count")).toBe(2);
    expect(series.get("belay_propagation_seconds_sum")).toBeCloseTo(30.08, 6);
    expect(series.get('belay_propagation_seconds_bucket{le="0.05"}')).toBe(1);
    expect(series.get('belay_changes_total{project="default",environment="production"}')).toBe(1);
    expect(series.get("belay_flags")).toBe(1);
  });

  it("counts requests by pattern and class of status", async () => {
    await server.ask("GET", `${P}/flags/nothing`);
    await server.ask("GET", `${P}/flags/nothing-else`);
    await server.ask("GET", "/no/such/door");
    const series = await scrape();
    expect(series.get('belay_http_requests_total{method="GET",route="/api/v1/projects/:project/flags/:flag",status="4xx"}')).toBe(
      2,
    );
    expect(series.get('belay_http_requests_total{method="",route="",status="4xx"}')).toBe(1);
    expect([...series.keys()].filter((name) => name.startsWith("belay_http") && name.includes('route=""'))).toHaveLength(1);
  });

  it("counts and times an answer once, whatever its method", async () => {
    const before = await scrape();
    for (const method of ["GET", "HEAD", "GET"]) await server.ask(method, "/health/live");
    const after = await scrape();
    const grown = (name: string): number => (after.get(name) ?? 0) - (before.get(name) ?? 0);
    const counted = (method: string): string => `belay_http_requests_total{method="${method}",route="/health/live",status="2xx"}`;
    expect([grown(counted("GET")), grown(counted("HEAD"))]).toEqual([2, 1]);
    expect(grown('belay_http_request_seconds_count{route="/health/live"}')).toBe(3);
    expect(grown('belay_http_request_seconds_bucket{le="+Inf",route="/health/live"}')).toBe(3);
  });
});

describe("fault 61: series", () => {
  it(`are as many for ${CLIENTS} clients and ${FLAGS} flags as for a few`, async () => {
    const clients = (from: number, to: number): void => {
      for (let n = from; n < to; n += 1) {
        const place = { id: `k${n}`, project: "default", environment: "production", kind: "server" as const };
        instances.note(place, { instance: `i${n}`, sdk: `sdk/${n}`, revision: 1 });
      }
    };
    const ask = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n += 1) {
        await server.ask("GET", `${P}/flags/f${n}`);
        await server.ask("GET", `/nowhere/${n}?unit=u${n}`);
      }
    };
    await server.ask("POST", `${P}/flags`, { key: "f0" });
    clients(0, 30);
    await ask(0, 5);
    lines = Array.from({ length: 30 }, (_, n) => arm(`e${n}`, `i${n}`));
    await scrape();
    const few = await scrape();

    await copyFlag("f0", FLAGS);
    clients(30, CLIENTS);
    await ask(5, 200);
    lines = Array.from({ length: FLAGS }, (_, n) => arm(`e${n}`, `i${n}`, n));
    clock.now += 3_600_000;
    await scrape();
    const many = await scrape();
    expect(many.get("belay_flags")).toBe(FLAGS);
    expect(lasting(many).length).toBe(lasting(few).length);
    expect(many.size).toBeLessThan(600);
    expect(named(many, "belay_ledger_exposures")).toHaveLength(21 * 7);
    const text = [...many.keys()].join("\n");
    expect(text).not.toMatch(/"(i|u|f|sdk\/)\d+"/);
  });

  it("of places that go on being made fall together beyond a bound", () => {
    const places = new Places(3);
    const labels = Array.from({ length: 100 }, (_, n) => places.labels(`p${n}`, "production").project);
    expect([...new Set(labels)]).toEqual(["p0", "p1", "p2", "(other)"]);
    expect(places.labels("p1", "production")).toEqual({ project: "p1", environment: "production" });
  });
});

describe("who may read them", () => {
  it("is a viewer of all projects; a token for some is refused", async () => {
    const make = async (more: object): Promise<string> =>
      (await server.ask("POST", "/api/v1/tokens", { name: "t", role: "viewer", ...more })).body.secret;
    expect((await scrape(await make({}))).size).toBeGreaterThan(50);
    for (const scope of [{ projects: ["default"] }, { environments: ["production"] }]) {
      const { status: code, body } = await server.ask("GET", "/metrics", undefined, { as: await make(scope) });
      expect([code, body.code]).toEqual([403, "forbidden"]);
    }
    expect((await server.ask("GET", "/metrics", undefined, { as: "nobody" })).status).toBe(401);
  });

  it("is anybody on this machine where that is set, and nobody a proxy speaks for", async () => {
    const open = await testServer({ meters: { registry: new Registry(), isOpenHere: true } });
    const code = async (remoteAddress: string, headers: Record<string, string> = {}): Promise<number> =>
      (await open.app.inject({ method: "GET", url: "/metrics", remoteAddress, headers })).statusCode;
    expect([await code("127.0.0.1"), await code("::1"), await code("::ffff:127.0.0.1")]).toEqual([200, 200, 200]);
    expect([await code("10.0.0.1"), await code("127.0.0.1", { "x-forwarded-for": "203.0.113.9" })]).toEqual([401, 401]);
    await open.close();
  });
});

describe("the change log's meters", () => {
  it("show that it is away, from the first refused question to the first answer", async () => {
    const own = new Registry();
    let isAway = false;
    const log = meteredLog(
      new Proxy(server.log, {
        get: (target, name) => {
          if (isAway && name === "takeLease") {
            return async () => {
              throw new ProblemError("store_unavailable", { store: "The change log", reason: "gone", retryAfterS: 1 });
            };
          }
          const value = Reflect.get(target, name, target);
          return typeof value === "function" ? value.bind(target) : value;
        },
      }),
      own,
      () => clock.now,
    );
    const values = async (): Promise<unknown[]> => [
      (await own.getSingleMetric("belay_change_log_up")?.get())?.values[0]?.value,
      (await own.getSingleMetric("belay_lease_held")?.get())?.values.map(({ labels, value }) => [labels["lease"], value]),
    ];
    const take = (holder: string): Promise<number | undefined> =>
      log.takeLease("clock", holder, { now: clock.now, until: clock.now + 1_000 });
    expect(await take("me")).toBe(1);
    expect(await values()).toEqual([1, [["clock", 1]]]);
    isAway = true;
    await expect(take("me")).rejects.toThrow(ProblemError);
    clock.now += 2_000;
    expect(await values()).toEqual([0, [["clock", 0]]]);
    isAway = false;
    expect(await take("me")).toBe(2);
    expect(await values()).toEqual([1, [["clock", 1]]]);
    await log.releaseLease("clock", "me");
    expect(await values()).toEqual([1, [["clock", 0]]]);
  });
});

/** Makes so many flags of one in a single change: one by one they would take minutes. */
async function copyFlag(key: string, count: number): Promise<void> {
  const project = server.control.workspace.projects.get("default") as ProjectState;
  const body = asJson(project.flags.get(key)?.body as object);
  const keys = Array.from({ length: count - 1 }, (_, n) => `f${n + 1}`);
  await server.control.execute({
    origin: { actor: { id: "test", name: "Test" }, requestId: "copies" },
    decide: () => ({
      kind: "edit",
      action: "flag.create",
      stream: { project: project.key },
      target: { kind: "flag", key },
      raises: allStreams(project),
      documents: keys.map((copy) => ({ kind: "flag", project: project.key, key: copy, body })),
      answer: undefined,
      revision: project.revision + 1,
    }),
  });
}

function arm(experiment: string, instance: string, produced = 5): LedgerLine {
  const counts = { produced, dropped: 1, stored: Math.max(0, produced - 1), duplicates: 0 };
  return { environment: "production", instance, experiment, release: undefined, variant: "on", ...counts, seenAtMs: clock.now };
}
