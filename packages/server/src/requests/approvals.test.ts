import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { approvals, flagIn, type RequestServer, requestServer } from "./requests.fixture.ts";

let server: RequestServer;
let ask: RequestServer["ask"];
beforeEach(async () => {
  server = await requestServer();
  ({ ask } = server);
});
afterEach(async () => {
  await server.close();
  expect(server.faults).toEqual([]);
});

const STAGING = `${P}/environments/staging`;
const revision = async (): Promise<number> => (await ask("GET", E)).body.revision;
const german = { attribute: "country", op: "in", value: "DE" };
const swiss = { attribute: "country", op: "in", value: "CH" };

describe("an environment that asks for approvals", () => {
  it("takes no edit that may raise exposure, by whatever route, and names the way out", async () => {
    for (const key of ["a", "off", "gone", "new"]) await flagIn(server, key);
    await ask("POST", `${P}/segments`, { key: "people", when: german });
    await ask("PUT", `${E}/flags/a/rollout`, { percentage: 10 });
    const high = (await ask("PUT", `${E}/flags/a/rollout`, { percentage: 90 })).body.revision;
    await ask("PUT", `${E}/flags/a/rollout`, { percentage: 20 });
    await ask("PUT", `${E}/flags/off/enabled`, { enabled: false });
    await ask("POST", `${P}/flags/gone/archive`, {});
    await ask("PUT", `${STAGING}/flags/a/rollout`, { percentage: 60 });
    const { plan } = (await ask("GET", `${E}/flags/a/promotion?from=staging`)).body;
    const bundle = (await ask("GET", `${P}/export`)).body;
    bundle.environments.production.targetings.a = bundle.environments.staging.targetings.a;
    bundle.flags.brought = { ...bundle.flags.new };
    bundle.environments.production.targetings.brought = { enabled: true, rules: [], fallthrough: { variant: "on" } };
    const planned = (await ask("POST", `${P}/import/plan`, { bundle })).body;
    expect((await approvals(server, 1)).body.approvalsRequired).toBe(1);
    const before = await revision();
    const raising: [string, string, object][] = [
      ["PUT", `${E}/flags/a/rollout`, { percentage: 21 }],
      ["PUT", `${E}/flags/a`, { enabled: true, rules: [], fallthrough: { variant: "on" } }],
      ["PUT", `${E}/flags/off/enabled`, { enabled: true }],
      ["POST", `${E}/restore`, { revision: high }],
      ["POST", `${E}/flags/a/promotion`, { from: "staging", plan }],
      ["POST", `${E}/flags/bulk`, { action: "enable", flags: ["off"] }],
      ["POST", `${P}/flags/bulk`, { action: "restore", flags: ["gone"] }],
      ["POST", `${P}/flags/gone/restore`, {}],
      ["POST", `${P}/import`, { bundle, plan: planned.plan }],
      ["PUT", `${P}/segments/people`, { when: swiss }],
      ["PATCH", `${P}/flags/a`, { variants: { on: false, off: true } }],
      ["PATCH", `${P}/flags/a`, { clientSide: true }],
    ];
    for (const [method, path, body] of raising) {
      const answer = await ask(method, path, body);
      expect([path, answer.status, answer.body.code, answer.body.needed]).toEqual([path, 409, "approval_required", 1]);
      expect(answer.body.hint).toContain("POST .../environments/production/requests");
    }
    expect(await revision()).toBe(before);
  });

  it("takes everything that lowers or kills, what decides nothing, and other environments' edits", async () => {
    for (const key of ["a", "b"]) await flagIn(server, key);
    await ask("POST", `${P}/segments`, { key: "people", when: german });
    await ask("PUT", `${E}/flags/a/rollout`, { percentage: 50 });
    await approvals(server, 2);
    const lowering: [string, string, object][] = [
      ["PUT", `${E}/flags/a/rollout`, { percentage: 5 }],
      ["PUT", `${E}/flags/a/enabled`, { enabled: false }],
      ["POST", `${E}/flags/bulk`, { action: "disable", flags: ["b"] }],
      ["POST", `${P}/flags/b/archive`, {}],
      ["PATCH", `${P}/flags/a`, { owner: "team" }],
      ["PUT", `${P}/segments/people`, { description: "ours", when: german }],
      ["POST", `${P}/flags`, { key: "c" }],
      ["PUT", `${STAGING}/flags/a/rollout`, { percentage: 100 }],
    ];
    for (const [method, path, body] of lowering) {
      const { status, body: answer } = await ask(method, path, body);
      expect([path, status, answer.code]).toEqual([path, path.endsWith("/flags") ? 201 : 200, undefined]);
    }
    expect(await server.percentage("a")).toBe(5);
  });

  it("takes new environments, and imports of flags that are on nowhere", async () => {
    await flagIn(server, "a");
    const bundle = (await ask("GET", `${P}/export`)).body;
    await approvals(server, 1);
    expect((await ask("POST", `${P}/environments`, { key: "canary" })).status).toBe(201);
    bundle.flags.quiet = bundle.flags.a;
    bundle.environments = { production: { targetings: {} } };
    const { plan } = (await ask("POST", `${P}/import/plan`, { bundle })).body;
    expect((await ask("POST", `${P}/import`, { bundle, plan })).status).toBe(200);
  });
});

describe("a request", () => {
  const rollout = (percentage: number) => ({ operation: "rollout", key: "a", body: { percentage }, reason: "launch" });
  beforeEach(async () => {
    await flagIn(server, "a");
    await approvals(server, 2);
  });

  it("shows what it would do, is approved by others, and is made with the last approval it takes", async () => {
    const made = await server.request(rollout(30));
    expect([made.status, made.body.state, made.body.needed, made.body.approvals]).toEqual([201, "open", 2, []]);
    expect(made.body.changes).toMatchObject([
      { kind: "targeting", key: "a", environment: "production", before: { rules: [] }, after: { rules: [{ id: "rollout" }] } },
    ]);
    const before = await revision();
    const { id } = made.body;
    const own = await server.approve(id, server.people.ada);
    expect([own.status, own.body.code]).toEqual([409, "approval_by_author"]);
    const first = await server.approve(id, server.people.ben);
    expect([first.status, first.body.state, first.body.approvals.length]).toEqual([200, "open", 1]);
    const again = await server.approve(id, server.people.ben);
    expect([again.status, again.body.approvals.length, await revision(), await server.percentage("a")]).toEqual([
      200,
      1,
      before,
      0,
    ]);
    const last = await server.approve(id, server.people.ops);
    expect([last.status, last.body.state, await server.percentage("a"), await revision()]).toEqual([
      200,
      "applied",
      30,
      before + 1,
    ]);
    const [change] = (await ask("GET", `${P}/changes?limit=1`)).body.items;
    expect([change.action, change.actor.name, change.reason]).toEqual(["rollout.set", "ada", "launch"]);
    expect(change.approvals.map(({ name }: { name: string }) => name)).toEqual(["ben", "ops"]);
    const late = await server.approve(id, server.people.cem);
    expect([late.status, late.body.code, late.body.state]).toEqual([409, "request_state", "applied"]);
  });

  it("is void with its approvals once its content moved on, and its hash no longer approves", async () => {
    const { id, hash } = (await server.request(rollout(30))).body;
    await server.approve(id, server.people.ben);
    await ask("PUT", `${E}/flags/a/enabled`, { enabled: false });
    const raced = await ask("POST", `${E}/requests/${id}/approve`, { hash }, { as: server.people.cem });
    expect([raced.status, ["plan_changed", "request_state"].includes(raced.body.code)]).toEqual([409, true]);
    await server.clerk.turn();
    const after = await server.read(id);
    expect([after.state, after.approvals, after.end.code]).toEqual(["void", [], "plan_changed"]);
    await ask("GET", `${P}/changes?action=request.void`).then(({ body }) => expect(body.items.length).toBe(1));
  });

  it("loses its approvals when its author edits it, and stays as it is under another flag's edit", async () => {
    await flagIn(server, "b");
    const { id, hash } = (await server.request(rollout(30))).body;
    await server.approve(id, server.people.ben);
    await ask("PUT", `${P}/environments/staging/flags/a/rollout`, { percentage: 70 });
    await ask("PUT", `${E}/flags/b/enabled`, { enabled: false });
    await server.clerk.turn();
    expect((await server.read(id)).approvals.length).toBe(1);
    const others = await ask("PUT", `${E}/requests/${id}`, { body: { percentage: 31 } }, { as: server.people.ben });
    expect([others.status, others.body.code]).toEqual([403, "forbidden"]);
    const edited = await ask("PUT", `${E}/requests/${id}`, { body: { percentage: 31 } }, { as: server.people.ada });
    expect([edited.status, edited.body.approvals, edited.body.hash === hash]).toEqual([200, [], false]);
    const stale = await ask("POST", `${E}/requests/${id}/approve`, { hash }, { as: server.people.cem });
    expect([stale.status, stale.body.code]).toEqual([409, "plan_changed"]);
    await server.approve(id, server.people.ben);
    await server.approve(id, server.people.cem);
    expect(await server.percentage("a")).toBe(31);
  });

  it("is rejected by others, withdrawn by its author, and both are the end", async () => {
    const [one, two] = [(await server.request(rollout(30))).body.id, (await server.request(rollout(40))).body.id];
    const own = await ask("POST", `${E}/requests/${one}/reject`, {}, { as: server.people.ada });
    expect([own.status, own.body.code]).toEqual([409, "approval_by_author"]);
    const no = await ask("POST", `${E}/requests/${one}/reject`, { reason: "not today" }, { as: server.people.ben });
    expect([no.body.state, no.body.end.by.name, no.body.end.reason]).toEqual(["rejected", "ben", "not today"]);
    const back = await ask("POST", `${E}/requests/${two}/withdraw`, {}, { as: server.people.ada });
    expect(back.body.state).toBe("withdrawn");
    for (const id of [one, two]) expect((await server.approve(id, server.people.cem)).body.code).toBe("request_state");
    expect(await server.percentage("a")).toBe(0);
  });

  it("takes the role and the scope that its operation takes, of author and approver", async () => {
    const segment = { operation: "segment", key: "people", body: { when: swiss } };
    await ask("POST", `${P}/segments`, { key: "people", when: german });
    expect((await server.request(segment, { as: server.people.ops })).body).toMatchObject({ code: "forbidden", status: 403 });
    const local = (await ask("POST", "/api/v1/tokens", { name: "l", role: "editor", environments: ["production"] })).body.secret;
    expect((await server.request(segment, { as: local })).body).toMatchObject({ code: "forbidden", status: 403 });
    expect((await server.request(rollout(1), { as: local })).status).toBe(201);
    const promotion = { operation: "promotion", key: "a", body: { from: "staging" } };
    expect((await server.request(promotion, { as: local })).body.code).toBe("environment_not_found");
    const { id } = (await server.request(segment)).body;
    for (const as of [server.people.ops, local]) expect((await server.approve(id, as)).body.code).toBe("forbidden");
    expect((await server.approve(id, server.people.ben)).body.approvals.length).toBe(1);
  });

  it("can ask for every operation, and makes all of them", async () => {
    await approvals(server, 1);
    for (const key of ["b", "gone"]) await flagIn(server, key);
    await ask("POST", `${P}/segments`, { key: "people", when: german });
    await ask("POST", `${P}/holdouts`, { key: "h", percentage: 5 });
    await ask("PUT", `${E}/flags/b/enabled`, { enabled: false });
    await ask("POST", `${P}/flags/gone/archive`, {});
    await ask("PUT", `${STAGING}/flags/b/rollout`, { percentage: 60 });
    const bundle = (await ask("GET", `${P}/export`)).body;
    bundle.flags.brought = { ...bundle.flags.a };
    for (const own of Object.values<{ targetings: object }>(bundle.environments)) own.targetings = {};
    const start = await revision();
    const drafts = [
      { operation: "rollout", key: "a", body: { percentage: 40 } },
      { operation: "targeting", key: "a", body: { enabled: true, rules: [], fallthrough: { variant: "on" } } },
      { operation: "restore", body: { revision: start, flags: ["a"] } },
      { operation: "enabled", key: "b", body: { enabled: true } },
      { operation: "switch", body: { action: "disable", flags: ["b"] } },
      { operation: "promotion", key: "b", body: { from: "staging" } },
      { operation: "flag", key: "b", body: { clientSide: true } },
      { operation: "archive", body: { action: "restore", flags: ["gone"] } },
      { operation: "segment", key: "people", body: { when: swiss } },
      { operation: "holdout-end", key: "h" },
      { operation: "import", body: { bundle } },
    ];
    for (const draft of drafts) {
      const made = await server.request(draft);
      expect([draft.operation, made.status, made.body.code]).toEqual([draft.operation, 201, undefined]);
      const done = await server.approve(made.body.id, server.people.ben);
      expect([draft.operation, done.status, done.body.state]).toEqual([draft.operation, 200, "applied"]);
    }
    expect([await server.percentage("a"), await server.percentage("b")]).toEqual([0, 60]);
    expect((await ask("GET", `${P}/flags/brought`)).status).toBe(200);
  });

  it("refuses what does not fit its operation by the field", async () => {
    const refused = async (draft: object) => {
      const { status, body } = await server.request(draft);
      return [status, body.code, body.field];
    };
    expect(await refused({ operation: "rollout", body: { percentage: 1 } })).toEqual([422, "invalid_field", "key"]);
    expect(await refused({ ...rollout(1), operation: "restore" })).toEqual([422, "invalid_field", "key"]);
    expect(await refused({ ...rollout(1), body: { percentage: "1" } })).toEqual([422, "invalid_percentage", "body.percentage"]);
    expect(await refused({ ...rollout(1), body: { percent: 1 } })).toEqual([422, "unknown_field", "body.percent"]);
    expect(await refused({ ...rollout(1), key: "nobody" })).toEqual([404, "flag_not_found", undefined]);
    expect(await refused({ operation: "enabled", key: "a", body: { enabled: true } })).toEqual([422, "invalid_field", "body"]);
    expect(await refused({ operation: "explode" })).toEqual([422, "invalid_field", "operation"]);
    expect(await refused({ operation: "restore", body: { revision: 999 } })).toEqual([404, "revision_not_found", undefined]);
  });

  it("is listed by state, operation, author and page, without its content", async () => {
    for (let percentage = 1; percentage <= 5; percentage += 1) {
      server.clock.now += 1;
      await server.request(rollout(percentage), percentage === 5 ? { as: server.people.ben } : {});
    }
    const list = async (query: string) => (await ask("GET", `${E}/requests?${query}`)).body;
    const first = await list("limit=3&state=open");
    expect([first.items.length, first.items[0].body, first.items[0].changes]).toEqual([3, undefined, undefined]);
    const second = await list(`limit=3&state=open&cursor=${first.next}`);
    expect([second.items.length, second.next]).toEqual([2, undefined]);
    expect(new Set([...first.items, ...second.items].map(({ id }: { id: string }) => id)).size).toBe(5);
    const { author } = second.items[1];
    expect((await list(`author=${author.id}`)).items.length).toBe(1);
    expect((await list("state=applied")).items).toEqual([]);
    expect((await list("operation=segment")).items).toEqual([]);
    expect((await list("scheduled=true")).items).toEqual([]);
    expect((await ask("GET", `${STAGING}/requests`)).body.items).toEqual([]);
  });
});
