import { join } from "node:path";
import type { ExperimentResults } from "@belay/protocol";
import { tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { P } from "../app.fixture.ts";
import { DRAFT, layGround, track } from "../experiments/experiments.fixture.ts";
import { projectOf } from "../http/params.ts";
import { NOON, type RecordingServer, recordingServer } from "../record-doors.fixture.ts";
import { type DeliveryStore, openDeliveryStore } from "../store/deliveries/index.ts";
import { Courier } from "../webhooks/courier.ts";
import { createWebhook } from "../webhooks/domain.ts";
import { receiver } from "../webhooks/receiver.fixture.ts";
import { type Send, sender } from "../webhooks/sender.ts";
import { LookKeeper } from "./look-keeper.ts";
import { createResults } from "./service.ts";

const ONE = `${P}/experiments/checkout-test`;
const HOUR_MS = 3_600_000;

let server: RecordingServer;
let ask: RecordingServer["ask"];
let store: DeliveryStore;
let faults: unknown[];
let closers: (() => Promise<unknown>)[];
beforeEach(async () => {
  server = await recordingServer();
  ({ ask } = server);
  const dir = await tempDir("alarms");
  store = await openDeliveryStore(join(dir.path, "deliveries.db"));
  faults = [];
  closers = [() => server.close(), () => store.close(), () => dir.remove()];
  await layGround(server);
});
afterEach(async () => {
  for (const close of closers) await close();
});

/** Units of each arm, once each. */
async function meet(counts: { readonly long: number; readonly short: number }, prefix: string): Promise<void> {
  const { targeting } = (await ask("GET", `${P}/environments/production/flags/checkout`)).body;
  const epoch = targeting.fallthrough.split[0].tracks.epoch;
  const units = Object.entries(counts).flatMap(([variant, n]) =>
    Array.from({ length: n }, (_, index) => ({ variant, unit: `${prefix}-${variant}-${index}` })),
  );
  await server.receive({
    exposures: units.map((of) => ({
      ...{ timeMs: server.clock.now, flag: "checkout", experiment: "checkout-test", epoch, revision: epoch },
      ...of,
    })),
  });
}

async function start(alertRoute: string): Promise<void> {
  await track(server);
  expect((await ask("POST", `${P}/experiments`, { ...DRAFT, alertRoute })).status).toBe(201);
  expect((await ask("POST", `${ONE}/start`, {})).body.status).toBe("running");
}

const addHook = (url: string, more: object = {}): Promise<unknown> =>
  server.control.execute({
    origin: { actor: { id: "ops", name: "Ops" }, requestId: "hook" },
    decide: (workspace, at) =>
      createWebhook(projectOf(workspace, "default"), { key: "ops", url, ...more }, "whsec_x", new Date(at).toISOString()),
  });

async function carry(send: Send): Promise<Courier> {
  const { log, control, clock } = server;
  const onFault = (error: unknown): void => void faults.push(error);
  const courier = new Courier({ log, control, store, send, now: () => clock.now, random: () => 0.5, holder: "a", onFault });
  closers.unshift(() => courier.close());
  courier.wake();
  await expect.poll(() => store.position()).toBeGreaterThan(0);
  return courier;
}

const service = () =>
  createResults({ control: server.control, events: server.events, now: () => server.clock.now, deliveries: store });

function keeper(): LookKeeper {
  const { control, log, clock } = server;
  const onFault = (error: unknown): void => void faults.push(error);
  const made = new LookKeeper({ control, log, results: service(), now: () => clock.now, holder: "here", onFault });
  closers.unshift(() => made.close());
  return made;
}

const alarmActions = async (): Promise<string[]> =>
  (await ask("GET", `${P}/changes?limit=100`)).body.items
    .map(({ action }: { action: string }) => action)
    .filter((action: string) => action === "experiment.alarm" || action === "experiment.calm")
    .reverse();

const quality = async (): Promise<ExperimentResults["quality"]> =>
  (await service().results({ project: "default", experiment: "checkout-test" })).quality;

describe("data that cannot be trusted", () => {
  it("are told to the alert route once, whatever it asked for, and so is that they can be again", async () => {
    const { url, heard } = await receiver();
    await addHook(url, { types: ["release.*"] });
    const courier = await carry(sender({ allow: ["127.0.0.1"] }));
    await start("webhook:ops");
    const looking = keeper();
    await looking.round();
    await meet({ long: 1_000, short: 700 }, "a");
    // Not yet an hour: the scheduler does not look.
    server.clock.now = NOON + HOUR_MS - 1;
    await looking.round();
    expect(await alarmActions()).toEqual([]);
    for (const hours of [1, 2, 3]) {
      server.clock.now = NOON + hours * HOUR_MS;
      await looking.round();
    }
    expect(await alarmActions()).toEqual(["experiment.alarm"]);
    courier.wake();
    await expect.poll(() => heard.length).toBe(1);
    const { type, text } = JSON.parse(heard[0]?.body ?? "{}");
    expect(type).toBe("experiment.alarm");
    expect(text).toContain("Experiment `checkout-test` of default: its data cannot be trusted. Sample ratio mismatch: ");
    expect(await quality()).toMatchObject({
      isGood: false,
      alarm: { at: new Date(NOON + HOUR_MS).toISOString(), checks: ["sampleRatio"], route: "webhook:ops" },
      alertRoute: { route: "webhook:ops", isDead: false },
    });
    expect(faults).toEqual([]);
  });

  it("are an alarm while a check fails and none afterwards", async () => {
    await start("https://hooks.example/x");
    const looking = keeper();
    // A hundredth of the units saw both variants: too many.
    await meet({ long: 300, short: 300 }, "a");
    await server.receive({
      exposures: Array.from({ length: 6 }, (_, index) => ({
        ...{ timeMs: NOON + 1, flag: "checkout", experiment: "checkout-test", epoch: 1, revision: 1 },
        ...{ variant: "short", unit: `a-long-${index}` },
      })),
    });
    server.clock.now = NOON + HOUR_MS;
    await looking.round();
    await meet({ long: 2_000, short: 2_000 }, "b");
    server.clock.now = NOON + 2 * HOUR_MS;
    await looking.round();
    expect(await alarmActions()).toEqual(["experiment.alarm", "experiment.calm"]);
    expect(await quality()).toEqual(expect.not.objectContaining({ alarm: expect.anything() }));
    expect(faults).toEqual([]);
  });
});

describe("an alert route", () => {
  const reported = async (): Promise<unknown> => (await quality()).alertRoute;

  it.each([
    ["mailto:team@example.org", "this server sends no mail: let the route be a webhook"],
    ["slack:#shop", "no webhook in Slack's format is told of experiment.alarm"],
    ["https://hooks.example/x", "no webhook that is switched on sends there"],
  ])("%s that nothing carries to is dead, and results say so", async (route, reason) => {
    await start(route);
    expect(await reported()).toEqual({ route, isDead: true, reason });
    const { verdict } = (await ask("GET", `${ONE}/results`)).body;
    expect(verdict.sentences).toContain(`Its alarms reach nobody: ${reason}.`);
  });

  it.each([
    ["https://hooks.example/x", {}],
    ["slack:#shop", { format: "slack" }],
    ["webhook:ops", {}],
  ])("%s is alive where a webhook carries it, and dead once its last message was given up", async (route, more) => {
    await addHook("https://hooks.example/x", more);
    await start(route);
    expect(await reported()).toEqual({ route, isDead: false });
    await store.put([{ project: "default", webhook: "ops", id: "m1", type: "x", body: "{}", createdAtMs: NOON }]);
    await store.record("m1", { at: new Date(NOON).toISOString(), durationMs: 1 }, { status: "dead" });
    expect(await reported()).toEqual({ route, isDead: true, reason: "the last message to the webhook ops was given up" });
  });
});
