import type { Guardrail } from "@belay/protocol";
import { Webhook as Signer } from "standardwebhooks";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { changeView } from "../audit/views.ts";
import { noticeOf } from "../webhooks/message.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { messageNotice } from "./messages.ts";
import { ERRORS } from "./release.fixture.ts";

const CHECKOUT = `${E}/releases/checkout`;
const GUARDRAIL: Guardrail = { ...ERRORS, margin: 1 };
const STAGES = [{ name: "One", percentage: 1, hold: { minDurationS: 3_600 }, gates: [] }];

let server: ReleaseServer;
let ask: ReleaseServer["ask"];

beforeEach(async () => {
  server = await releaseServer();
  ({ ask } = server);
  await ask("POST", `${P}/flags`, { key: "checkout" });
});
afterEach(() => server.close());

async function startRelease(): Promise<void> {
  const draft = { key: "checkout", flag: "checkout", stages: STAGES, guardrails: [GUARDRAIL], alertRoutes: ["slack:#r"] };
  await ask("POST", `${E}/releases`, draft);
  await ask("POST", `${CHECKOUT}/ready`, {});
  await ask("POST", `${CHECKOUT}/evidence`, { kind: "alert-tested", route: "slack:#r" });
  expect((await ask("POST", `${CHECKOUT}/start`, {})).status).toBe(200);
}

describe("a trigger", () => {
  beforeEach(startRelease);

  const create = async () => (await ask("POST", `${CHECKOUT}/triggers`, { guardrail: GUARDRAIL.metric })).body;
  const call = async (path: string, headers: Record<string, string>, body = "anything at all") =>
    server.app.inject({ method: "POST", url: path, headers: { "content-type": "text/plain", ...headers }, payload: body });
  const state = async (): Promise<unknown> => (await ask("GET", CHECKOUT)).body.state;

  it("called with its secret trips its guardrail: the release goes back, and the audit says who called", async () => {
    const { id, path, secret } = await create();
    expect([id, path, secret]).toEqual([
      expect.stringMatching(/^[a-z2-7]{32}$/),
      `/triggers/v1/${id}`,
      expect.stringMatching(/^whsec_.{32}$/),
    ]);
    const answer = await call(path, { authorization: `Bearer ${secret}` });
    expect([answer.statusCode, answer.json()]).toEqual([
      202,
      { release: "checkout", guardrail: GUARDRAIL.metric, state: "rolling-back" },
    ]);
    const [change] = await server.log.changes({ action: "release.rollback" }, 1);
    expect(change?.actor).toEqual({ id: `trigger:${id.slice(0, 6)}`, name: `the alert on ${GUARDRAIL.metric}` });
  });

  it("takes messages signed as Standard Webhooks are, of now and to the byte", async () => {
    const { path, secret } = await create();
    const { now } = server.clock;
    const signedAt = (at: number, body: string) => ({
      "webhook-id": "msg_1",
      "webhook-timestamp": String(Math.floor(at / 1_000)),
      "webhook-signature": new Signer(secret).sign("msg_1", new Date(at), body),
    });
    const statuses = [
      (await call(path, signedAt(now, "{}"), "{} ")).statusCode,
      (await call(path, signedAt(now - 301_000, "{}"), "{}")).statusCode,
      (await call(path, signedAt(now + 301_000, "{}"), "{}")).statusCode,
      (await call(path, { ...signedAt(now, "{}"), "webhook-signature": "v1,AAAA" }, "{}")).statusCode,
    ];
    expect([statuses, await state()]).toEqual([[401, 401, 401, 401], "ramping"]);
    expect((await call(path, signedAt(now, "{}"), "{}")).statusCode).toBe(202);
    expect(await state()).toBe("rolling-back");
  });

  it("is nothing without its secret, to somebody else's, and once deleted: one answer for all", async () => {
    const { id, path, secret } = await create();
    const other = await create();
    const answers = [
      await call(path, {}),
      await call(path, { authorization: `Bearer ${other.secret}` }),
      await call(path, { authorization: `Bearer ${server.adminToken}` }),
      await call("/triggers/v1/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", { authorization: `Bearer ${secret}` }),
    ];
    expect((await ask("DELETE", `${CHECKOUT}/triggers/${id}`)).status).toBe(204);
    answers.push(await call(path, { authorization: `Bearer ${secret}` }));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([401, 401, 401, 401, 401]);
    expect(new Set(answers.map((answer) => answer.json().detail)).size).toBe(1);
    expect(await state()).toBe("ramping");
    expect((await ask("GET", `${CHECKOUT}/triggers`)).body.items).toEqual([
      { id: other.id, release: "checkout", guardrail: GUARDRAIL.metric, path: other.path, createdAt: "2026-11-22T12:00:00.000Z" },
    ]);
    expect((await ask("DELETE", `${CHECKOUT}/triggers/${id}`)).body.code).toBe("trigger_not_found");
  });

  it("is in no audit row with its secret or its whole id", async () => {
    const { id, secret } = await create();
    const text = (await ask("GET", `${P}/changes`)).text;
    expect([text.includes("release.trigger.create"), text.includes(id), text.includes(secret)]).toEqual([true, false, false]);
  });

  it("is refused for a guardrail the release has not", async () => {
    const { body } = await ask("POST", `${CHECKOUT}/triggers`, { guardrail: "nothing" });
    expect(body).toMatchObject({ status: 422, field: "guardrail", allowed: [GUARDRAIL.metric] });
  });
});

describe("a template", () => {
  const T = `${P}/release-templates/careful`;
  const template = { description: "For payments", stages: STAGES, guardrails: [GUARDRAIL], alertRoutes: ["slack:#pay"] };

  it("is what a release begins with; what is given beside it takes its place; later edits change no release", async () => {
    expect((await ask("PUT", T, template)).status).toBe(200);
    const made = await ask("POST", `${E}/releases`, {
      key: "checkout",
      flag: "checkout",
      template: "careful",
      alertRoutes: ["slack:#other"],
    });
    expect(made.body).toMatchObject({
      stages: STAGES,
      guardrails: [GUARDRAIL],
      alertRoutes: ["slack:#other"],
      description: "For payments",
    });
    await ask("PUT", T, { stages: [{ ...STAGES[0], percentage: 2 }] });
    expect((await ask("GET", CHECKOUT)).body.stages).toEqual(STAGES);
    expect((await ask("GET", T)).body).toMatchObject({ guardrails: [], stages: [{ percentage: 2 }] });
  });

  it("called default is the project's own ladder: what a release begins with that names none and brings none", async () => {
    const usual = { ...template, description: "As we do it" };
    const begun = async (key: string, more: object = {}) =>
      (await ask("POST", `${E}/releases`, { key, flag: "checkout", ...more })).body;
    expect((await begun("before")).stages).toHaveLength(6);
    await ask("PUT", `${P}/release-templates/default`, usual);
    expect(await begun("with")).toMatchObject(usual);
    await ask("PUT", T, { stages: [{ ...STAGES[0], percentage: 2 }] });
    expect(await begun("careful", { template: "careful" })).toMatchObject({ description: "", stages: [{ percentage: 2 }] });
    const own = [{ ...STAGES[0], percentage: 3 }];
    expect(await begun("own", { stages: own })).toMatchObject({ description: "", stages: own, alertRoutes: [] });
    await ask("DELETE", `${P}/release-templates/default`);
    expect((await begun("after")).stages).toHaveLength(6);
  });

  it("is listed, deleted, and refused where it makes no sense", async () => {
    await ask("PUT", T, template);
    expect((await ask("GET", `${P}/release-templates`)).body.items).toHaveLength(1);
    const falling = await ask("PUT", T, { stages: [{ ...STAGES[0], percentage: 5 }, STAGES[0]] });
    expect(falling.body).toMatchObject({ status: 422, field: "stages[1].percentage" });
    expect((await ask("DELETE", T)).status).toBe(204);
    const without = await ask("POST", `${E}/releases`, { key: "r", flag: "checkout", template: "careful" });
    expect(without.body).toMatchObject({ status: 404, code: "template_not_found", field: "template" });
  });
});

describe("leaving a freeze", () => {
  it("takes a second person where the project says so, and the rule is not lifted meanwhile", async () => {
    const tokens = await Promise.all(
      ["ann", "bob"].map(async (name) => (await ask("POST", "/api/v1/tokens", { name, role: "operator" })).body.secret as string),
    );
    const [ann, bob] = tokens as [string, string];
    expect((await ask("PUT", `${P}/freeze/policy`, { secondPerson: true })).body).toMatchObject({
      secondPerson: true,
      active: false,
    });
    await ask("POST", `${P}/freeze`, { reason: "database down" }, { as: ann });
    const alone = await ask("POST", `${P}/freeze/leave`, {}, { as: ann });
    expect(alone.body).toMatchObject({ status: 409, code: "second_person_needed", detail: expect.stringContaining("ann") });
    expect((await ask("PUT", `${P}/freeze/policy`, { secondPerson: false })).body.code).toBe("second_person_needed");
    const left = await ask("POST", `${P}/freeze/leave`, {}, { as: bob });
    expect(left.body).toMatchObject({ active: false, secondPerson: true, windows: [{ by: "ann", endedBy: "bob" }] });
  });
});

describe("messages", () => {
  it("say in words what became of a release, one for each change of it", async () => {
    await startRelease();
    await ask("POST", `${CHECKOUT}/hold`, {});
    await ask("POST", `${CHECKOUT}/resume`, {});
    await ask("POST", `${CHECKOUT}/rollback`, {});
    const changes = await server.log.changes({ targetKind: "release" }, 20);
    const texts = changes.toReversed().map((change) => noticeOf(changeView(change))?.text);
    expect(texts.filter((text) => text?.startsWith("Release"))).toEqual([
      'Release `checkout` of `checkout` in production: First admin started it at "One" (1 %)',
      'Release `checkout` of `checkout` in production: holds at "One" (1 %): held-by-person First admin',
      'Release `checkout` of `checkout` in production: First admin lets it climb on from "One" (1 %)',
      "Release `checkout` of `checkout` in production: rolls back: rolled-back-by-person First admin",
    ]);
  });

  it("of what stands still or goes back are for the release's alert routes, whatever else those are told", async () => {
    await startRelease();
    await ask("POST", `${CHECKOUT}/hold`, {});
    await ask("POST", `${CHECKOUT}/resume`, {});
    await ask("POST", `${CHECKOUT}/rollback`, {});
    await server.desk.service.tick();
    const changes = await server.log.changes({ targetKind: "release", targetKey: "checkout" }, 20);
    const told = changes.toReversed().map((change) => noticeOf(changeView(change)));
    expect(told.flatMap((notice) => (notice?.to === undefined ? [] : [[notice.type, notice.to]]))).toEqual([
      ["release.hold", ["slack:#r"]],
      ["release.rollback", ["slack:#r"]],
      ["release.rolled-back", ["slack:#r"]],
    ]);
  });

  it("say once which gate keeps a release on a stage whose time is over, and again when it is another one", async () => {
    const stages = [
      { ...STAGES[0], gates: ["team", "impact"] },
      { ...STAGES[0], name: "All", percentage: 100 },
    ];
    const draft = { key: "checkout", flag: "checkout", stages, guardrails: [GUARDRAIL], alertRoutes: ["slack:#r"] };
    await ask("POST", `${E}/releases`, { ...draft, contacts: { owner: "ann", onCall: "bob" } });
    await ask("POST", `${CHECKOUT}/ready`, {});
    await ask("POST", `${CHECKOUT}/start`, {});
    const { secret } = (await ask("POST", "/api/v1/tokens", { name: "bob", role: "operator" })).body;
    const waits = async (): Promise<(string | undefined)[]> => {
      server.acknowledge({ metrics: [{ seq: 1, timeMs: server.clock.now, name: "error", unit: "u" }] });
      await server.desk.service.tick();
      await server.desk.service.tick();
      return server.messages.splice(0).map((message) => messageNotice(message)?.text);
    };
    expect(await waits()).toEqual([]);
    const startedAt = server.clock.now;
    server.clock.now += 3_600_000;
    expect(await waits()).toEqual(["Release `checkout` in production waits: runbook-untried; prediction-missing; note-missing"]);
    await ask("POST", `${CHECKOUT}/evidence`, { kind: "runbook-tried" }, { as: secret });
    await server.desk.service.tick();
    const [message, ...more] = server.messages.splice(0);
    expect([message?.about, message?.alertRoutes, more]).toEqual([
      `${startedAt}_note-missing_prediction-missing`,
      ["slack:#r"],
      [],
    ]);
    expect(await waits()).toEqual([]);
  });

  it("tell a dry run's breach, which changes nothing", () => {
    const at = "2026-11-22T12:00:00.000Z";
    const message = {
      project: "default",
      environment: "production",
      key: "r",
      at,
      text: "guardrail-breach errors",
      alertRoutes: ["slack:#r"],
    } as const;
    expect(messageNotice({ ...message, kind: "stage" })).toBeUndefined();
    expect(messageNotice({ ...message, kind: "report" })).toMatchObject({
      type: "release.report",
      text: "Release `r` in production reports: guardrail-breach errors",
      environments: ["production"],
    });
  });
});
