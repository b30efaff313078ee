import { compile, evaluate } from "@belay/core";
import type { Bundle, Snapshot } from "@belay/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import { recordDoors } from "../record-doors.ts";
import type { EventStore } from "../store/events/index.ts";

/** Nothing here asks for events; who does finds none. */
const NO_EVENTS = {} as EventStore;
const COPY = "/api/v1/projects/copy";
const ENVIRONMENTS = ["development", "staging", "production"];

let server: TestServer;
let ask: TestServer["ask"];
beforeEach(async () => {
  server = await testServer({ doors: [recordDoors({ events: NO_EVENTS, now: Date.now })] });
  ({ ask } = server);
  await ask("POST", "/api/v1/projects", { key: "copy" });
  await ask("POST", `${P}/segments`, { key: "beta", when: { attribute: "beta", op: "in", value: true } });
  for (const key of ["one", "two", "__proto__"]) await ask("POST", `${P}/flags`, { key, owner: "ops", tags: ["t"] });
  await ask("PUT", `${E}/flags/one/rollout`, { percentage: 33.3333 });
  await ask("PUT", `${E}/flags/two`, {
    enabled: true,
    off: "off",
    prerequisites: [{ flag: "one", variants: ["on"] }],
    rules: [{ id: "b", when: { segment: "beta" }, serve: { variant: "on" } }],
    fallthrough: { weights: { on: 20, off: 80 }, tracks: { experiment: "x" } },
  });
  await ask("POST", `${P}/flags/__proto__/archive`, {});
});
afterEach(() => server.close());

const exported = async (path = P): Promise<Bundle> => (await ask("GET", `${path}/export`)).body;
const plan = (path: string, bundle: Bundle, more: object = {}): Promise<Answer> =>
  ask("POST", `${path}/import/plan`, { bundle, ...more });
const importAs = (path: string, hash: string, bundle: Bundle, more: object = {}): Promise<Answer> =>
  ask("POST", `${path}/import`, { bundle, plan: hash, ...more });
const imported = async (path: string, bundle: Bundle, more: object = {}): Promise<Answer> =>
  importAs(path, (await plan(path, bundle, more)).body.plan, bundle, more);

const snapshot = (project: string, environment = "production"): Snapshot =>
  server.control.workspace.projects.get(project)?.environments.get(environment)?.snapshot.whole as Snapshot;
const revisions = (project: string): (number | undefined)[] =>
  ENVIRONMENTS.map((name) => server.control.workspace.projects.get(project)?.environments.get(name)?.revision);
const decisions = (project: string): string[] => {
  const ruleset = compile({ ...snapshot(project), revision: 0 }, COMPILE_OPTIONS);
  const contexts = Array.from({ length: 1_000 }, (_, i) => ({ targetingKey: `user-${i}`, beta: i % 7 === 0 }));
  return contexts.flatMap((context) => ["one", "two"].map((key) => JSON.stringify(evaluate(ruleset, key, context, false))));
};
/** A bundle with epochs taken out: they belong to the environment they were stamped in. */
const timeless = (bundle: Bundle): Bundle =>
  JSON.parse(JSON.stringify(bundle, (name, value) => (name === "epoch" ? undefined : value))) as Bundle;
const changed = (bundle: Bundle, edit: (copy: { readonly flags: Record<string, unknown> }) => void): Bundle => {
  const copy = JSON.parse(JSON.stringify(bundle));
  edit(copy);
  return copy;
};

/** Metrics, a layer, a holdout and a draft that stands on them. */
async function study(path = P): Promise<void> {
  const metric = (key: string, name: string): object => ({
    key,
    measure: { kind: "proportion", events: { name } },
    good: "increase",
    unseen: true,
  });
  await ask("POST", `${path}/metrics`, metric("buyers", "purchase"));
  await ask("POST", `${path}/metrics`, metric("visitors", "visit"));
  await ask("POST", `${path}/layers`, { key: "shop" });
  await ask("POST", `${path}/holdouts`, { key: "q4", percentage: 5 });
  await ask("POST", `${path}/experiments`, {
    key: "x",
    hypothesis: "two is better",
    flag: "two",
    environment: "production",
    control: "off",
    treatments: ["on"],
    metrics: { primary: ["buyers"], guardrails: ["visitors"] },
    plan: { smallestEffect: 0.1, horizonDays: 14 },
    alertRoute: "mailto:team@example.org",
    layer: { layer: "shop", range: [0, 500_000] },
  });
}

describe("a bundle with experiments", () => {
  it("carries metrics, layers, holdouts and drafts, salts and all, and once", async () => {
    await study();
    const bundle = await exported();
    expect([Object.keys(bundle.metrics ?? {}), Object.keys(bundle.experiments ?? {})]).toEqual([["buyers", "visitors"], ["x"]]);
    const { status, body } = await imported(COPY, bundle);
    expect([
      status,
      body.changes.filter(({ kind }: { kind: string }) => ["layer", "holdout", "metric", "experiment"].includes(kind)).length,
    ]).toEqual([200, 5]);
    const again = await exported(COPY);
    expect([again.metrics, again.layers, again.holdouts, again.experiments]).toEqual([
      bundle.metrics,
      bundle.layers,
      bundle.holdouts,
      bundle.experiments,
    ]);
    expect(snapshot("copy").spaces).toEqual(snapshot("default").spaces);
    expect((await ask("GET", `${COPY}/experiments/x`)).body).toMatchObject({
      status: "draft",
      plan: { alpha: 0.05, power: 0.8 },
    });
    expect((await plan(COPY, bundle)).body.changes).toEqual([]);
  });

  it("gives a metric that measures something else its next version, and refuses other salts and broken definitions", async () => {
    await study();
    const bundle = await exported();
    await imported(COPY, bundle);
    const other = JSON.parse(JSON.stringify(bundle));
    other.metrics.buyers.tolerance = 0.1;
    await imported(COPY, other);
    expect((await ask("GET", `${COPY}/metrics/buyers`)).body).toMatchObject({ version: 2, tolerance: 0.1 });
    const salted = JSON.parse(JSON.stringify(bundle));
    salted.layers.shop.space.salt = "abcdefgh";
    expect((await plan(COPY, salted)).body).toMatchObject({ code: "salts_differ", field: "layers.shop.space" });
    const broken = JSON.parse(JSON.stringify(bundle));
    broken.experiments.x.metrics.primary = ["nothing"];
    expect((await plan(COPY, broken)).body).toMatchObject({ code: "unknown_metric", field: "metrics.primary[0]" });
  });
});

describe("a bundle", () => {
  it("carries a project into another one, where every unit gets what it got", async () => {
    const bundle = await exported();
    const planned = (await plan(COPY, bundle)).body;
    expect(
      planned.changes.map(({ kind, key, environment = "" }: Record<string, string>) => `${kind} ${key} ${environment}`),
    ).toEqual([
      "segment beta ",
      "flag __proto__ ",
      "flag one ",
      "flag two ",
      ...ENVIRONMENTS.flatMap((name) => [`targeting __proto__ ${name}`, `targeting one ${name}`, `targeting two ${name}`]),
    ]);
    expect(revisions("copy")).toEqual([1, 1, 1]);
    const { status, body } = await importAs(COPY, planned.plan, bundle, { reason: "moving house" });
    expect([status, body.revision, body.plan]).toEqual([200, 2, planned.plan]);
    expect(revisions("copy")).toEqual([2, 2, 2]);
    expect(decisions("copy")).toEqual(decisions("default"));
    expect(timeless(await exported(COPY))).toEqual({ ...timeless(bundle), project: { ...bundle.project, name: "copy" } });
    expect((await ask("GET", `${COPY}/flags/one`)).body.spaces).toEqual((await ask("GET", `${P}/flags/one`)).body.spaces);
    const [change] = (await ask("GET", `${COPY}/changes?limit=1`)).body.items;
    expect(change).toMatchObject({ action: "project.import", reason: "moving house", raised: { production: 2, staging: 2 } });
    expect((await plan(COPY, bundle)).body.changes).toEqual([]);
    expect((await imported(COPY, bundle)).body.revision).toBe(2);
    expect(revisions("copy")).toEqual([2, 2, 2]);
  });

  it("stamps epochs where it lands", async () => {
    await imported(COPY, await exported());
    const { fallthrough } = (await ask("GET", `${COPY}/environments/production/flags/two`)).body.targeting;
    expect(fallthrough.split.map(({ tracks }: { tracks: object }) => tracks)).toEqual([
      { experiment: "x", epoch: 2 },
      { experiment: "x", epoch: 2 },
    ]);
  });

  it("fault 59: with one wrong flag among 500 changes nothing", async () => {
    const flags = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [
        `f${i}`,
        {
          type: "boolean",
          variants: { on: true, off: i === 377 ? "false" : false },
          description: "",
          tags: [],
          kind: "release",
          clientSide: false,
          spaces: { share: { salt: `s${i}` }, split: { salt: `t${i}` } },
          archived: false,
        },
      ]),
    );
    const bundle = changed(await exported(), (copy) => Object.assign(copy.flags, flags));
    const before = [
      JSON.stringify(await exported(COPY)),
      revisions("copy"),
      (await ask("GET", `${COPY}/changes`)).body.items.length,
    ];
    const refused = await plan(COPY, bundle);
    expect(refused.body).toMatchObject({ status: 422, code: "type_mismatch", document: { kind: "flag", key: "f377" } });
    expect((await importAs(COPY, "any", bundle)).body).toMatchObject({ status: 409, code: "plan_changed" });
    expect([
      JSON.stringify(await exported(COPY)),
      revisions("copy"),
      (await ask("GET", `${COPY}/changes`)).body.items.length,
    ]).toEqual(before);
    const right = changed(bundle, (copy) => {
      copy.flags["f377"] = flags["f376"];
    });
    expect((await imported(COPY, right)).status).toBe(200);
    expect(Object.keys(snapshot("copy").flags)).toHaveLength(502);
  });

  it("imported into one environment leaves the others as they are", async () => {
    const bundle = await exported();
    await ask("PUT", `${E}/flags/one/rollout`, { percentage: 50 });
    await ask("PUT", `${P}/environments/staging/flags/one/rollout`, { percentage: 90 });
    const [development, staging, production] = revisions("default") as number[];
    const untouched = [snapshot("default"), snapshot("default", "development")];
    expect((await imported(P, bundle, { environments: ["staging"] })).status).toBe(200);
    expect(revisions("default")).toEqual([development, (staging as number) + 1, production]);
    expect([snapshot("default"), snapshot("default", "development")]).toEqual(untouched);
    expect((await ask("GET", `${P}/environments/staging/flags/one/rollout`)).body.percentage).toBe(0);
    const wider = changed(bundle, (copy) => {
      copy.flags["one"] = {
        ...(bundle.flags["one"] as object),
        variants: { on: true, off: false, more: true },
      };
    });
    expect((await plan(P, wider, { environments: ["staging"] })).body).toMatchObject({
      status: 409,
      code: "shared_definition",
      key: "one",
    });
    expect((await imported(P, wider)).status).toBe(200);
  });

  it("is refused for another salt or type, an unknown environment or flag, and a running experiment's units", async () => {
    const bundle = await exported();
    const one = bundle.flags["one"] as object;
    const edited = (flag: object): Bundle => ({ ...bundle, flags: { ...bundle.flags, one: { ...one, ...flag } as never } });
    const salted = edited({ spaces: { share: { salt: "a" }, split: { salt: "b" } } });
    expect((await plan(P, salted)).body).toMatchObject({ status: 409, code: "salts_differ", field: "flags.one.spaces" });
    expect((await plan(P, edited({ type: "string" }))).body).toMatchObject({ status: 422, field: "flags.one.type" });
    expect((await plan(P, edited({ tpye: "string" }))).body).toMatchObject({
      code: "unknown_field",
      field: "bundle.flags.one.tpye",
    });
    expect((await plan(P, bundle, { environments: ["moon"] })).body).toMatchObject({ code: "environment_not_found" });
    const stray = changed(bundle, (copy) => delete copy.flags["two"]);
    expect((await plan(COPY, stray)).body).toMatchObject({
      code: "unknown_flag",
      field: "environments.development.targetings.two",
    });
    await ask("PUT", `${E}/flags/two`, {
      enabled: true,
      rules: [],
      fallthrough: { weights: { on: 60, off: 40 }, tracks: { experiment: "x" } },
      newEpoch: true,
    });
    expect((await plan(P, bundle)).body).toMatchObject({ status: 409, code: "experiment_moves", experiment: "x" });
    const { body } = await imported(P, bundle, { newEpoch: true });
    const { fallthrough } = snapshot("default").flags["two"] ?? {};
    expect(JSON.stringify(fallthrough)).toContain(`"epoch":${revisions("default")[2]}`);
    expect(body.changes).toHaveLength(1);
  });

  it("is made as it was looked at, or not at all", async () => {
    const bundle = await exported();
    await ask("PUT", `${E}/flags/one/rollout`, { percentage: 1 });
    const { body } = await plan(P, bundle);
    await ask("PUT", `${E}/flags/one/rollout`, { percentage: 2 });
    expect((await importAs(P, body.plan, bundle)).body).toMatchObject({ status: 409, code: "plan_changed" });
    expect((await ask("GET", `${E}/flags/one/rollout`)).body.percentage).toBe(2);
  });

  it("makes nothing public: what is private there is private here", async () => {
    await ask("POST", "/api/v1/projects", { key: "strict", privateAttributes: ["email"] });
    const strict = await exported("/api/v1/projects/strict");
    await imported(COPY, strict);
    expect((await ask("GET", COPY)).body.privateAttributes).toEqual(["email"]);
    await ask("POST", `${P}/flags`, { key: "page", clientSide: true });
    const rule = { id: "r", when: { attribute: "email", op: "exists", value: true }, serve: { variant: "on" } };
    await ask("PUT", `${E}/flags/page`, { enabled: true, rules: [rule] });
    expect((await plan(P, strict)).body).toMatchObject({ code: "not_client_side", flag: "page" });
  });

  it("shows a token only the environments in its scope", async () => {
    const token = (await ask("POST", "/api/v1/tokens", { name: "t", role: "viewer", environments: ["staging"] })).body.secret;
    const bundle = (await ask("GET", `${P}/export`, undefined, { as: token })).body;
    expect(Object.keys(bundle.environments)).toEqual(["staging"]);
  });
});

describe("a promotion", () => {
  const staging = `${P}/environments/staging/flags/two`;
  const promotion = `${E}/flags/two/promotion`;
  beforeEach(async () => {
    await ask("PUT", staging, { enabled: true, off: "off", rules: [], fallthrough: { weights: { on: 70, off: 30 } } });
  });

  it("shows the difference and who moves, and makes exactly that", async () => {
    const before = (await ask("GET", `${E}/flags/two`)).body.targeting;
    const { body } = await ask("GET", `${promotion}?from=staging`);
    expect(body).toMatchObject({ from: "staging", to: "production", before });
    expect(body.after).toEqual((await ask("GET", staging)).body.targeting);
    // Of the 66.6667 % whom the prerequisite kept off, 70 % come on. Of the others, those of beta were on and 30 % go off;
    // the rest were off below 80 % of the split and are now off below 30 %: half of them come on.
    expect(body.movement).toMatchObject({ basis: "bounds", changed: { min: 56.66668, max: 63.33334 } });
    const stale = await ask("POST", promotion, { from: "staging", plan: "other" });
    expect(stale.body).toMatchObject({ status: 409, code: "plan_changed" });
    const { status, body: done } = await ask("POST", promotion, { from: "staging", plan: body.plan, reason: "ready" });
    expect([status, done.targeting]).toEqual([200, body.after]);
    const [change] = (await ask("GET", `${P}/changes?limit=1`)).body.items;
    expect(change).toMatchObject({ action: "flag.promote", reason: "ready", environment: "production" });
    expect(snapshot("default").flags["two"]).toEqual(snapshot("default", "staging").flags["two"]);
    expect((await ask("GET", `${promotion}?from=staging`)).body.movement.changed).toEqual({ min: 0, max: 0 });
  });

  it("asks for a new epoch, and cannot be made from an environment out of scope", async () => {
    await ask("PUT", staging, {
      enabled: true,
      rules: [],
      fallthrough: { weights: { on: 70, off: 30 }, tracks: { experiment: "x" } },
    });
    const { body } = await ask("GET", `${promotion}?from=staging`);
    expect(body.movement.experiments[0].experiment).toBe("x");
    const draft = { from: "staging", plan: body.plan };
    expect((await ask("POST", promotion, draft)).body).toMatchObject({ code: "experiment_moves" });
    const token = (await ask("POST", "/api/v1/tokens", { name: "t", role: "editor", environments: ["production"] })).body.secret;
    expect((await ask("POST", promotion, draft, { as: token })).body).toMatchObject({ code: "environment_not_found" });
    expect((await ask("GET", `${promotion}?from=staging`, undefined, { as: token })).status).toBe(404);
    expect((await ask("POST", promotion, { ...draft, newEpoch: true })).status).toBe(200);
  });
});
