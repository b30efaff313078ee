import type { Change } from "@belay/protocol";
import { seeded } from "@belay/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answer, E, P, type TestServer, testServer } from "../app.fixture.ts";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import { createFlag } from "../flags/domain.ts";
import type { ChangeLog, Commit } from "../store/changes/index.ts";
import { storeFault } from "../store/sqlite/faults.ts";
import { ControlPlane } from "./control-plane.ts";

let server: TestServer;
let ask: TestServer["ask"];
let log: ChangeLog;
let flag: string;
let count = 0;
beforeAll(async () => {
  server = await testServer();
  ({ ask, log } = server);
});
afterAll(() => server.close());
beforeEach(async () => {
  count += 1;
  await ask("POST", `${P}/flags`, { key: `flag-${count}` });
  flag = `${E}/flags/flag-${count}`;
});

const changesOf = (key: string): Promise<Change[]> => allChanges(`key=${key}`);

async function allChanges(filter: string): Promise<Change[]> {
  const changes: Change[] = [];
  let cursor = "";
  do {
    const { body } = await ask("GET", `${P}/changes?limit=100&${filter}${cursor}`);
    changes.push(...body.items);
    cursor = body.next === undefined ? "" : `&cursor=${body.next}`;
  } while (cursor !== "");
  return changes;
}

const revision = async (): Promise<number> => (await ask("GET", E)).body.revision;

describe("fault 42: two editors", () => {
  it("with the same ETag: one 200, one 412 that shows the other's change", async () => {
    const etag = (await ask("GET", flag)).headers.etag as string;
    const put = (percentage: number, reason: string): Promise<Answer> =>
      ask("PUT", `${flag}/rollout`, { percentage, reason }, { headers: { "if-match": etag } });
    const [a, b] = await Promise.all([put(10, "a"), put(20, "b")]);
    expect([a.status, b.status]).toEqual([200, 412]);
    expect(b.body).toMatchObject({
      code: "revision_conflict",
      revision: a.body.revision,
      change: { action: "rollout.set", reason: "a", revision: a.body.revision, actor: { id: "first", name: "First admin" } },
    });
    const retried = await ask(
      "PUT",
      `${flag}/rollout`,
      { percentage: 20 },
      { headers: { "if-match": a.headers.etag as string } },
    );
    expect(retried.body.percentage).toBe(20);
  });

  it("lose no update in 1,000 races", async () => {
    const dice = seeded(42);
    let won = 0;
    for (let race = 0; race < 500; race += 1) {
      const etag = (await ask("GET", flag)).headers.etag as string;
      const percentages = [dice.below(1_000_000) / 10_000, dice.below(1_000_000) / 10_000];
      const answers = await Promise.all(
        percentages.map((percentage) => ask("PUT", `${flag}/rollout`, { percentage }, { headers: { "if-match": etag } })),
      );
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
      const winner = answers.find(({ status }) => status === 200)?.body;
      expect((await ask("GET", `${flag}/rollout`)).body).toMatchObject({
        percentage: winner.percentage,
        revision: winner.revision,
      });
      won += 1;
    }
    const unconditional = Array.from({ length: 500 }, (_, index) =>
      ask("PUT", `${flag}/rollout`, { percentage: (index + 1) / 10_000 }),
    );
    const made = (await Promise.all(unconditional)).map(({ body }) => body.revision as number);
    expect(new Set(made).size).toBe(500);
    const changes = await changesOf(`flag-${count}`);
    expect(changes.filter(({ action }) => action === "rollout.set")).toHaveLength(1_000);
    expect(won).toBe(500);
  });

  it("accepts a revision of the environment since the flag last changed, refuses one from the future", async () => {
    const seen = (await ask("PUT", `${flag}/rollout`, { percentage: 1 })).body.revision;
    await ask("POST", `${P}/flags`, { key: `other-${count}` });
    const now = await revision();
    expect(now).toBe(seen + 1);
    const put = (ifMatch: string): Promise<Answer> =>
      ask("PUT", `${flag}/rollout`, { percentage: 1 }, { headers: { "if-match": ifMatch } });
    expect((await put(`"${now}"`)).status).toBe(200);
    expect((await put(`"${seen}"`)).status).toBe(200);
    expect((await put(`"${now + 1}"`)).status).toBe(412);
    expect((await put(`"${seen - 1}"`)).status).toBe(412);
    expect((await put("*")).status).toBe(200);
    expect((await put('"abc"')).body).toMatchObject({ status: 422, field: "If-Match" });
  });

  it("covers flags and segments too", async () => {
    const edit = (path: string, method: string, body: object, etag: unknown): Promise<Answer> =>
      ask(method, path, body, { headers: { "if-match": String(etag) } });
    const { headers } = await ask("GET", `${P}/flags/flag-${count}`);
    expect((await edit(`${P}/flags/flag-${count}`, "PATCH", { description: "a" }, headers.etag)).status).toBe(200);
    expect((await edit(`${P}/flags/flag-${count}`, "PATCH", { description: "b" }, headers.etag)).status).toBe(412);
    const segment = await ask("POST", `${P}/segments`, { key: `s-${count}`, when: { all: [] } });
    expect((await edit(`${P}/segments/s-${count}`, "PUT", { when: { any: [] } }, segment.headers.etag)).status).toBe(200);
    expect((await edit(`${P}/segments/s-${count}`, "PUT", { when: { all: [] } }, segment.headers.etag)).status).toBe(412);
  });
});

describe("fault 43: an Idempotency-Key", () => {
  const put = (key: string, body: object, path = "/rollout"): Promise<Answer> =>
    ask("PUT", `${flag}${path}`, body, { headers: { "idempotency-key": key } });

  it("sent five times in parallel makes one change, one audit row, one answer", async () => {
    const before = await revision();
    const answers = await Promise.all(Array.from({ length: 5 }, () => put(`k-${count}`, { percentage: 33 })));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(await revision()).toBe(before + 1);
    expect((await changesOf(`flag-${count}`)).filter(({ action }) => action === "rollout.set")).toHaveLength(1);
    await ask("PUT", `${flag}/rollout`, { percentage: 44 });
    const late = await put(`k-${count}`, { percentage: 33 });
    expect([late.text, late.headers["idempotency-replayed"]]).toEqual([answers[0]?.text, "true"]);
    expect((await ask("GET", `${flag}/rollout`)).body.percentage).toBe(44);
  });

  it("with another request is refused, also in flight", async () => {
    const [first, second] = await Promise.all([put(`k-${count}`, { percentage: 1 }), put(`k-${count}`, { percentage: 2 })]);
    expect([first?.status, second?.body.code]).toEqual([200, "idempotency_mismatch"]);
    expect((await put(`k-${count}`, { percentage: 3 })).body).toMatchObject({ status: 422, code: "idempotency_mismatch" });
    expect((await put(`k-${count}`, { enabled: true }, "/enabled")).body.code).toBe("idempotency_mismatch");
  });

  it("of a refused command is free again, and is not shared between actors", async () => {
    expect((await put(`k-${count}`, { percentage: 101 })).status).toBe(422);
    expect((await put(`k-${count}`, { percentage: 10 })).status).toBe(200);
    const token = (await ask("POST", "/api/v1/tokens", { name: "other", role: "operator" })).body.secret;
    const other = await ask(
      "PUT",
      `${flag}/rollout`,
      { percentage: 11 },
      { as: token, headers: { "idempotency-key": `k-${count}` } },
    );
    expect(other.body.percentage).toBe(11);
  });

  it("shows a secret once and keeps none", async () => {
    const headers = { "idempotency-key": `secret-${count}` };
    const make = (): Promise<Answer> => ask("POST", `${P}/keys`, { environment: "staging", kind: "server" }, { headers });
    const [first, again] = [await make(), await make()];
    expect(first.body.secret).toMatch(/^belay_server_/);
    const { secret: _, ...shown } = first.body;
    expect(again.body).toEqual(shown);
    expect(again.status).toBe(201);
  });
});

describe("the audit log", () => {
  it("has who, when, why, before and after of each change, newest first", async () => {
    await ask("PUT", `${flag}/rollout`, { percentage: 5, reason: "first five" });
    server.clock.now += 60_000;
    await ask("PUT", `${flag}/enabled`, { enabled: false, reason: "stop" });
    const [disable, rollout, create] = await changesOf(`flag-${count}`);
    expect(disable).toMatchObject({
      action: "flag.disable",
      reason: "stop",
      environment: "production",
      actor: { id: "first", name: "First admin" },
      target: { kind: "flag", key: `flag-${count}` },
      before: { enabled: true },
      after: { enabled: false },
    });
    expect(rollout).toMatchObject({ action: "rollout.set", reason: "first five", raised: { production: rollout?.revision } });
    expect(Date.parse(disable?.at ?? "") - Date.parse(rollout?.at ?? "")).toBe(60_000);
    expect(create).toMatchObject({ action: "flag.create" });
    expect(Object.keys(create?.raised ?? {}).sort()).toEqual(["development", "production", "staging"]);
    expect((await ask("GET", `${P}/changes/${disable?.id}`)).body).toEqual(disable);
    expect((await ask("GET", `${P}/changes/999999`)).body).toMatchObject({ status: 404, code: "change_not_found" });
    const since = (await ask("GET", `${P}/changes?from=${disable?.at}&key=flag-${count}`)).body.items;
    expect(since.map(({ action }: Change) => action)).toEqual(["flag.disable"]);
    expect((await ask("GET", `${P}/changes?from=yesterday`)).body).toMatchObject({ status: 422, field: "from" });
  });

  it("is read page by page, each change once", async () => {
    const ids = (await allChanges("")).map(({ id }) => id);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => b - a));
    expect(ids.length).toBeGreaterThan(1_000);
  });
});

describe("segments", () => {
  it("raise every environment when edited and cannot be deleted while in use", async () => {
    const before = await revision();
    await ask("POST", `${P}/segments`, { key: "beta", when: { attribute: "plan", op: "in", value: ["beta"] } });
    await ask("PUT", `${P}/segments/beta`, { when: { attribute: "plan", op: "in", value: ["beta", "pro"] } });
    expect(await revision()).toBe(before + 2);
    await ask("PUT", flag, { enabled: true, rules: [{ id: "r", when: { segment: "beta" }, serve: { variant: "on" } }] });
    const used = await ask("DELETE", `${P}/segments/beta?reason=cleanup`);
    expect(used.body).toMatchObject({ status: 409, code: "in_use", users: `flag flag-${count} in production` });
    await ask("PUT", flag, { enabled: true, rules: [] });
    expect((await ask("DELETE", `${P}/segments/beta?reason=cleanup`)).status).toBe(204);
    expect((await ask("GET", `${P}/segments/beta`)).body.code).toBe("segment_not_found");
    expect((await changesOf("beta"))[0]).toMatchObject({ action: "segment.delete", reason: "cleanup" });
  });

  it("cannot name themselves, nor one another in a circle", async () => {
    await ask("POST", `${P}/segments`, { key: "one", when: { all: [] } });
    await ask("POST", `${P}/segments`, { key: "two", when: { segment: "one" } });
    expect((await ask("PUT", `${P}/segments/one`, { when: { not: { segment: "two" } } })).body).toMatchObject({
      status: 409,
      code: "prerequisite_cycle",
      cycle: "one -> two -> one",
    });
    expect((await ask("POST", `${P}/segments`, { key: "three", when: { segment: "nope" } })).body).toMatchObject({
      status: 422,
      code: "unknown_segment",
      field: "when.segment",
    });
  });
});

it("gives a new environment all flags, off", async () => {
  await ask("PUT", `${flag}/rollout`, { percentage: 50 });
  expect((await ask("POST", `${P}/environments`, { key: `env-${count}` })).body).toMatchObject({ revision: 1 });
  const { body } = await ask("GET", `${P}/environments/env-${count}/flags/flag-${count}`);
  expect(body.targeting).toEqual({ enabled: true, off: "off", rules: [], fallthrough: { variant: "off" } });
});

it("commits what arrives together in one transaction", async () => {
  const groups: number[] = [];
  let waiting: Commit[] = [];
  const counting = await testServer({
    wrapLog: (inner) =>
      new Proxy(inner, {
        get: (target, name) => {
          if (name !== "commit") return (target[name as keyof ChangeLog] as (...given: unknown[]) => unknown).bind(target);
          return (commit: Commit) => {
            if (waiting.length === 0) queueMicrotask(() => groups.push(waiting.splice(0).length));
            waiting.push(commit);
            return target.commit(commit);
          };
        },
      }),
  });
  waiting = [];
  groups.length = 0;
  await counting.ask("POST", `${P}/flags`, { key: "a" });
  await Promise.all(
    Array.from({ length: 64 }, (_, index) => counting.ask("PUT", `${E}/flags/a/rollout`, { percentage: index + 1 })),
  );
  expect(groups.reduce((sum, size) => sum + size, 0)).toBe(65);
  expect(Math.max(...groups)).toBeGreaterThan(8);
  await counting.close();
});

describe("with a second node on the same log", () => {
  const origin = { actor: { id: "b", name: "Bea" }, requestId: "r" };
  const made = { spaces: { share: { salt: "aaaaaaaa" }, split: { salt: "bbbbbbbb" } }, createdAt: "2026-11-22T00:00:00Z" };

  it("decides again on what the other made, and serves it", async () => {
    const other = await ControlPlane.open({ log, now: Date.now, compile: COMPILE_OPTIONS });
    const create = (key: string): Promise<unknown> =>
      other.execute({ origin, decide: ({ projects }) => createFlag(projects.get("default") as never, { key }, made) });
    await create(`theirs-${count}`);
    // This node has not heard of it: its own change is refused by the log, decided again, and committed.
    expect((await ask("PUT", `${flag}/rollout`, { percentage: 9 })).status).toBe(200);
    expect((await ask("GET", `${P}/flags/theirs-${count}`)).body.spaces).toEqual(made.spaces);
    // And the other way round, for a key that both want.
    await ask("POST", `${P}/flags`, { key: `both-${count}` });
    await expect(create(`both-${count}`)).rejects.toMatchObject({ code: "already_exists" });
    expect(other.workspace.projects.get("default")?.revision).toBe(server.control.workspace.projects.get("default")?.revision);
    const [mine, theirs] = [server.control, other].map(
      ({ workspace }) => workspace.projects.get("default")?.environments.get("production")?.snapshot.whole,
    );
    expect(mine).toEqual(theirs);
  });
});

describe("a store that cannot take it", () => {
  const failing =
    (code: string) =>
    (inner: ChangeLog): ChangeLog => {
      let isBroken = false;
      return new Proxy(inner, {
        get: (target, name) => {
          if (name === "breakNow") return (broken: boolean) => (isBroken = broken);
          const method = target[name as keyof ChangeLog] as (...given: unknown[]) => unknown;
          if (name !== "commit") return method.bind(target);
          return async (commit: Commit) => {
            if (isBroken) throw storeFault(Object.assign(new Error(code), { code }));
            return target.commit(commit);
          };
        },
      });
    };

  it.each([
    ["SQLITE_IOERR", 503, "store_unavailable"],
    ["SQLITE_FULL", 507, "disk_full"],
  ])("fault 55: (%s) refuses the change, keeps what is live and goes on by itself", async (cause, status, code) => {
    const broken = await testServer({ wrapLog: failing(cause) });
    await broken.ask("POST", `${P}/flags`, { key: "a" });
    await broken.ask("PUT", `${E}/flags/a/rollout`, { percentage: 10 });
    (broken.log as unknown as { breakNow(broken: boolean): void }).breakNow(true);
    // The second 20 would change nothing after the first one: it must not be told so when the first one fails.
    const answers = await Promise.all(
      [20, 20, 30].map((percentage) => broken.ask("PUT", `${E}/flags/a/rollout`, { percentage })),
    );
    expect(answers.map((answer) => [answer.status, answer.body.code])).toEqual([
      [status, code],
      [status, code],
      [status, code],
    ]);
    expect((await broken.ask("GET", `${E}/flags/a/rollout`)).body.percentage).toBe(10);
    (broken.log as unknown as { breakNow(broken: boolean): void }).breakNow(false);
    expect((await broken.ask("PUT", `${E}/flags/a/rollout`, { percentage: 40 })).body).toMatchObject({
      percentage: 40,
      from: 10,
    });
    await broken.close();
  });
});
