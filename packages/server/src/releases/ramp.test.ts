import type { Change, Release, ReleaseLog, Targeting } from "@belay/protocol";
import { type TempDir, tempDir } from "@belay/testkit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { SILENT_AFTER_MS } from "../experiments/pulse.ts";
import { recordDoors } from "../record-doors.ts";
import type { ProjectState } from "../state/workspace.ts";
import { type EventStore, openEventStore } from "../store/events/index.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { EXPERIMENT } from "./ramp.fixture.ts";
import { letIn, runExperiment, unitsIn } from "./ramp-doors.fixture.ts";
import { ERRORS, HOUR_MS } from "./release.fixture.ts";

/** These ask a whole server through its doors. */
const X = `${P}/experiments/${EXPERIMENT}`;
const R = `${E}/releases`;
const RAMP = `${R}/ramp`;
const FLAG = `${E}/flags/checkout`;
const STAGES = [
  { name: "One", percentage: 1, hold: { minDurationS: 3_600 }, gates: ["monitoring"] },
  { name: "Ten", percentage: 10, hold: { minDurationS: 3_600 }, gates: ["monitoring"] },
  { name: "Half", percentage: 50, hold: { minDurationS: 3_600 }, gates: [] },
];
/** Arms lie in the order of their names. */
const [CONTROL, NONE, SHORT, OUTSIDE] = [0, 1, 2, -1];

let folder: TempDir;
let events: EventStore;
let server: ReleaseServer;
let ask: ReleaseServer["ask"];
let seq = 0;

beforeEach(async () => {
  folder = await tempDir("ramp");
  events = await openEventStore({ directory: folder.path, database: "here", segmentAgeMs: 50 });
  server = await releaseServer({ doors: [recordDoors({ events, now: () => server.clock.now })] });
  ({ ask } = server);
});
afterEach(async () => {
  await server.close();
  await events.close();
  await folder.remove();
});

const draft = (more: object = {}): ReturnType<ReleaseServer["ask"]> =>
  ask("POST", R, {
    key: "ramp",
    experiment: EXPERIMENT,
    stages: STAGES,
    guardrails: [ERRORS],
    alertRoutes: ["slack:#r"],
    ...more,
  });
const started = async (more: object = {}): Promise<void> => {
  await runExperiment(server);
  await draft(more);
  await ask("POST", `${RAMP}/evidence`, { kind: "alert-tested", route: "slack:#r" });
  await ask("POST", `${RAMP}/ready`, {});
  const { status, text } = await ask("POST", `${RAMP}/start`, {});
  expect(status, text).toBe(200);
};
const project = (): ProjectState => server.control.workspace.projects.get("default") as ProjectState;
const release = async (): Promise<Release> => (await ask("GET", RAMP)).body;
const targeting = async (): Promise<Targeting> => (await ask("GET", FLAG)).body.targeting;
const status = async (): Promise<unknown> => (await ask("GET", X)).body.status;
const state = async (): Promise<unknown[]> => {
  const { state: name, stage, reasons } = await release();
  return [name, stage, ...reasons.map(({ code }) => code)];
};
const refused = async (asked: ReturnType<ReleaseServer["ask"]>): Promise<unknown[]> => {
  const { status: code, body } = await asked;
  return [code, body.code, body.field ?? body.key];
};

/** So many units of an arm fail: new ones each time. */
function fail(arm: number, count: number): void {
  const units = unitsIn(project(), { release: "ramp", arm, count, from: 10_000 * seq++ });
  server.acknowledge({ metrics: units.map((unit) => ({ seq: seq++, timeMs: server.clock.now, name: "error", unit })) });
}

/** Units are told their arm, as SDKs record it. */
async function expose(variant: string, count: number): Promise<void> {
  const { epochs } = await release();
  const { revision = 0 } = epochs.at(-1) ?? {};
  const base = { timeMs: server.clock.now, flag: "checkout", experiment: EXPERIMENT, epoch: revision, revision };
  const exposures = Array.from({ length: count }, () => ({ ...base, seq: seq++, unit: `e${seq}`, variant }));
  server.acknowledge({ exposures });
}

const tick = async (hours = 0): Promise<void> => {
  server.clock.now += hours * HOUR_MS;
  if (hours > 0) fail(CONTROL, 1);
  await server.desk.service.tick();
};

describe("a release of an experiment, drafted", () => {
  beforeEach(() => runExperiment(server));

  it("is of the experiment's flag, and begins with its first treatment", async () => {
    const { status: code, body } = await draft();
    expect([code, body.flag, body.variant, body.experiment, body.arms]).toEqual([
      201,
      "checkout",
      "short",
      EXPERIMENT,
      undefined,
    ]);
  });

  it.each([
    ["a flag beside it", { flag: "checkout" }, 422, "invalid_field", "flag"],
    ["neither of them", { experiment: undefined }, 422, "invalid_field", "flag"],
    ["a variant", { variant: "short" }, 422, "invalid_field", "variant"],
    ["an experiment that is not there", { experiment: "nothing" }, 404, "experiment_not_found", "experiment"],
    ["units that are kept out", { holdoutPercentage: 5 }, 422, "invalid_field", "holdoutPercentage"],
  ])("is refused with %s", async (_, more, code, error, field) => {
    expect(await refused(draft(more))).toEqual([code, error, field]);
  });

  it("is refused in another environment, and of an experiment that is over", async () => {
    await ask("POST", `${P}/environments`, { key: "staging", name: "Staging" });
    const there = `${P}/environments/staging/releases`;
    expect(await refused(ask("POST", there, { key: "ramp", experiment: EXPERIMENT }))).toEqual([
      422,
      "invalid_field",
      "experiment",
    ]);
    await ask("POST", `${X}/stop`, {});
    expect(await refused(draft())).toEqual([409, "wrong_status", EXPERIMENT]);
  });
});

describe("its start", () => {
  const start = (): ReturnType<ReleaseServer["ask"]> => ask("POST", `${RAMP}/start`, {});
  const ready = async (share: number): Promise<void> => {
    await runExperiment(server, share);
    await draft();
    await ask("POST", `${RAMP}/ready`, {});
  };

  it("is refused once the experiment stopped", async () => {
    await ready(0);
    await ask("POST", `${X}/stop`, {});
    expect(await refused(start())).toEqual([409, "wrong_status", EXPERIMENT]);
  });

  it("is refused to a plain release of the flag, which would take the split away", async () => {
    await runExperiment(server);
    await draft({ key: "plain", experiment: undefined, flag: "checkout", variant: "short" });
    await ask("POST", `${R}/plain/ready`, {});
    expect(await refused(ask("POST", `${R}/plain/start`, {}))).toEqual([422, "invalid_field", "flag"]);
    await ask("POST", `${X}/stop`, {});
    expect((await ask("POST", `${R}/plain/start`, {})).body.state).toBe("ramping");
  });

  it("takes nobody out: the share may stand at the first stage's, and no higher", async () => {
    await ready(1.5);
    expect((await start()).body.code).toBe("flag_rolled_out");
    await letIn(server, 1);
    expect((await start()).body.state).toBe("ramping");
    expect((await ask("GET", FLAG)).body.rollout.percentage).toBe(1);
  });

  const weights = { long: 50, short: 25, none: 25 };
  const tracks = { experiment: EXPERIMENT };
  const part = (variant: string, from: number, to: number, space = "split"): object => ({
    variant,
    draws: [
      { space: "share", in: [] },
      { space, in: [[from, to]] },
    ],
    tracks,
  });
  it.each([
    ["is not in the rule that is moved", { rules: [], fallthrough: { weights, tracks } }],
    ["is tracked by another rule too", { fallthrough: { weights, tracks } }],
    [
      "overlaps",
      { rules: [{ id: "rollout", serve: { split: [part("long", 0, 6e5), part("short", 5e5, 7e5), part("none", 7e5, 1e6)] } }] },
    ],
    [
      "divides no split",
      {
        rules: [
          {
            id: "rollout",
            serve: {
              split: ["long", "short", "none"].map((variant) => ({
                ...part(variant, 0, 1),
                draws: [{ space: "share", in: [] }],
              })),
            },
          },
        ],
      },
    ],
    ["lacks an arm", { rules: [{ id: "rollout", serve: { weights: { long: 50, short: 50 }, share: 0, tracks } }] }],
    ["is off", { enabled: false }],
  ])("is refused where its split %s", async (_, more) => {
    await ready(0);
    expect((await letIn(server, 0, { ...more, newEpoch: true })).status).toBe(200);
    expect(await refused(start())).toEqual([422, "invalid_field", "experiment"]);
    expect((await release()).arms).toBeUndefined();
  });
});

describe("its ladder", () => {
  it("raises the share of the split as it was, each stage an epoch and a phase, and gives it back", async () => {
    const seen: string[] = [];
    const look = async (what: string): Promise<void> => {
      seen.push(`${what}\n${targetingText(await targeting())}`);
    };
    await runExperiment(server);
    await look("before");
    await draft();
    for (const verb of ["ready", "start"]) await ask("POST", `${RAMP}/${verb}`, {});
    await look("started");
    for (const reason of ["second", "third"]) {
      await ask("POST", `${RAMP}/advance`, { override: true, reason });
      await look(`${reason} stage`);
    }
    const { epochs, arms } = await release();
    await ask("POST", `${RAMP}/rollback`, { reason: "3 a.m." });
    await look("rolled back");
    await expect(`${seen.join("\n\n")}\n`).toMatchFileSnapshot("./plans/ramps-an-experiment.txt");

    const { body } = await ask("GET", X);
    const weightsAt = (share: number): object => ({ long: share / 2, none: share / 4, short: share / 4 });
    expect(arms?.map(({ variant }) => variant)).toEqual(["long", "none", "short"]);
    expect(body.phases.map(({ epoch, weights }: { epoch: number; weights: object }) => [epoch, weights])).toEqual([
      [expect.any(Number), weightsAt(0)],
      [epochs[0]?.revision, weightsAt(0.01)],
      [epochs[1]?.revision, weightsAt(0.1)],
      [epochs[2]?.revision, weightsAt(0.5)],
    ]);
  });

  it("is climbed by itself, and done with the experiment running on", async () => {
    await started();
    for (const [stage, percentage] of [
      [1, 10],
      [2, 50],
    ]) {
      await tick(1);
      expect([(await release()).stage, (await ask("GET", FLAG)).body.rollout.percentage]).toEqual([stage, percentage]);
    }
    await tick(1);
    expect([await state(), await status()]).toEqual([["done", 2], "running"]);
    expect((await ask("GET", FLAG)).body.rollout.percentage).toBe(50);
    expect((await ask("POST", `${X}/stop`, {})).body.status).toBe("stopped");
  });

  it("counts the treated units that the experiment exposes, and waits for them", async () => {
    const [first, ...rest] = STAGES;
    await started({ stages: [{ ...first, hold: { minDurationS: 0, minUnits: 5 }, gates: [] }, ...rest] });
    const units = async (): Promise<unknown> =>
      (await ask("GET", `${RAMP}/plan`)).body.reasons.find(({ code }: { code: string }) => code === "min-units")?.have;
    await expose("long", 9);
    await expose("short", 3);
    expect(await units()).toBe(3);
    await expose("none", 2);
    // What a release of the same name would record is none of it.
    server.acknowledge({
      exposures: [
        { seq: seq++, timeMs: 0, unit: "z", flag: "checkout", variant: "none", release: "ramp", epoch: 1, revision: 1 },
      ],
    });
    expect(await units()).toBeUndefined();
  });

  it("holds on arms of other sizes than the split's", async () => {
    await started();
    await expose("long", 400);
    await expose("short", 20);
    await expose("none", 200);
    await tick();
    expect(await state()).toEqual(["holding", 0, "sample-ratio-mismatch"]);
  });

  it("gives an audience the arms it would have, without recording it", async () => {
    await ask("POST", `${P}/segments`, { key: "staff", when: { attribute: "staff", op: "exists", value: true } });
    const inside = { name: "Inside", percentage: 0, audience: "staff", hold: { minDurationS: 60 }, gates: [] };
    await started({ stages: [inside, ...STAGES] });
    const { rules } = await targeting();
    expect(rules.map(({ id }) => id)).toEqual(["release-audience", "rollout"]);
    expect(JSON.stringify(rules[0])).not.toContain("tracks");
    await ask("POST", `${RAMP}/advance`, { override: true, reason: "on" });
    expect((await targeting()).rules.map(({ id }) => id)).toEqual(["rollout"]);
  });
});

describe("while it ramps", () => {
  it("the release alone raises the share; lowering is taken, and made good when it is resumed", async () => {
    await started();
    expect(await refused(ask("PUT", `${FLAG}/rollout`, { percentage: 2 }))).toEqual([409, "release_owns_flag", "ramp"]);
    expect(await refused(letIn(server, 2, { newEpoch: true }))).toEqual([409, "release_owns_flag", "ramp"]);
    expect((await ask("PUT", `${FLAG}/rollout`, { percentage: 0.5 })).status).toBe(200);
    await tick();
    expect(await state()).toEqual(["holding", 0, "exposure-moved"]);
    const before = (await release()).epochs;
    await ask("POST", `${RAMP}/resume`, {});
    const { epochs } = await release();
    expect([(await ask("GET", FLAG)).body.rollout.percentage, epochs.length]).toEqual([1, before.length + 1]);
    expect(epochOf(await targeting())).toBe(epochs.at(-1)?.revision);
  });

  it("begins an epoch also when it is switched on again: who is met from then on is of it", async () => {
    await started();
    await ask("PUT", `${FLAG}/enabled`, { enabled: false });
    await ask("POST", `${RAMP}/hold`, {});
    await ask("POST", `${RAMP}/resume`, {});
    const { epochs } = await release();
    expect([epochs.length, epochOf(await targeting())]).toEqual([2, epochs[1]?.revision]);
  });

  it("the experiment is neither stopped nor decided, until the release is over", async () => {
    await started();
    const ship = { outcome: "ship", variant: "short", reason: "now", againstAdvice: true };
    expect(await refused(ask("POST", `${X}/stop`, {}))).toEqual([409, "release_ramps_experiment", "ramp"]);
    expect(await refused(ask("POST", `${X}/decide`, ship))).toEqual([409, "release_ramps_experiment", "ramp"]);
    await ask("POST", `${RAMP}/hold`, {});
    expect((await ask("POST", `${X}/stop`, {})).status).toBe(409);
    await ask("POST", `${RAMP}/abort`, {});
    expect([await status(), (await ask("GET", FLAG)).body.rollout.percentage]).toEqual(["stopped", 0]);
    expect((await ask("POST", `${X}/decide`, ship)).body.status).toBe("decided");
  });

  it("a second release of it, and of its flag, are refused a start", async () => {
    await started();
    await draft({ key: "second" });
    await ask("POST", `${R}/second/ready`, {});
    expect(await refused(ask("POST", `${R}/second/start`, {}))).toEqual([409, "release_owns_flag", "ramp"]);
    expect((await ask("POST", `${R}/second/abort`, {})).body.state).toBe("aborted");
    // One that never started takes nothing back.
    expect([await status(), (await release()).state]).toEqual(["running", "ramping"]);
  });

  it("nothing is silent while nobody is let in, and it is once somebody was for a day", async () => {
    const inside = { name: "Inside", percentage: 0, hold: { minDurationS: 60 }, gates: [] };
    await started({ stages: [inside, ...STAGES] });
    const silent = (): unknown[] => {
      server.pulse.look();
      return server.notices.splice(0).map(({ data }) => (data as { silence: string }).silence);
    };
    server.clock.now += 2 * SILENT_AFTER_MS;
    expect(silent()).toEqual(["metrics-silent"]);
    await ask("POST", `${RAMP}/advance`, { override: true, reason: "on" });
    server.clock.now += SILENT_AFTER_MS;
    expect(silent()).toEqual([]);
    server.clock.now += 1;
    expect(silent()).toEqual(["exposures-silent"]);
  });
});

describe("harm", () => {
  it("in one treatment takes all of it back, names it, and stops the experiment in the same change", async () => {
    await started();
    fail(CONTROL, 10);
    fail(SHORT, 5);
    fail(OUTSIDE, 30);
    await tick();
    expect(await state()).toEqual(["ramping", 0]);
    fail(NONE, 30);
    const before = project().revision;
    await tick();
    const { reasons, state: name } = await release();
    expect([name, reasons]).toEqual(["rolled-back", [{ code: "guardrail-breach", subject: "errors", treatment: "none" }]]);
    expect([await status(), (await ask("GET", FLAG)).body.rollout.percentage, project().revision]).toEqual([
      "stopped",
      0,
      before + 1,
    ]);
    const { items } = (await ask("GET", `${P}/changes?action=release.rollback`)).body as { items: Change[] };
    expect(items.map(({ reason }) => reason)).toEqual(["guardrail-breach errors in none"]);
  });

  it("is taken back while the project is frozen, and after the release is done", async () => {
    await started();
    for (let stage = 0; stage < 3; stage += 1) await tick(1);
    expect(await state()).toEqual(["done", 2]);
    await ask("POST", `${P}/freeze`, { reason: "incident" });
    expect((await ask("POST", `${RAMP}/rollback`, { reason: "late" })).status).toBe(200);
    expect([await status(), (await ask("GET", FLAG)).body.rollout.percentage]).toEqual(["stopped", 0]);
  });

  it("leaves an experiment alone that has another split since the release was done", async () => {
    await started();
    for (let stage = 0; stage < 3; stage += 1) await tick(1);
    const serve = { weights: { long: 50, short: 25, none: 25 }, tracks: { experiment: EXPERIMENT } };
    const apart = { rules: [], fallthrough: serve, newEpoch: true };
    expect((await letIn(server, 50, apart)).status).toBe(200);
    const before = await targeting();
    expect((await ask("POST", `${RAMP}/rollback`, { reason: "late" })).status).toBe(200);
    expect([await status(), await targeting()]).toEqual(["running", before]);
  });

  it("is in its record, treatment by treatment", async () => {
    await started();
    await expose("long", 4);
    await expose("short", 2);
    await expose("none", 3);
    server.clock.now += 60_000;
    fail(CONTROL, 10);
    fail(SHORT, 5);
    fail(NONE, 30);
    await tick();
    const { body } = await ask("GET", `${RAMP}/log`);
    expect([body.experiment, body.control, body.exposure[0].treated, body.exposure[0].control]).toEqual([
      EXPERIMENT,
      "long",
      5,
      4,
    ]);
    const records = (body as ReleaseLog).guardrails.map(({ treatment, looks, strata }) => [
      treatment,
      looks.at(-1)?.verdict,
      strata,
    ]);
    const counted = (treated: number): object => ({ percentage: 1, treated: { units: treated }, control: { units: 10 } });
    expect(records).toEqual([
      ["none", "rollback", [counted(30)]],
      ["short", "quiet", [counted(5)]],
    ]);
    const { items } = (await ask("GET", `${RAMP}/guardrails`)).body;
    expect(items).toEqual([]);
    const text = (await ask("GET", `${RAMP}/log?format=markdown`)).text;
    expect(text).toContain(`Ramps the experiment ${EXPERIMENT} of the flag checkout`);
    expect(text).toContain("Guardrail errors in none");
    expect((await ask("GET", `${RAMP}/runbook`)).text).toContain("The experiment is stopped with what it showed.");
  });
});

it("is no interference of its own experiment, and forecasts what it shares with another", async () => {
  await started();
  const other = { weights: { long: 50, short: 50 }, share: 40, tracks: { experiment: "search-test" } };
  await ask("POST", `${P}/flags`, { key: "search", type: "string", variants: { long: "l", short: "s" } });
  await ask("PUT", `${E}/flags/search`, {
    enabled: true,
    off: "long",
    rules: [{ id: "rollout", serve: other }],
    fallthrough: { variant: "long" },
  });
  const { body: own } = await ask("GET", X);
  const { hypothesis, environment, control, metrics, alertRoute } = own;
  const more = {
    key: "search-test",
    flag: "search",
    treatments: ["short"],
    hypothesis,
    environment,
    control,
    metrics,
    alertRoute,
  };
  expect((await ask("POST", `${P}/experiments`, more)).status).toBe(201);
  expect((await ask("POST", `${P}/experiments/search-test/start`, {})).status).toBe(200);
  const { forecast } = (await ask("GET", `${RAMP}/interference`)).body;
  expect(forecast).toEqual([
    {
      kind: "experiment",
      key: "search-test",
      flag: "search",
      stages: [
        ["One", 0.4],
        ["Ten", 4],
        ["Half", 20],
      ].map(([name, percentage]) => ({
        name,
        percentage: expect.closeTo(percentage as number, 9),
        ofThis: expect.closeTo(40, 9),
      })),
    },
  ]);
});

/** The rollout's parts, one a line. */
function targetingText({ rules }: Targeting): string {
  const serve = rules.at(-1)?.serve;
  const parts = serve !== undefined && "split" in serve ? serve.split : [];
  return parts
    .map(({ variant, draws, tracks }) => {
      const ranges = draws.map(
        ({ space, in: drawn }) => `${space} ${drawn.map(([from, to]) => `${from}-${to}`).join(",") || "nobody"}`,
      );
      return `   ${variant}: ${ranges.join(", ")}, epoch ${tracks?.epoch}`;
    })
    .join("\n");
}

function epochOf({ rules }: Targeting): number | undefined {
  const serve = rules.at(-1)?.serve;
  return serve !== undefined && "split" in serve ? serve.split[0]?.tracks?.epoch : undefined;
}
