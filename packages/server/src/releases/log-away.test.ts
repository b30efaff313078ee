import { join } from "node:path";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { Emergencies } from "../emergencies/emergencies.ts";
import { severable } from "../emergencies/severable.fixture.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { pointOf } from "./placement.ts";
import { PromisedRollbacks } from "./promised-rollbacks.ts";
import { ERRORS, T0 } from "./release.fixture.ts";

const RELEASE = `${E}/releases/checkout`;
const line: { isCut: boolean; isFull?: boolean } = { isCut: false };
let dir: TempDir;
let server: ReleaseServer;
let emergencies: Emergencies;
let promised: PromisedRollbacks;
let faults: unknown[];
let trigger: { readonly id: string; readonly secret: string };

beforeEach(async () => {
  dir = await tempDir("log-away");
  Object.assign(line, { isCut: false, isFull: false });
  faults = [];
  promised = await PromisedRollbacks.open(join(dir.path, "promised-rollbacks.json"));
  server = await releaseServer({
    promised,
    wrapLog: (log) => severable(log, line),
    lowerHere: (flag, origin) => emergencies.lower(flag, origin, 0),
    onFault: (error) => faults.push(error),
  });
  emergencies = await Emergencies.open({
    control: server.control,
    file: join(dir.path, "emergencies.json"),
    now: () => server.clock.now,
    onFault: () => undefined,
    everyMs: 3_600_000,
  });
  await server.ask("POST", `${P}/flags`, { key: "checkout" });
  const stages = [10, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 3_600 }, gates: [] }));
  const draft = { key: "checkout", flag: "checkout", stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
  await server.ask("POST", `${E}/releases`, draft);
  await server.ask("POST", `${RELEASE}/ready`, {});
  await server.ask("POST", `${RELEASE}/start`, {});
  trigger = (await server.ask("POST", `${RELEASE}/triggers`, { guardrail: "errors" })).body;
});
afterEach(async () => {
  line.isCut = false;
  await emergencies.close();
  await server.close();
  await dir.remove();
});

const share = async (): Promise<number> => (await server.ask("GET", `${E}/flags/checkout`)).body.rollout?.percentage ?? 0;
const state = async (): Promise<string> => (await server.ask("GET", RELEASE)).body.state;
const actions = async (): Promise<string[]> => {
  const { items } = (await server.ask("GET", `${P}/changes?limit=50`)).body;
  return items.map(({ action }: { action: string }) => action).filter((action: string) => /emergency|rollback/.test(action));
};
const isBack = async (): Promise<void> => {
  line.isCut = false;
  await emergencies.bring();
  await server.desk.service.tick();
};

async function failTreated(count: number): Promise<void> {
  const { salt } = (await server.ask("GET", `${P}/flags/checkout`)).body.spaces.share;
  const metrics = [];
  for (let at = 0; metrics.length < count; at += 1) {
    if (pointOf(salt, `u${at}`) < 100_000) metrics.push({ seq: at, timeMs: T0, name: "error", unit: `u${at}` });
  }
  server.acknowledge({ metrics });
}

describe("while the change log is away", () => {
  it("a breach exposes nobody at this server any more, and the release rolls back once the log is there", async () => {
    line.isCut = true;
    await failTreated(9);
    await server.desk.service.tick();
    await server.desk.service.tick();
    expect([await share(), await state()]).toEqual([0, "ramping"]);
    expect(server.control.overrides.map(({ ppm, reason }) => [ppm, reason])).toEqual([[0, "guardrail-breach errors"]]);
    expect(server.messages.map(({ text }) => text)).toEqual([
      "Lowered to nothing at this server, for the change log is away: guardrail-breach errors",
    ]);
    await isBack();
    expect([await share(), await state(), server.control.overrides]).toEqual([0, "rolling-back", []]);
    expect(await actions()).toEqual(["release.rollback", "flag.emergency"]);
    expect(faults.length).toBeGreaterThan(0);
  });

  it("no harm lowers nothing", async () => {
    line.isCut = true;
    await failTreated(1);
    await server.desk.service.tick();
    expect([await share(), server.control.overrides]).toEqual([10, []]);
  });

  const ways: readonly (readonly [
    what: string,
    status: number,
    code: string,
    ask: () => Promise<{ readonly status: number }>,
  ])[] = [
    ["a person's rollback", 202, "rolled-back-by-person", () => server.ask("POST", `${RELEASE}/rollback`, { reason: "3 a.m." })],
    [
      "a rollback of everything raised since",
      200,
      "rolled-back-by-person",
      () => server.ask("POST", `${P}/rollback-since`, { since: "2026-11-22T00:00:00Z" }),
    ],
    [
      "an alert from outside",
      202,
      "external-trigger",
      () => server.ask("POST", `/triggers/v1/${trigger.id}`, {}, { as: trigger.secret }),
    ],
  ];
  it.each(ways)("%s exposes nobody here at once (%i), and is made once the log is there", async (_, status, code, ask) => {
    line.isCut = true;
    expect((await ask()).status).toBe(status);
    expect([await share(), await state()]).toEqual([0, "ramping"]);
    await server.desk.service.tick();
    expect(await state()).toBe("ramping");
    await isBack();
    const { body } = await server.ask("GET", RELEASE);
    expect([body.state, body.reasons[0].code, await share()]).toEqual(["rolled-back", code, 0]);
    expect(await actions()).toEqual(["release.rollback", "flag.emergency"]);
  });

  it("a promise is written down with who asked and when, and is no second rollback when a crash left it there", async () => {
    line.isCut = true;
    server.clock.now += 5_000;
    const askedAt = server.clock.now;
    await server.ask("POST", `${RELEASE}/rollback`, { reason: "3 a.m." });
    const kept = (await PromisedRollbacks.open(join(dir.path, "promised-rollbacks.json"))).waiting;
    expect(kept).toMatchObject([{ id: { key: "checkout" }, at: askedAt, origin: { actor: { id: "first" }, reason: "3 a.m." } }]);
    server.clock.now += 60_000;
    await isBack();
    const { items } = (await server.ask("GET", `${P}/changes?action=release.rollback`)).body;
    expect(items).toMatchObject([
      { actor: { id: "first" }, reason: `3 a.m. (asked for at ${new Date(askedAt).toISOString()} while the log was away)` },
    ]);
    const { rollback } = (await server.ask("GET", RELEASE)).body;
    expect(Date.parse(rollback.decidedAt) - Date.parse(rollback.detectedAt)).toBe(60_000);
    expect((await PromisedRollbacks.open(join(dir.path, "promised-rollbacks.json"))).waiting).toEqual([]);
    for (const one of kept) await promised.add(one);
    await server.desk.service.tick();
    expect([promised.waiting, await actions()]).toEqual([[], ["release.rollback", "flag.emergency"]]);
  });

  it.each([
    ["harm", async () => failTreated(9), "guardrail-breach"],
    ["a person", async () => server.ask("POST", `${RELEASE}/rollback`, {}), "rolled-back-by-person"],
  ])(
    "%s exposes nobody here also where the log's disk is full, and it rolls back once there is room",
    async (_, happens, code) => {
      Object.assign(line, { isCut: true, isFull: true });
      await happens();
      await server.desk.service.tick();
      expect([await share(), await state()]).toEqual([0, "ramping"]);
      await isBack();
      const { body } = await server.ask("GET", RELEASE);
      expect([body.reasons[0].code, await share()]).toEqual([code, 0]);
    },
  );

  it("what may raise is refused as ever, and a release that cannot go back is not lowered", async () => {
    line.isCut = true;
    expect((await server.ask("POST", `${RELEASE}/advance`, { override: true, reason: "now" })).status).toBe(503);
    expect((await server.ask("POST", `${E}/releases/none/rollback`, {})).status).toBe(404);
    expect(server.control.overrides).toEqual([]);
  });
});
