import type { Guardrail } from "@belay/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { pointOf } from "./placement.ts";
import { ERRORS, HOUR_MS } from "./release.fixture.ts";

const R = `${E}/releases`;
const CHECKOUT = `${R}/checkout`;
const FLAG = `${E}/flags/checkout`;
const GUARDRAIL: Guardrail = { ...ERRORS, margin: 1 };
const STAGES = [
  { name: "One", percentage: 1, hold: { minDurationS: 3_600 }, gates: ["monitoring"] },
  { name: "Ten", percentage: 10, hold: { minDurationS: 3_600 }, gates: ["monitoring", "non-inferiority"] },
  { name: "All", percentage: 100, hold: { minDurationS: 3_600 }, gates: [] },
];

let server: ReleaseServer;
let ask: ReleaseServer["ask"];
let units = 0;

beforeEach(async () => {
  server = await releaseServer();
  ({ ask } = server);
  await ask("POST", `${P}/flags`, { key: "checkout" });
});
afterEach(() => server.close());

const draft = (more: object = {}): Promise<unknown> =>
  ask("POST", R, {
    key: "checkout",
    flag: "checkout",
    stages: STAGES,
    guardrails: [GUARDRAIL],
    alertRoutes: ["slack:#r"],
    ...more,
  });
const started = async (more: object = {}): Promise<void> => {
  await draft(more);
  await ask("POST", `${CHECKOUT}/ready`, {});
  await ask("POST", `${CHECKOUT}/evidence`, { kind: "alert-tested", route: "slack:#r" });
  expect((await ask("POST", `${CHECKOUT}/start`, {})).status).toBe(200);
};
const saltOf = async (): Promise<string> => (await ask("GET", `${P}/flags/checkout`)).body.spaces.share.salt;

/** Units fail: new ones, on one side of a share. */
async function fail(count: number, isTreated: boolean, ppm: number): Promise<void> {
  const salt = await saltOf();
  const metrics = [];
  while (metrics.length < count) {
    const unit = `unit-${units++}`;
    if (pointOf(salt, unit) < ppm === isTreated) metrics.push({ seq: units, timeMs: server.clock.now, name: "error", unit });
  }
  server.acknowledge({ metrics });
}

const turn = async (hours: number): Promise<void> => {
  server.clock.now += hours * HOUR_MS;
};
const state = async (): Promise<unknown> => {
  const { state: name, stage, reasons } = (await ask("GET", CHECKOUT)).body;
  return [name, stage, ...reasons.map(({ code }: { code: string }) => code)];
};
const share = async (): Promise<number> => (await ask("GET", FLAG)).body.rollout?.percentage ?? 0;

describe("a release, drafted and started", () => {
  it("keeps its flag from the archive while it runs", async () => {
    await started();
    expect((await ask("POST", `${P}/flags/checkout/reshuffle`, { newEpoch: true })).body).toMatchObject({
      status: 409,
      code: "release_owns_flag",
    });
    expect((await ask("POST", `${P}/flags/checkout/archive`, {})).body).toMatchObject({
      status: 409,
      code: "in_use",
      users: "release checkout in production",
    });
    expect((await ask("POST", `${CHECKOUT}/abort`, {})).status).toBe(200);
    expect((await ask("POST", `${P}/flags/checkout/archive`, {})).status).toBe(200);
  });

  it("takes the default ladder, and the internal segment where it is named", async () => {
    await ask("POST", `${P}/segments`, { key: "staff", when: { attribute: "staff", op: "exists", value: true } });
    const { status, body } = await ask("POST", R, { key: "r1", flag: "checkout", internal: "staff" });
    expect([status, body.state, body.variant, body.author]).toEqual([201, "draft", "on", "first"]);
    expect(
      body.stages.map(({ percentage, audience }: { percentage: number; audience: string }) => [percentage, audience]),
    ).toEqual([0, 1, 5, 10, 25, 50, 100].map((percentage) => [percentage, "staff"]));
  });

  it("is refused what makes no sense, by field", async () => {
    const refused = async (more: object): Promise<unknown> => {
      const { status, body } = (await draft(more)) as { status: number; body: { code: string; field: string } };
      return [status, body.code, body.field];
    };
    expect(await refused({ flag: "nothing" })).toEqual([404, "flag_not_found", undefined]);
    expect(await refused({ variant: "blue" })).toEqual([422, "unknown_variant", "variant"]);
    expect(await refused({ stages: [{ ...STAGES[1] }, { ...STAGES[0] }] })).toEqual([
      422,
      "invalid_field",
      "stages[1].percentage",
    ]);
    expect(await refused({ stages: [{ ...STAGES[0], audience: "nobody" }] })).toEqual([
      422,
      "unknown_segment",
      "stages[0].audience",
    ]);
    expect(await refused({ guardrails: [GUARDRAIL, GUARDRAIL] })).toEqual([422, "invalid_field", "guardrails[1].metric"]);
  });

  it("does not start while nobody would notice harm", async () => {
    const start = async (): Promise<unknown> => {
      await ask("POST", `${CHECKOUT}/ready`, {});
      const { status, body } = await ask("POST", `${CHECKOUT}/start`, {});
      return [status, body.code, body.detail];
    };
    await draft({ guardrails: [] });
    expect(await start()).toEqual([409, "release_unmonitored", "`checkout` has no guardrail."]);
    await ask("PATCH", CHECKOUT, { guardrails: [{ ...GUARDRAIL, dryRun: true }] });
    expect(await start()).toEqual([409, "release_unmonitored", "`checkout` has no guardrail."]);
    await ask("PATCH", CHECKOUT, { guardrails: [GUARDRAIL], alertRoutes: [] });
    expect(await start()).toEqual([409, "release_unmonitored", "`checkout` has no alert route."]);
    expect(await share()).toBe(0);
  });

  it("does not take over a flag that people rolled out, nor one that another release moves", async () => {
    await draft();
    await ask("POST", `${CHECKOUT}/ready`, {});
    await ask("PUT", `${FLAG}/rollout`, { percentage: 3 });
    expect((await ask("POST", `${CHECKOUT}/start`, {})).body.code).toBe("flag_rolled_out");
    await ask("PUT", `${FLAG}/rollout`, { percentage: 0 });
    expect((await ask("POST", `${CHECKOUT}/start`, {})).status).toBe(200);
    await draft({ key: "second" });
    await ask("POST", `${R}/second/ready`, {});
    expect((await ask("POST", `${R}/second/start`, {})).body.code).toBe("release_owns_flag");
  });

  it("freezes the prediction with its hash, and takes no edit after that", async () => {
    await started();
    const { body } = await ask("GET", CHECKOUT);
    expect([body.predictionHash.length, body.control, await share()]).toEqual([43, "off", 1]);
    expect((await ask("PATCH", CHECKOUT, { predictions: [] })).body.code).toBe("release_state");
    expect((await ask("GET", `${P}/uncovered`)).body.items).toEqual([]);
  });
});

describe("climbing", () => {
  it("goes one stage on when time, data and gates allow it, and not a tick sooner", async () => {
    await started();
    await fail(50, false, 10_000);
    await server.desk.service.tick();
    expect(await state()).toEqual(["ramping", 0]);
    await turn(1);
    await server.desk.service.tick();
    // The hour is over, but the last error came an hour ago: nothing is left on old data.
    expect([await state(), await share()]).toEqual([["holding", 0, "data-missing"], 1]);
    await fail(1, false, 10_000);
    await server.desk.service.tick();
    expect([await state(), await share()]).toEqual([["ramping", 1], 10]);
    expect((await ask("GET", `${CHECKOUT}/plan`)).body).toMatchObject({
      kind: "hold",
      isAlarm: false,
      reasons: [{ code: "min-duration", have: 0, need: 3_600 }, { code: "not-yet-non-inferior" }],
    });
    await server.desk.service.tick();
    expect(await share()).toBe(10);
  });

  it("writes one audited change for one move, made by the scheduler", async () => {
    await started();
    await turn(1);
    await fail(1, false, 10_000);
    await server.desk.service.tick();
    await server.desk.service.tick();
    const { items } = (await ask("GET", `${P}/changes?action=release.advance`)).body;
    expect(items.map(({ actor, reason }: { actor: { id: string }; reason: string }) => [actor.id, reason])).toEqual([
      ["system", "advance"],
    ]);
  });

  it("does nothing while another node holds the lease", async () => {
    await started();
    await turn(1);
    await fail(1, false, 10_000);
    const { now } = server.clock;
    await server.log.takeLease("release-scheduler", "other", { now, until: now + 1_000 });
    await server.desk.service.tick();
    expect(await share()).toBe(1);
    server.clock.now += 1_000;
    await server.desk.service.tick();
    expect(await share()).toBe(10);
  });

  it("is advanced by hand only through its gates, or by an admin who says why", async () => {
    await started();
    const operator = (await ask("POST", "/api/v1/tokens", { name: "op", role: "operator" })).body.secret;
    const closed = await ask("POST", `${CHECKOUT}/advance`, {}, { as: operator });
    expect([closed.status, closed.body.code, closed.body.reasons]).toEqual([
      409,
      "release_gates_closed",
      [{ code: "guardrail-silent", subject: "errors" }],
    ]);
    expect((await ask("POST", `${CHECKOUT}/advance`, { override: true, reason: "x" }, { as: operator })).status).toBe(403);
    expect((await ask("POST", `${CHECKOUT}/advance`, { override: true })).body.field).toBe("reason");
    await fail(1, false, 10_000);
    expect((await ask("POST", `${CHECKOUT}/advance`, {}, { as: operator })).body.stage).toBe(1);
    expect((await ask("POST", `${CHECKOUT}/advance`, { override: true, reason: "known" })).body).toMatchObject({
      stage: 2,
      state: "full",
    });
    expect(await share()).toBe(100);
  });

  it("holds for a person until told to go on, and takes up its share again after somebody lowered it", async () => {
    await started();
    await ask("POST", `${CHECKOUT}/hold`, {});
    await turn(1);
    await fail(1, false, 10_000);
    await server.desk.service.tick();
    expect(await state()).toEqual(["holding", 0, "held-by-person"]);
    expect((await ask("PUT", `${FLAG}/rollout`, { percentage: 0.5 })).status).toBe(200);
    await ask("POST", `${CHECKOUT}/resume`, {});
    expect([await state(), await share()]).toEqual([["ramping", 0], 1]);
    await ask("PUT", `${FLAG}/rollout`, { percentage: 0.5 });
    await server.desk.service.tick();
    expect(await state()).toEqual(["holding", 0, "exposure-moved"]);
  });

  it("counts anew from where it was switched on again, and in a stage that gives what the one before gave", async () => {
    const [first, ...rest] = STAGES;
    await started({ stages: [first, { ...first, name: "One, again" }, ...rest] });
    const epochs = async (): Promise<[number, number]> => {
      const { targeting } = (await ask("GET", FLAG)).body;
      return [(await ask("GET", CHECKOUT)).body.epochs.at(-1).revision, targeting.rules.at(-1).serve.split[0].tracks.epoch];
    };
    const seen = [await epochs()];
    await ask("PUT", `${FLAG}/enabled`, { enabled: false });
    await ask("POST", `${CHECKOUT}/hold`, {});
    await ask("POST", `${CHECKOUT}/resume`, {});
    seen.push(await epochs());
    await ask("POST", `${CHECKOUT}/advance`, { override: true, reason: "on" });
    seen.push(await epochs());
    expect(seen.map(([counted, recorded]) => counted === recorded)).toEqual([true, true, true]);
    expect(new Set(seen.map(([counted]) => counted)).size).toBe(3);
  });

  it("is refused a plan that saw an older state", async () => {
    await started();
    const before = server.desk.service.factsOf({ project: "default", environment: "production", key: "checkout" });
    await ask("POST", `${CHECKOUT}/evidence`, { kind: "note-sent" });
    const { execute } = await import("./climb.ts");
    const { placeIn } = await import("./service.ts");
    const seen = before?.seen ?? { release: 0, targeting: 0 };
    const id = { project: "default", environment: "production", key: "checkout" };
    const decide = () =>
      execute(
        placeIn(server.control.workspace, id),
        { kind: "advance", seen, from: 0, to: 1, reports: [] },
        { now: Date.parse("2026-11-22T12:00:00Z"), instances: [] },
      );
    expect(decide()).toMatchObject({ kind: "refused", code: "revision_conflict" });
  });
});

describe("harm", () => {
  it("is rolled back within the turn that brought the deciding event, and followed to 49 of 50, then 50", async () => {
    await started();
    const all = Array.from({ length: 50 }, (_, i) => `i-${String(i).padStart(2, "0")}`);
    for (const instance of all) server.receive(instance, (await ask("GET", CHECKOUT)).body.revision);
    await fail(5, true, 10_000);
    await server.desk.service.tick();
    const { body } = await ask("GET", CHECKOUT);
    expect([await state(), await share()]).toEqual([["rolling-back", 0, "guardrail-breach"], 0]);
    for (const [i, instance] of all.entries()) {
      server.clock.now += 10;
      if (i !== 17) server.receive(instance, body.rollback.revision);
    }
    const cut = (await ask("GET", CHECKOUT)).body.rollback;
    expect([cut.instances, cut.acknowledged, cut.laggards]).toEqual([50, 49, ["i-17"]]);
    expect([cut.ms50, cut.ms95, cut.ms100]).toEqual([260, 490, undefined]);
    await server.desk.service.tick();
    expect(((await state()) as string[])[0]).toBe("rolling-back");
    server.receive("i-17", body.rollback.revision);
    await server.desk.service.tick();
    const healed = (await ask("GET", CHECKOUT)).body;
    expect([healed.state, healed.rollback.acknowledged, healed.rollback.laggards, healed.rollback.ms100]).toEqual([
      "rolled-back",
      50,
      [],
      500,
    ]);
    expect(healed.rollback.detectedAt).toBe("2026-11-22T12:00:00.000Z");
    expect(server.messages.map(({ kind }) => kind)).toEqual(["rollback", "rolled-back"]);
  });

  it("is taken from an alert outside, as the guardrail it names says", async () => {
    const holds = { ...GUARDRAIL, metric: "latency", onBreach: "hold" };
    const dry = { ...GUARDRAIL, metric: "memory", dryRun: true };
    await draft({ guardrails: [GUARDRAIL, holds, dry] });
    await ask("POST", `${CHECKOUT}/ready`, {});
    await ask("POST", `${CHECKOUT}/start`, {});
    const tripped = async (guardrail: string): Promise<unknown> => {
      const { status } = await ask("POST", `${CHECKOUT}/trip`, { guardrail });
      return [status, ...((await state()) as unknown[]), await share()];
    };
    expect(await tripped("nothing")).toEqual([422, "ramping", 0, 1]);
    expect(await tripped("memory")).toEqual([200, "ramping", 0, 1]);
    expect(await tripped("latency")).toEqual([200, "holding", 0, "held-by-person", 1]);
    expect(await tripped("errors")).toEqual([200, "rolling-back", 0, "external-trigger", 0]);
  });

  it("leaves the flag as it was before the release", async () => {
    const before = (await ask("GET", FLAG)).body.targeting;
    await started();
    await ask("POST", `${CHECKOUT}/rollback`, { reason: "3 a.m." });
    expect((await ask("GET", FLAG)).body.targeting).toEqual(before);
    expect(await state()).toEqual(["rolling-back", 0, "rolled-back-by-person"]);
  });

  it("does not wait for ever for an instance that is gone, and names it", async () => {
    await started();
    server.receive("gone", 1);
    await ask("POST", `${CHECKOUT}/rollback`, {});
    await turn(0.24);
    await server.desk.service.tick();
    expect(((await state()) as string[])[0]).toBe("rolling-back");
    await turn(0.02);
    await server.desk.service.tick();
    const { body } = await ask("GET", CHECKOUT);
    expect([body.state, body.rollback.laggards]).toEqual(["rolled-back", ["gone"]]);
  });

  it("is found by a server that was started anew as by the one before", async () => {
    await started();
    await fail(1, true, 10_000);
    await fail(40, false, 10_000);
    const id = { project: "default", environment: "production", key: "checkout" };
    const { Watchtower } = await import("./watchtower.ts");
    const { eventsIn } = await import("./desk.fixture.ts");
    const faults: unknown[] = [];
    const anew = new Watchtower({
      control: server.control,
      events: eventsIn(server.batches),
      now: () => server.clock.now,
      onVerdict: () => undefined,
      onFault: (error) => faults.push(error),
    });
    expect(anew.reading(id)).toBeUndefined();
    await expect.poll(() => anew.reading(id)).toEqual(server.desk.tower.reading(id));
    expect([faults, anew.reading(id)?.guardrails[0]?.verdict]).toEqual([[], "quiet"]);
    anew.close();
  });
});

describe("a rollback drill", () => {
  it("leaves the content identical and files what it measured", async () => {
    await draft();
    server.receive("i-0", 1);
    const before = (await ask("GET", FLAG)).body.targeting;
    server.control.onCommit((workspace) => {
      const revision = workspace.projects.get("default")?.environments.get("production")?.revision ?? 0;
      setImmediate(() => server.receive("i-0", revision));
    });
    const { status, body } = await ask("POST", `${CHECKOUT}/drill`, {});
    expect([status, body.passed, body.off.acknowledged, body.on.acknowledged]).toEqual([200, true, 1, 1]);
    expect((await ask("GET", FLAG)).body.targeting).toEqual(before);
    expect((await ask("GET", CHECKOUT)).body.evidence.drill).toEqual(body);
  });

  it("has not passed when an instance did not acknowledge, and names it", { timeout: 30_000 }, async () => {
    await draft();
    server.receive("deaf", 1);
    const { body } = await ask("POST", `${CHECKOUT}/drill`, { timeoutS: 1 });
    expect([body.passed, body.off.laggards, body.on.laggards]).toEqual([false, ["deaf"], ["deaf"]]);
    expect((await ask("GET", FLAG)).body.targeting.enabled).toBe(true);
  });

  it("has not passed where nobody ran, and does not touch a flag that a release moves", async () => {
    await draft();
    expect((await ask("POST", `${CHECKOUT}/drill`, {})).body.passed).toBe(false);
    await ask("POST", `${CHECKOUT}/ready`, {});
    await ask("POST", `${CHECKOUT}/start`, {});
    expect((await ask("POST", `${CHECKOUT}/drill`, {})).body.code).toBe("release_owns_flag");
  });
});
