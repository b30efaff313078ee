import type { ShareBounds, Space } from "@belay/protocol";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";
import { measure } from "./measure.ts";
import { movementBetween } from "./movement.ts";
import type { Definitions } from "./walk.ts";

let server: TestServer;
let ask: TestServer["ask"];
let flag: string;
let count = 0;
beforeAll(async () => {
  server = await testServer();
  ({ ask } = server);
});
afterAll(() => server.close());
beforeEach(async () => {
  count += 1;
  flag = `${E}/flags/flag-${count}`;
  await ask("POST", `${P}/flags`, { key: `flag-${count}`, type: "string", variants: { a: "1", b: "2", c: "3" } });
});

const preview = (body: object): Promise<Answer> => ask("POST", `${flag}/preview`, body);
const put = (targeting: object): Promise<Answer> => ask("PUT", flag, { enabled: true, rules: [], ...targeting });
const tracks = { experiment: "x" };
const exactly = (share: number): { min: number; max: number } => ({ min: share, max: share });
const epochs = async (): Promise<(number | undefined)[]> => {
  const { rules, fallthrough } = (await ask("GET", flag)).body.targeting;
  const serves = [...rules.map(({ serve }: { serve: object }) => serve), fallthrough ?? {}];
  return serves.flatMap(({ split = [] }) => split.map((part: { tracks?: { epoch?: number } }) => part.tracks?.epoch));
};

describe("a preview", () => {
  it("says who a rollout would move, and moves nobody", async () => {
    await ask("PUT", `${flag}/rollout`, { percentage: 12.5, variant: "b" });
    const { revision } = (await ask("GET", E)).body;
    const { status, body } = await preview({ rollout: { percentage: 40 } });
    expect(status).toBe(200);
    expect(body).toEqual({
      project: "default",
      environment: "production",
      flag: `flag-${count}`,
      revision,
      basis: "exact",
      changed: exactly(27.5),
      variants: [
        { from: "a", to: "a", share: exactly(60) },
        { from: "a", to: "b", share: exactly(27.5) },
        { from: "b", to: "b", share: exactly(12.5) },
      ],
      rules: [
        { place: "fallthrough", before: exactly(87.5), after: exactly(60), changed: exactly(0) },
        { place: "rule", rule: "rollout", before: exactly(12.5), after: exactly(40), changed: exactly(27.5) },
      ],
      experiments: [],
    });
    expect((await ask("GET", E)).body.revision).toBe(revision);
  });

  it("gives bounds where it depends on attributes, and says so", async () => {
    await ask("PUT", `${flag}/rollout`, { percentage: 20, variant: "b" });
    const rule = { id: "de", when: { attribute: "country", op: "in", value: "DE" }, serve: { variant: "b" } };
    const { rules } = (await ask("GET", flag)).body.targeting;
    const { body } = await preview({
      targeting: { enabled: true, off: "a", rules: [rule, ...rules], fallthrough: { variant: "a" } },
    });
    expect(body).toMatchObject({ basis: "bounds", changed: { min: 0, max: 80 } });
    expect(body.variants).toContainEqual({ from: "b", to: "b", share: exactly(20) });
  });

  it("offers the allocation that moves least, which can be put as it is", async () => {
    await put({ fallthrough: { weights: { a: 40, b: 30, c: 30 } } });
    const targeting = { enabled: true, rules: [], fallthrough: { weights: { a: 20, b: 30, c: 50 } } };
    const { body } = await preview({ targeting });
    expect(body.changed).toEqual(exactly(40));
    expect(body.leastMovement.changed).toEqual(exactly(20));
    expect((await preview({ targeting: body.leastMovement.targeting })).body.changed).toEqual(exactly(20));
    expect((await put(body.leastMovement.targeting)).status).toBe(200);
    expect((await preview({ targeting })).body.leastMovement).toMatchObject({ changed: exactly(0) });
  });

  it("is refused for what the edit itself would be refused for", async () => {
    const unknown = await preview({ targeting: { enabled: true, rules: [], fallthrough: { variant: "z" } } });
    expect(unknown.body).toMatchObject({ status: 422, code: "unknown_variant" });
    expect((await preview({ rollout: { percentage: 101 } })).body).toMatchObject({ code: "invalid_percentage" });
    expect((await preview({})).status).toBe(422);
    expect((await ask("POST", `${E}/flags/none/preview`, { rollout: { percentage: 1 } })).status).toBe(404);
  });
});

describe("a running experiment", () => {
  it("keeps its units in their arms unless the command opens a new epoch", async () => {
    await put({ fallthrough: { weights: { a: 50, b: 50 }, tracks } });
    const [epoch] = await epochs();
    const weights = { fallthrough: { weights: { a: 30, b: 70 }, tracks } };
    const refused = await put(weights);
    expect(refused.body).toMatchObject({ status: 409, code: "experiment_moves", field: "newEpoch", experiment: "x", share: 20 });
    expect(await epochs()).toEqual([epoch, epoch]);
    const { experiments } = (await preview({ targeting: { enabled: true, rules: [], ...weights } })).body;
    expect(experiments).toEqual([{ experiment: "x", moved: exactly(20) }]);
    const { body } = await put({ ...weights, newEpoch: true });
    expect(body.targeting.newEpoch).toBeUndefined();
    expect(await epochs()).toEqual([body.revision, body.revision]);
  });

  it("may grow from both ends up to half, shrink, end, pause and begin anew", async () => {
    const part = (variant: string): object => ({ variant, draws: [{ space: "share", in: [] }], tracks });
    await put({ rules: [{ id: "rollout", serve: { split: [part("b"), part("a")] } }] });
    const rollout = (percentage: number, more: object = {}): Promise<Answer> =>
      ask("PUT", `${flag}/rollout`, { percentage, ...more });
    for (const percentage of [1, 10, 50, 20, 50]) expect((await rollout(percentage)).status).toBe(200);
    const beyond = await rollout(80);
    expect(beyond.body).toMatchObject({ code: "experiment_moves", share: 30 });
    expect((await rollout(80, { newEpoch: true })).status).toBe(200);
    // Down is how harm is stopped: never refused, though it takes units of treatment into control.
    const down = await rollout(60);
    expect(down.status).toBe(200);
    expect(await epochs()).toEqual([down.body.revision, down.body.revision]);
    const weights = { weights: { a: 90, b: 10 } };
    expect((await put({ fallthrough: { ...weights, tracks: { experiment: "y" } } })).status).toBe(200);
    expect((await put({ fallthrough: weights })).status).toBe(200);
    await put({ fallthrough: { ...weights, tracks } });
    await ask("PUT", `${flag}/enabled`, { enabled: false });
    expect((await put({ enabled: false, fallthrough: { weights: { a: 10, b: 90 }, tracks } })).status).toBe(200);
    expect((await put({ fallthrough: { weights: { a: 10, b: 90 }, tracks } })).status).toBe(200);
  });

  it("begins a new epoch when a condition moves its units and no allocation changes", async () => {
    const when = { attribute: "beta", op: "in", value: true };
    const rules = [
      { id: "r1", when, serve: { weights: { a: 100 }, tracks } },
      { id: "r2", serve: { weights: { b: 100 }, tracks } },
    ];
    await put({ rules });
    const wider = [{ ...rules[0], when: { any: [when, { attribute: "alpha", op: "in", value: true }] } }, rules[1]];
    expect((await put({ rules: wider })).body).toMatchObject({ code: "experiment_moves", share: 100 });
    const { body } = await put({ rules: wider, newEpoch: true });
    expect(await epochs()).toEqual([body.revision, body.revision]);
    expect((await put({ rules: [...wider, { id: "r3", serve: { variant: "c" } }] })).status).toBe(200);
    expect(await epochs()).toEqual([body.revision, body.revision]);
  });

  it("begins a new epoch with a condition changed while the flag was off, which moves nobody before it is on again", async () => {
    const when = (value: boolean): object => ({ attribute: "beta", op: "in", value });
    const rules = (value: boolean): object[] => [
      { id: "r1", when: when(value), serve: { weights: { a: 100 }, tracks } },
      { id: "r2", serve: { weights: { b: 100 }, tracks } },
    ];
    await put({ rules: rules(true) });
    const [epoch] = await epochs();
    await ask("PUT", `${flag}/enabled`, { enabled: false });
    expect(await epochs()).toEqual([epoch, epoch]);
    const { status, body } = await put({ enabled: false, rules: rules(false) });
    expect([status, await epochs()]).toEqual([200, [body.revision, body.revision]]);
    await ask("PUT", `${flag}/enabled`, { enabled: true });
    expect(await epochs()).toEqual([body.revision, body.revision]);
  });
});

it("an experiment is not cleared by a measurement that could not be finished", async () => {
  const rules = Array.from({ length: 16 }, (_, i) => ({
    id: `r${i}`,
    when: { attribute: `a${i}`, op: "exists", value: true },
    serve: { weights: { a: 50, b: 50 }, share: i + 1, tracks },
  }));
  await put({ rules });
  const reversed = [...rules].reverse();
  const { body } = await preview({ targeting: { enabled: true, rules: [...rules, { id: "last", serve: { variant: "c" } }] } });
  expect(body).toMatchObject({ basis: "bounds", experiments: [{ experiment: "x", moved: { min: 0 } }] });
  expect(body.experiments[0].moved.max).toBeGreaterThan(0);
  expect(body.unexplored).toBe(100);
  expect((await put({ rules: reversed })).body).toMatchObject({ status: 409, code: "experiment_moves" });
  expect((await put({ rules: reversed, newEpoch: true })).status).toBe(200);
});

it("an experiment is not cleared by a measurement that came to no end at all", async () => {
  const rules = Array.from({ length: 300 }, (_, i) => ({
    id: `r${i}`,
    when: { attribute: `a${i}`, op: "exists", value: true },
    serve: { weights: { [i % 2 === 0 ? "a" : "b"]: 100 }, tracks },
  }));
  await put({ rules });
  const reversed = [...rules].reverse();
  expect((await preview({ targeting: { enabled: true, rules: reversed } })).body).toMatchObject({
    unexplored: 100,
    experiments: [{ experiment: "x", moved: { min: 0, max: 100 } }],
  });
  expect((await put({ rules: reversed })).body).toMatchObject({ status: 409, code: "experiment_moves", share: 100 });
  expect((await put({ rules: reversed, newEpoch: true })).status).toBe(200);
});

it("to say that the targeting key divides a space moves nobody; another attribute, or another salt, does", () => {
  const half = { split: [{ variant: "a", draws: [{ space: "share", in: [[0, 500_000]] as const }] }] };
  const dividedBy = (share: Space): Definitions => ({
    flag: () => ({ type: "number", variants: { a: 1 }, spaces: { share }, enabled: true, rules: [], fallthrough: half }),
    segment: () => undefined,
    space: () => undefined,
  });
  const changed = (after: Space): ShareBounds => movementBetween(dividedBy({ salt: "s" }), dividedBy(after), "f").changed;
  expect(changed({ salt: "s", by: "targetingKey" })).toEqual(exactly(0));
  expect(changed({ salt: "s", by: "account" })).toEqual(exactly(50));
  expect(changed({ salt: "t" })).toEqual(exactly(50));
});

it("a measurement that would cost too much says what it left out", () => {
  const endless = function* (): Generator<{ kind: "draw"; axis: string; ranges: [number, number][] }, number, boolean> {
    for (let axis = 0; axis < 30; axis += 1) yield { kind: "draw", axis: String(axis), ranges: [[0, 500_000]] };
    return 1;
  };
  const [tally] = measure(endless, 1_000);
  const explored = tally?.cells.reduce((sum, { share }) => sum + share, 0) ?? 0;
  expect(explored + (tally?.unexplored ?? 0)).toBeCloseTo(1, 12);
  expect(tally?.unexplored).toBeGreaterThan(0.9);
});
