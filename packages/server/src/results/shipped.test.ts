import { murmur3 } from "@belay/core";
import type { CumulativeReport, HoldoutReport } from "@belay/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { P } from "../app.fixture.ts";
import { DRAFT, layGround, track } from "../experiments/experiments.fixture.ts";
import { NOON, type RecordingServer, recordingServer } from "../record-doors.fixture.ts";
import type { ExperimentDocument, Held, LooksDocument } from "../state/workspace.ts";
import { cumulativeReport } from "./shipped.ts";

const HOUR_MS = 3_600_000;
const ASKED = "environment=production&metric=buyers";

let server: RecordingServer;
let ask: RecordingServer["ask"];
beforeEach(async () => {
  server = await recordingServer();
  ({ ask } = server);
  await layGround(server);
  await ask("POST", `${P}/holdouts`, { key: "q4", percentage: 20 });
});
afterEach(() => server.close());

/** Units by where they fall in the holdout's space, as an SDK places them. */
function sides(count: number): { readonly heldOut: readonly string[]; readonly rest: readonly string[] } {
  const salt = server.control.workspace.projects.get("default")?.holdouts.get("q4")?.body.space.salt;
  const units = Array.from({ length: count }, (_, index) => `user-${index}`);
  const isHeldOut = (unit: string): boolean => Math.floor((murmur3(`${salt}${unit}`) * 1_000_000) / 2 ** 32) < 200_000;
  return { heldOut: units.filter(isHeldOut), rest: units.filter((unit) => !isHeldOut(unit)) };
}

/** All of them visit; the first so many of each side buy. */
async function visit(units: readonly string[], buyers: number): Promise<void> {
  const timeMs = NOON + HOUR_MS;
  await server.receive({
    atMs: timeMs,
    metrics: [
      ...units.map((unit) => ({ timeMs, name: "visit", unit })),
      ...units.slice(0, buyers).map((unit) => ({ timeMs: timeMs + 1, name: "purchase", unit, value: 1 })),
    ],
  });
}

const holdout = async (): Promise<HoldoutReport> => {
  const { status, body } = await ask("GET", `${P}/holdouts/q4/results?${ASKED}`);
  expect([status, body.code]).toEqual([200, undefined]);
  return body;
};

describe("a holdout", () => {
  it("is compared with all the rest, whom nobody exposed to anything", async () => {
    const { heldOut, rest } = sides(4_000);
    const bought = { heldOut: Math.round(heldOut.length / 10), rest: Math.round(0.15 * rest.length) };
    await visit(heldOut, bought.heldOut);
    await visit(rest, bought.rest);
    server.clock.now = NOON + 2 * HOUR_MS;
    const found = await holdout();
    const [pC, pT] = [bought.heldOut / heldOut.length, bought.rest / rest.length];
    const pooled = (bought.heldOut + bought.rest) / 4_000;
    const se = Math.sqrt(pooled * (1 - pooled) * (1 / heldOut.length + 1 / rest.length));
    expect(found).toMatchObject({
      ...{ holdout: "q4", metric: "buyers", version: 1, from: new Date(NOON).toISOString() },
      heldOut: { units: heldOut.length, value: { status: "ok", value: pC } },
      rest: { units: rest.length, value: { status: "ok", value: pT } },
      sampleRatio: { status: "ok", isMismatched: false },
      absolute: { status: "ok", value: expect.closeTo(pT - pC, 12), standardError: expect.closeTo(se, 12) },
    });
    // The logarithm of the ratio, half a success more on either side.
    const [oC, oT] = [(bought.heldOut + 0.5) / (heldOut.length + 0.5), (bought.rest + 0.5) / (rest.length + 0.5)];
    expect(found.relative).toMatchObject({ status: "ok", value: expect.closeTo(oT / oC - 1, 12) });
  });

  it("says when fewer of one side come at all: then what it shows is not what shipped does to people", async () => {
    const { heldOut, rest } = sides(4_000);
    await visit(heldOut, 0);
    await visit(rest.slice(0, 2_000), 0);
    expect((await holdout()).sampleRatio).toMatchObject({ status: "ok", isMismatched: true });
  });

  it("that ended has the results it had then, and one with nobody yet has none", async () => {
    expect(await holdout()).toMatchObject({
      heldOut: { units: 0, value: { status: "insufficient" } },
      absolute: { status: "insufficient", reason: "too-few-units" },
    });
    server.clock.now = NOON + 2;
    await ask("POST", `${P}/holdouts/q4/end`, {});
    await visit(["late"], 1);
    server.clock.now = NOON + 3 * HOUR_MS;
    expect(await holdout()).toMatchObject({ at: new Date(NOON + 2).toISOString(), rest: { units: 0 }, heldOut: { units: 0 } });
  });

  it.each([
    [`/holdouts/none/results?${ASKED}`, "holdout_not_found"],
    ["/holdouts/q4/results?environment=production&metric=none", "metric_not_found"],
    ["/holdouts/q4/results?environment=none&metric=buyers", "environment_not_found"],
    ["/cumulative-effect?environment=production&metric=none", "metric_not_found"],
    [`/cumulative-effect?${ASKED}&from=soon`, "invalid_field"],
  ])("%s: %s", async (path, code) => {
    expect((await ask("GET", `${P}${path}`)).body.code).toBe(code);
  });
});

describe("the cumulative effect", () => {
  const held = <T>(body: T): Held<T> => ({ revision: 1, body }) as Held<T>;
  const shipped = (day: number, over: object = {}): Held<ExperimentDocument> =>
    held({
      ...DRAFT,
      status: "decided",
      decision: { outcome: "ship", variant: "short", at: new Date(Date.UTC(2026, 9, day)).toISOString(), isAgainstAdvice: false },
      ...over,
    } as unknown as ExperimentDocument);
  const looked = (...effects: readonly number[]): Held<LooksDocument> =>
    held({
      looks: effects.map((effect) => ({ metric: "buyers", treatment: "short", effect, variance: 0.0004 })),
    } as unknown as LooksDocument);
  const experiments = new Map([
    ["second", shipped(2)],
    ["first", shipped(1)],
    ["unseen", shipped(3)],
    ["elsewhere", shipped(1, { environment: "staging" })],
    ["lost", shipped(1, { decision: { outcome: "do-not-ship" } })],
  ]);
  const looks = new Map([
    ["first", looked(0.5, 0.04)],
    ["second", looked(0.06)],
    ["lost", looked(-0.9)],
  ]);
  const asked = { environment: "production", metric: "buyers", at: "2026-11-22T12:00:00.000Z" };

  it("is the sum of last looks, each halved where its variance is the prior's", () => {
    const found = cumulativeReport({ experiments, looks }, asked);
    expect(found.prior).toMatchObject({ mean: 0, sd: 0.02, source: "default", tests: 3 });
    expect(found.shipped.map(({ experiment, effect, standardError }) => [experiment, effect, standardError])).toEqual([
      ["first", 0.04, 0.02],
      ["second", 0.06, 0.02],
    ]);
    expect(found.shipped.map(({ shrunken }) => shrunken)).toEqual([expect.closeTo(0.02, 12), expect.closeTo(0.03, 12)]);
    expect(found.unmeasured).toEqual(["unseen"]);
    expect([found.raw, found.total.value]).toEqual([expect.closeTo(0.1, 12), expect.closeTo(0.05, 12)]);
    // Two posteriors of variance 0.0002 each.
    expect(found.total.interval.high - found.total.value).toBeCloseTo(1.959964 * Math.sqrt(0.0004), 7);
  });

  it("is of a span of decisions; of none it is 0", () => {
    const of = (fromMs: number, untilMs: number): CumulativeReport =>
      cumulativeReport({ experiments, looks }, { ...asked, fromMs, untilMs });
    expect(of(Date.UTC(2026, 9, 2), Date.UTC(2026, 9, 3)).shipped.map(({ experiment }) => experiment)).toEqual(["second"]);
    expect(of(0, 1)).toMatchObject({ shipped: [], raw: 0, total: { value: 0 } });
  });

  it("is served beside a holdout", async () => {
    // Its split takes everybody, so it starts only once the holdout has ended.
    await ask("POST", `${P}/holdouts/q4/end`, {});
    await track(server);
    await ask("POST", `${P}/experiments`, DRAFT);
    const one = `${P}/experiments/${DRAFT.key}`;
    await ask("POST", `${one}/start`, {});
    await ask("POST", `${one}/stop`, {});
    const decided = await ask("POST", `${one}/decide`, { outcome: "ship", reason: "we like it", againstAdvice: true });
    expect([decided.status, decided.body.code]).toEqual([200, undefined]);
    const { status, body } = await ask("GET", `${P}/cumulative-effect?${ASKED}&holdout=q4&from=2026-11-01T00:00:00Z`);
    expect([status, body.unmeasured, body.raw, body.holdout.holdout]).toEqual([200, [DRAFT.key], 0, "q4"]);
  });
});
