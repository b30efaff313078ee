import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, test } from "vitest";
import { P, type TestServer, testServer } from "../app.fixture.ts";
import { eventDoors } from "../exposures/routes.ts";
import { recordDoors } from "../record-doors.ts";
import { batchOf, exposureOf, metricOf } from "../store/events/events.fixture.ts";
import { type EventStore, openEventStore } from "../store/events/index.ts";
import { RetentionKeeper } from "./keeper.ts";

const DAY_MS = 86_400_000;

let folder: TempDir;
let events: EventStore;
let server: TestServer;
let faults: string[];
let keeper: RetentionKeeper;

beforeEach(async () => {
  folder = await tempDir("retention");
  events = await openEventStore({ directory: folder.path, database: "here", segmentAgeMs: 50 });
  const doors = [
    (access: Parameters<ReturnType<typeof recordDoors>>[0]) => eventDoors({ access, events, hasEnvironment: () => true }),
    recordDoors({ events, now: Date.now }),
  ];
  server = await testServer({ doors });
  faults = [];
  keeper = new RetentionKeeper({
    control: server.control,
    events,
    now: () => server.clock.now,
    onFault: (error, project) => void faults.push(`${project}: ${String(error)}`),
  });
});
afterEach(async () => {
  await keeper.close();
  await server.close();
  await events.close();
  await folder.remove();
});

/** One exposure and one metric event of a project, received so many days ago. */
async function received(daysAgo: number, seq: number, project = "default", unit = "ann"): Promise<void> {
  const receivedAtMs = server.clock.now - daysAgo * DAY_MS;
  await events.append(
    batchOf({ project, receivedAtMs, exposures: [exposureOf(seq, { unit })], metrics: [metricOf(seq + 1, { unit })] }),
  );
}

const left = async (kind: "exposures" | "metric-events" = "exposures", project = "default"): Promise<number> =>
  (await server.ask("GET", `/api/v1/projects/${project}/${kind}/estimate`)).body.rows;

test("events go after 400 days where nobody said otherwise, and no day before", async () => {
  expect((await server.ask("GET", `${P}/retention`)).body).toEqual({ days: 400 });
  await received(401, 1);
  await received(399, 3);
  expect(await keeper.sweep()).toBe(2);
  expect([await left(), await left("metric-events")]).toEqual([1, 1]);
  server.clock.now += 2 * DAY_MS;
  expect(await keeper.sweep()).toBe(2);
  expect([await left(), await left("metric-events")]).toEqual([0, 0]);
  expect(faults).toEqual([]);
});

test("a project says how long; it is audited with before and after, and others keep theirs", async () => {
  await server.ask("POST", "/api/v1/projects", { key: "other" });
  await received(31, 1);
  await received(31, 1, "other");
  const set = await server.ask("PUT", `${P}/retention`, { days: 30, reason: "less is enough" });
  expect([set.status, set.body]).toEqual([200, { days: 30 }]);
  expect((await server.ask("PUT", `${P}/retention`, { days: 30 })).headers["etag"]).toBe(set.headers["etag"]);
  expect(await keeper.sweep()).toBe(2);
  expect([await left(), await left("exposures", "other")]).toEqual([0, 1]);
  const { items } = (await server.ask("GET", `${P}/changes?action=project.retention`)).body;
  expect(items).toMatchObject([{ reason: "less is enough", before: { days: 400 }, after: { days: 30 } }]);
});

test.each([6, 3_651, 30.5, "30", null])("%s days are refused and change nothing", async (days) => {
  const { status, body } = await server.ask("PUT", `${P}/retention`, { days });
  expect([status, body.field]).toEqual([422, "days"]);
  expect((await server.ask("GET", `${P}/retention`)).body).toEqual({ days: 400 });
});

test("one project that fails costs no other, and the next sweep makes up for it", async () => {
  await server.ask("POST", "/api/v1/projects", { key: "other" });
  await received(401, 1);
  await received(401, 1, "other");
  let failures = 1;
  const failing = new RetentionKeeper({
    control: server.control,
    events: {
      retain: (project, sinceMs) => {
        failures -= 1;
        return failures === 0 ? Promise.reject(new Error("away")) : events.retain(project, sinceMs);
      },
    },
    now: () => server.clock.now,
    onFault: (error, project) => void faults.push(`${project}: ${String(error)}`),
    everyMs: 20,
  });
  await expect.poll(async () => (await left()) + (await left("exposures", "other")), { timeout: 5_000 }).toBe(0);
  expect(faults).toEqual(["default: Error: away"]);
  await failing.close();
});

test("erasing a unit takes all it did out, in every environment, and the audit row does not name it", async () => {
  await received(1, 1);
  await received(1, 3, "default", "bob");
  await events.append(batchOf({ environment: "staging", exposures: [exposureOf(1, { unit: "ann" })] }));
  const erased = await server.ask("DELETE", `${P}/units/ann?reason=request%2017`);
  expect([erased.status, erased.body]).toEqual([
    200,
    { events: 3, target: expect.stringMatching(/^sha256:[0-9a-f]{32}$/) as string },
  ]);
  expect([await left(), await left("metric-events")]).toEqual([1, 1]);
  const { items } = (await server.ask("GET", `${P}/changes?action=unit.erase`)).body;
  expect(items).toMatchObject([{ reason: "request 17", target: { kind: "unit", key: erased.body.target } }]);
  expect(JSON.stringify(items)).not.toContain("ann");
  expect((await server.ask("DELETE", `${P}/units/ann`)).body.events).toBe(0);
});

test("a unit of 4,096 characters and one with slashes are erased too", async () => {
  const long = "ü/".repeat(2_048);
  await received(1, 1, "default", long);
  await received(1, 3, "default", "a/b?c#d");
  expect((await server.ask("POST", `${P}/erasures`, { unit: long })).body.events).toBe(2);
  expect((await server.ask("DELETE", `${P}/units/${encodeURIComponent("a/b?c#d")}`)).body.events).toBe(2);
  expect(await left()).toBe(0);
});

test("only an admin of the whole project erases: what is refused leaves everything as it was", async () => {
  await received(1, 1);
  const editor = (await server.ask("POST", "/api/v1/tokens", { name: "t", role: "editor" })).body.secret;
  const { secret } = (await server.ask("POST", "/api/v1/tokens", { name: "t", role: "admin", environments: ["staging"] })).body;
  for (const as of [editor, secret]) expect((await server.ask("DELETE", `${P}/units/ann`, undefined, { as })).status).toBe(403);
  expect(await left()).toBe(1);
});
