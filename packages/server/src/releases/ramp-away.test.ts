import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { Emergencies } from "../emergencies/emergencies.ts";
import { severable } from "../emergencies/severable.fixture.ts";
import { recordDoors } from "../record-doors.ts";
import type { ProjectState } from "../state/workspace.ts";
import { type EventStore, openEventStore } from "../store/events/index.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { EXPERIMENT } from "./ramp.fixture.ts";
import { runExperiment, unitsIn } from "./ramp-doors.fixture.ts";
import { ERRORS, T0 } from "./release.fixture.ts";

const RAMP = `${E}/releases/ramp`;
const line = { isCut: false };
let dir: TempDir;
let events: EventStore;
let server: ReleaseServer;
let emergencies: Emergencies;

beforeEach(async () => {
  dir = await tempDir("ramp-away");
  line.isCut = false;
  events = await openEventStore({ directory: join(dir.path, "events"), database: "here", segmentAgeMs: 50 });
  server = await releaseServer({
    doors: [recordDoors({ events, now: () => server.clock.now })],
    wrapLog: (log) => severable(log, line),
    lowerHere: (flag, origin) => emergencies.lower(flag, origin, 0),
    onFault: () => undefined,
  });
  emergencies = await Emergencies.open({
    control: server.control,
    file: join(dir.path, "emergencies.json"),
    now: () => server.clock.now,
    onFault: () => undefined,
    everyMs: 3_600_000,
  });
});
afterEach(async () => {
  line.isCut = false;
  await emergencies.close();
  await server.close();
  await events.close();
  await dir.remove();
});

it("takes a harmful experiment to nothing here while the change log is away, and stops it once the log is there", async () => {
  const { ask } = server;
  await runExperiment(server);
  const stages = [10, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 3_600 }, gates: [] }));
  const draft = { key: "ramp", experiment: EXPERIMENT, stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
  await ask("POST", `${E}/releases`, draft);
  await ask("POST", `${RAMP}/ready`, {});
  await ask("POST", `${RAMP}/start`, {});
  const standing = async (): Promise<unknown[]> => [
    (await ask("GET", `${E}/flags/checkout`)).body.rollout.percentage,
    (await ask("GET", RAMP)).body.state,
    (await ask("GET", `${P}/experiments/${EXPERIMENT}`)).body.status,
  ];
  expect(await standing()).toEqual([10, "ramping", "running"]);
  line.isCut = true;
  const project = server.control.workspace.projects.get("default") as ProjectState;
  const units = unitsIn(project, { release: "ramp", arm: 1, count: 15 });
  server.acknowledge({ metrics: units.map((unit, seq) => ({ seq, timeMs: T0, name: "error", unit })) });
  await server.desk.service.tick();
  expect(await standing()).toEqual([0, "ramping", "running"]);
  line.isCut = false;
  await emergencies.bring();
  await server.desk.service.tick();
  expect(await standing()).toEqual([0, "rolling-back", "stopped"]);
  expect((await ask("GET", RAMP)).body.reasons).toEqual([{ code: "guardrail-breach", subject: "errors", treatment: "none" }]);
});
