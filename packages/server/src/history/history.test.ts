import { compile, type Explanation, evaluate } from "@belay/core";
import type { Difference, EvaluationContext, Targeting } from "@belay/protocol";
import { seeded } from "@belay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";

let server: TestServer;
let ask: TestServer["ask"];
beforeAll(async () => {
  server = await testServer();
  ({ ask } = server);
});
afterAll(() => server.close());

const revision = async (environment = "production"): Promise<number> =>
  (await ask("GET", `${P}/environments/${environment}`)).body.revision;

const SEED = 312;
const REVISIONS = 50;
const FLAGS = ["a", "b", "c", "d", "__proto__"];
const CONTEXTS: readonly EvaluationContext[] = Array.from({ length: 400 }, (_, i) => ({
  targetingKey: `user-${i}`,
  country: i % 3 === 0 ? "DE" : "AT",
}));

/** Evaluations of one revision, one line each. */
const evaluations = (snapshot: Parameters<typeof compile>[0]): string[] => {
  const ruleset = compile(snapshot, COMPILE_OPTIONS);
  return FLAGS.flatMap((key) => CONTEXTS.map((context) => JSON.stringify(evaluate(ruleset, key, context, false))));
};

it(`replays ${REVISIONS * FLAGS.length * CONTEXTS.length} evaluations over ${REVISIONS} revisions as they were (seed ${SEED})`, async () => {
  const dice = seeded(SEED);
  const path = (): string => `${E}/flags/${dice.pick(FLAGS)}`;
  const commands: (() => Promise<Answer>)[] = [
    () => ask("POST", `${P}/flags`, { key: dice.pick(FLAGS) }),
    () => ask("PUT", `${path()}/rollout`, { percentage: dice.below(101) }),
    () => ask("PUT", `${path()}/enabled`, { enabled: dice.fraction() < 0.7 }),
    () =>
      ask("PUT", path(), {
        enabled: true,
        rules: [{ id: "r", when: { segment: "s" }, serve: { weights: { on: 30, off: 70 } } }],
      }),
    () => ask("PUT", `${P}/segments/s`, { when: { attribute: "country", op: "in", value: dice.pick(["DE", "AT"]) } }),
    () => ask("POST", `${P}/flags/${dice.pick(FLAGS)}/${dice.pick(["archive", "restore"])}`, {}),
  ];
  await ask("POST", `${P}/segments`, { key: "s", when: { all: [] } });
  for (const key of FLAGS.slice(0, 3)) await ask("POST", `${P}/flags`, { key });
  const recorded = new Map<number, { readonly at: number; readonly lines: readonly string[] }>();
  while (recorded.size < REVISIONS) {
    server.clock.now += 60_000;
    await dice.pick(commands)();
    const { snapshot } = server.control.workspace.projects.get("default")?.environments.get("production") ?? {};
    if (snapshot === undefined || recorded.has(snapshot.head.revision)) continue;
    recorded.set(snapshot.head.revision, { at: server.clock.now, lines: evaluations(snapshot.whole) });
  }
  server.clock.now += 60_000;
  let replayed = 0;
  for (const [number, { at, lines }] of dice.shuffled([...recorded])) {
    const { body } = await ask("GET", `${E}/state?revision=${number}`);
    expect(body).toMatchObject({ project: "default", environment: "production", revision: number });
    const again = evaluations(body.snapshot);
    expect(again).toEqual(lines);
    replayed += again.length;
    const then = new Date(at + 59_999).toISOString();
    expect((await ask("GET", `${E}/state?at=${then}`)).body).toMatchObject({ revision: number, at: new Date(at).toISOString() });
    const [flag, context] = [dice.below(FLAGS.length), dice.below(CONTEXTS.length)];
    const asked = { flag: FLAGS[flag], context: CONTEXTS[context] };
    const expected = JSON.parse(lines[flag * CONTEXTS.length + context] as string);
    for (const moment of [{ revision: number }, { at: then }]) {
      const told = (await ask("POST", `${E}/explain`, { ...asked, ...moment })).body as Explanation;
      const { variant, reason, ruleId } = told.result;
      expect({ revision: told.revision, variant, reason, ruleId }).toEqual({
        revision: number,
        variant: expected.variant,
        reason: expected.reason,
        ruleId: expected.ruleId,
      });
    }
  }
  expect(replayed).toBe(100_000);
});

describe("a moment", () => {
  it("that never was is not found, and one that is not clear is refused", async () => {
    expect((await ask("GET", `${E}/state?revision=${(await revision()) + 1}`)).body).toMatchObject({
      status: 404,
      code: "revision_not_found",
    });
    expect((await ask("GET", `${E}/state?at=2001-01-01T00:00:00Z`)).body).toMatchObject({ code: "revision_not_found" });
    for (const at of ["yesterday", "2026-11-22T12:00:00", "2026-02-30T12:00:00Z", "2026-11-22T12:00:00+01:00"])
      expect((await ask("GET", `${E}/state?at=${at}`)).body).toMatchObject({ status: 422, field: "at" });
    for (const revision of ["1e0", "1.9", "01", "%201"])
      expect((await ask("GET", `${E}/state?revision=${revision}`)).body).toMatchObject({ status: 422, field: "revision" });
    expect((await ask("GET", `${E}/state?at=2030-01-01T00:00:00Z&revision=1`)).body).toMatchObject({ status: 422, field: "at" });
    expect((await ask("GET", `${E}/diff?from=1`)).body).toMatchObject({ status: 422, field: "to" });
    expect((await ask("POST", `${E}/restore`, { revision: 100_000 })).status).toBe(404);
  });

  it("not named is now", async () => {
    const { body } = await ask("GET", `${E}/state`);
    expect(body.revision).toBe(await revision());
    const live = server.control.workspace.projects.get("default")?.environments.get("production")?.snapshot.whole;
    expect(body.snapshot).toEqual(JSON.parse(JSON.stringify(live)));
  });
});

describe("a restore", () => {
  let key: string;
  let flag: string;
  let count = 0;
  beforeEach(async () => {
    count += 1;
    key = `restored-${count}`;
    flag = `${E}/flags/${key}`;
    await ask("POST", `${P}/flags`, { key });
  });
  const put = (on: number, tracks?: object): Promise<Answer> =>
    ask("PUT", flag, { enabled: true, rules: [], fallthrough: { weights: { on, off: 100 - on }, tracks }, newEpoch: true });
  const epochs = async (): Promise<unknown[]> => {
    const { fallthrough } = (await ask("GET", flag)).body.targeting as Targeting;
    return fallthrough !== undefined && "split" in fallthrough ? fallthrough.split.map(({ tracks }) => tracks?.epoch) : [];
  };

  it("is a new change that brings the content back, with the salts kept and a new epoch", async () => {
    const first = (await put(50, { experiment: "x" })).body.revision;
    const { spaces } = (await ask("GET", `${P}/flags/${key}`)).body;
    await put(80, { experiment: "x" });
    await ask("PUT", `${flag}/enabled`, { enabled: false });
    const others = await revision("staging");
    const { status, body, headers } = await ask("POST", `${E}/restore`, { revision: first, flags: [key], reason: "worse" });
    expect(status).toBe(200);
    expect(body).toMatchObject({ restoredFrom: first, restored: [key], revision: first + 3 });
    expect(headers["etag"]).toBe(`"${first + 3}"`);
    expect(await epochs()).toEqual([first + 3, first + 3]);
    expect((await ask("GET", `${P}/flags/${key}`)).body.spaces).toEqual(spaces);
    expect(await revision("staging")).toBe(others);
    const { differences } = (await ask("GET", `${E}/diff?from=${first}&to=${first + 3}`)).body;
    const [{ before, after }] = differences as [Extract<Difference, { kind: "flag" }>];
    expect(differences).toHaveLength(1);
    expect(JSON.stringify(after).replaceAll(`"epoch":${first + 3}`, `"epoch":${first}`)).toBe(JSON.stringify(before));
    const [change] = (await ask("GET", `${P}/changes?action=environment.restore&limit=1`)).body.items;
    expect(change).toMatchObject({ reason: "worse", revision: first + 3, raised: { production: first + 3 } });
    expect(Object.keys(change.after)).toEqual([key]);
  });

  it("keeps the epoch of a split whose allocation is the same then and now", async () => {
    const first = (await put(50, { experiment: "x" })).body.revision;
    await ask("PUT", `${flag}/enabled`, { enabled: false });
    expect((await ask("POST", `${E}/restore`, { revision: first, flags: [key] })).body.revision).toBe(first + 2);
    expect(await epochs()).toEqual([first, first]);
    const again = await ask("POST", `${E}/restore`, { revision: first, flags: [key] });
    expect(again.body).toMatchObject({ restored: [], revision: first + 2 });
  });

  it("says what all environments share and it cannot bring back", async () => {
    await ask("POST", `${P}/segments`, { key: `s-${count}`, when: { all: [] } });
    const then = (await put(50)).body.revision;
    await ask("PUT", `${P}/segments/s-${count}`, { when: { any: [] } });
    await ask("POST", `${P}/flags`, { key: `later-${count}` });
    await ask("PATCH", `${P}/flags/${key}`, { variants: { on: true, off: false, extra: true } });
    await ask("PUT", `${flag}/rollout`, { percentage: 1 });
    const { body } = await ask("POST", `${E}/restore`, { revision: then });
    expect(body.restored).toEqual([key]);
    expect(body.differs).toEqual([
      { kind: "flag", key, since: "changed" },
      { kind: "flag", key: `later-${count}`, since: "created" },
      { kind: "segment", key: `s-${count}`, since: "changed" },
    ]);
  });

  it("is refused whole when one definition no longer fits, or somebody was first", async () => {
    await ask("PATCH", `${P}/flags/${key}`, { variants: { on: true, off: false, third: true } });
    const then = (await ask("PUT", flag, { enabled: true, rules: [], fallthrough: { variant: "third" } })).body.revision;
    await ask("POST", `${P}/flags`, { key: `second-${count}` });
    await ask("PUT", flag, { enabled: true, rules: [], fallthrough: { variant: "on" } });
    await ask("PATCH", `${P}/flags/${key}`, { variants: { on: true, off: false } });
    const before = await revision();
    expect((await ask("POST", `${E}/restore`, { revision: then })).body).toMatchObject({ status: 422, code: "unknown_variant" });
    expect(await revision()).toBe(before);
    const stale = { headers: { "if-match": `"${before - 1}"` } };
    expect((await ask("POST", `${E}/restore`, { revision: before - 2, flags: [key] }, stale)).status).toBe(412);
    expect((await ask("POST", `${E}/restore`, { revision: then, flags: ["none"] })).body).toMatchObject({
      code: "flag_not_found",
    });
  });
});
