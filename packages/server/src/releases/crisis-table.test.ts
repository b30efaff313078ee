import type { Role } from "@belay/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ROLES } from "../access/identity.ts";
import { E, P } from "../app.fixture.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { ERRORS } from "./release.fixture.ts";

/**
 * Who may do what in a crisis: every action by every role, in a project that is frozen and in one that is not. Each cell is
 * asked by itself, on flags and releases of its own.
 */
interface Action {
  readonly what: string;
  /** Nobody below may do it, frozen or not. */
  readonly role: Role;
  /** What whoever may do it is answered in an ordinary project, and in a frozen one. */
  readonly free: number;
  readonly frozen: number;
  readonly ask: (key: string, as: string) => Promise<{ readonly status: number }>;
}

let server: ReleaseServer;
const tokens = new Map<Role, string>();
beforeAll(async () => {
  server = await releaseServer();
  for (const role of ROLES) {
    const { secret } = (await server.ask("POST", "/api/v1/tokens", { name: role, role })).body;
    tokens.set(role, secret);
  }
  await server.ask("POST", `${P}/segments`, { key: "staff", when: { attribute: "staff", op: "exists", value: true } });
});
afterAll(() => server.close());

const call =
  (method: string, path: (key: string) => string, body?: unknown): Action["ask"] =>
  (key, as) =>
    server.ask(method, path(key), typeof body === "function" ? body(key) : body, { as });
const flag = (key: string): string => `${E}/flags/${key}`;
const release = (key: string): string => `${E}/releases/${key}`;
const targeting = async (key: string): Promise<object> => (await server.ask("GET", flag(key))).body.targeting;
/** Puts the flag's targeting with something in it changed. */
const edit =
  (more: object): Action["ask"] =>
  async (key, as) =>
    server.ask("PUT", flag(key), { ...(await targeting(key)), ...more }, { as });

const rule = { id: "x", when: { segment: "staff" }, serve: { variant: "on" } };
const raising: readonly Omit<Action, "frozen">[] = [
  { what: "raise a rollout", role: "operator", free: 200, ask: call("PUT", (key) => `${flag(key)}/rollout`, { percentage: 21 }) },
  {
    what: "switch a flag on",
    role: "operator",
    free: 200,
    ask: call("PUT", (key) => `${flag(`off-${key}`)}/enabled`, { enabled: true }),
  },
  {
    what: "switch many flags on",
    role: "operator",
    free: 200,
    ask: call(
      "POST",
      () => `${E}/flags/bulk`,
      (key: string) => ({ action: "enable", flags: [`off-${key}`] }),
    ),
  },
  { what: "add a rule", role: "editor", free: 200, ask: edit({ rules: [rule] }) },
  { what: "serve everybody something else", role: "editor", free: 200, ask: edit({ rules: [], fallthrough: { variant: "on" } }) },
  {
    what: "give a variant another value",
    role: "editor",
    free: 200,
    ask: call("PATCH", (key) => `${P}/flags/${key}`, { variants: { on: true, off: true } }),
  },
  { what: "bring a flag back", role: "editor", free: 200, ask: call("POST", (key) => `${P}/flags/gone-${key}/restore`, {}) },
  { what: "start a release", role: "operator", free: 200, ask: call("POST", (key) => `${release(`ready-${key}`)}/start`, {}) },
  {
    what: "advance a release, overriding its gates",
    role: "admin",
    free: 200,
    ask: call("POST", (key) => `${release(`live-${key}`)}/advance`, { override: true, reason: "no" }),
  },
  { what: "drill", role: "operator", free: 200, ask: call("POST", (key) => `${release(`ready-${key}`)}/drill`, { timeoutS: 1 }) },
];
const always: readonly Omit<Action, "frozen">[] = [
  { what: "read a flag", role: "viewer", free: 200, ask: call("GET", flag) },
  { what: "read the freeze", role: "viewer", free: 200, ask: call("GET", () => `${P}/freeze`) },
  { what: "list what was raised", role: "viewer", free: 200, ask: call("GET", () => `${P}/suspects?since=2026-11-22T00:00:00Z`) },
  {
    what: "make a flag, off for everybody",
    role: "editor",
    free: 201,
    ask: call(
      "POST",
      () => `${P}/flags`,
      (key: string) => ({ key: `new-${key}` }),
    ),
  },
  {
    what: "describe a flag",
    role: "editor",
    free: 200,
    ask: call("PATCH", (key) => `${P}/flags/${key}`, { description: "what it is" }),
  },
  {
    what: "draft a release",
    role: "editor",
    free: 201,
    ask: call(
      "POST",
      () => `${E}/releases`,
      (key: string) => ({ key: `draft-${key}`, flag: key }),
    ),
  },
  { what: "lower a rollout", role: "operator", free: 200, ask: call("PUT", (key) => `${flag(key)}/rollout`, { percentage: 5 }) },
  { what: "take a rollout away", role: "editor", free: 200, ask: edit({ rules: [] }) },
  {
    what: "switch a flag off",
    role: "operator",
    free: 200,
    ask: call("PUT", (key) => `${flag(key)}/enabled`, { enabled: false }),
  },
  {
    what: "switch many flags off",
    role: "operator",
    free: 200,
    ask: call(
      "POST",
      () => `${E}/flags/bulk`,
      (key: string) => ({ action: "disable", flags: [key] }),
    ),
  },
  { what: "archive a flag", role: "editor", free: 200, ask: call("POST", (key) => `${P}/flags/${key}/archive`, {}) },
  {
    what: "lower the flag of a release",
    role: "operator",
    free: 200,
    ask: call("PUT", (key) => `${flag(`live-${key}`)}/rollout`, { percentage: 0.5 }),
  },
  { what: "hold a release", role: "operator", free: 200, ask: call("POST", (key) => `${release(`live-${key}`)}/hold`, {}) },
  {
    what: "roll a release back",
    role: "operator",
    free: 200,
    ask: call("POST", (key) => `${release(`live-${key}`)}/rollback`, {}),
  },
  { what: "abort a release", role: "operator", free: 200, ask: call("POST", (key) => `${release(`live-${key}`)}/abort`, {}) },
  {
    what: "trip a guardrail",
    role: "operator",
    free: 200,
    ask: call("POST", (key) => `${release(`live-${key}`)}/trip`, { guardrail: "errors" }),
  },
  {
    what: "roll back what is chosen of what was raised",
    role: "operator",
    free: 200,
    ask: call(
      "POST",
      () => `${P}/rollback-since`,
      (key: string) => ({ since: "2026-11-22T00:00:00Z", releases: [`live-${key}`] }),
    ),
  },
  { what: "approve", role: "operator", free: 200, ask: call("POST", (key) => `${release(`live-${key}`)}/approvals`, {}) },
  { what: "enter the freeze", role: "operator", free: 200, ask: call("POST", () => `${P}/freeze`, { reason: "again" }) },
  { what: "leave the freeze", role: "operator", free: 200, ask: call("POST", () => `${P}/freeze/leave`, {}) },
  {
    what: "ask for a second person",
    role: "admin",
    free: 200,
    ask: call("PUT", () => `${P}/freeze/policy`, { secondPerson: false }),
  },
];
const ACTIONS: readonly Action[] = [
  ...raising.map((action) => ({ ...action, frozen: 423 })),
  ...always.map((action) => ({ ...action, frozen: action.free })),
];

let cells = 0;

/** A flag at 20 %, one that is off, an archived one, a release at 1 % and one that is ready, each with a flag. */
async function prepare(): Promise<string> {
  cells += 1;
  const key = `c${cells}`;
  const make = (name: string): Promise<unknown> => server.ask("POST", `${P}/flags`, { key: name });
  for (const name of [key, `off-${key}`, `gone-${key}`, `live-${key}`, `ready-${key}`]) await make(name);
  await server.ask("PUT", `${flag(key)}/rollout`, { percentage: 20 });
  await server.ask("PUT", `${flag(`off-${key}`)}/enabled`, { enabled: false });
  await server.ask("POST", `${P}/flags/gone-${key}/archive`, {});
  const stages = [1, 100].map((percentage) => ({ name: "s", percentage, hold: { minDurationS: 60 }, gates: [] }));
  for (const name of [`live-${key}`, `ready-${key}`]) {
    await server.ask("POST", `${E}/releases`, { key: name, flag: name, stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] });
    await server.ask("POST", `${release(name)}/ready`, {});
  }
  await server.ask("POST", `${release(`live-${key}`)}/start`, {});
  return key;
}

describe.each(ACTIONS)("$what (from $role on)", ({ role: needed, free, frozen, ask }) => {
  it.each([
    ["ordinary", free],
    ["frozen", frozen],
  ] as const)(
    "in a project that is %s: %i, and 403 below",
    async (how, status) => {
      for (const role of ROLES) {
        const key = await prepare();
        if (how === "frozen") await server.ask("POST", `${P}/freeze`, { reason: "down" });
        const answer = await ask(key, tokens.get(role) ?? "");
        expect([role, answer.status]).toEqual([role, ROLES.indexOf(role) >= ROLES.indexOf(needed) ? status : 403]);
        await server.ask("POST", `${P}/freeze/leave`, {});
      }
    },
    60_000,
  );
});
