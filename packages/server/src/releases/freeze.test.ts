import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { ERRORS, HOUR_MS } from "./release.fixture.ts";

let server: ReleaseServer;
let ask: ReleaseServer["ask"];

/** Two releases on their way, at 1 % and at 50 %, a flag people rolled out by hand, and one that is off. */
beforeAll(async () => {
  server = await releaseServer();
  ({ ask } = server);
  await ask("POST", `${P}/segments`, { key: "staff", when: { attribute: "staff", op: "exists", value: true } });
  for (const [key, percentage] of [
    ["small", 1],
    ["large", 50],
  ] as const) {
    await ask("POST", `${P}/flags`, { key });
    const stages = [percentage, 100].map((share) => ({ name: "s", percentage: share, hold: { minDurationS: 60 }, gates: [] }));
    await ask("POST", `${E}/releases`, { key, flag: key, stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] });
    await ask("POST", `${E}/releases/${key}/ready`, {});
    await ask("POST", `${E}/releases/${key}/start`, {});
    server.clock.now += HOUR_MS;
  }
  await ask("POST", `${P}/flags`, { key: "by-hand" });
  await ask("PUT", `${E}/flags/by-hand/rollout`, { percentage: 20 });
  await ask("POST", `${P}/flags`, { key: "off" });
  await ask("PUT", `${E}/flags/off/enabled`, { enabled: false });
  await ask("POST", `${P}/flags`, { key: "archived" });
  await ask("POST", `${P}/flags/archived/archive`, {});
  for (const key of ["waiting", "drafted"]) {
    await ask("POST", `${P}/flags`, { key });
    await ask("POST", `${E}/releases`, { key, flag: key, guardrails: [ERRORS], alertRoutes: ["slack:#r"] });
  }
  await ask("POST", `${E}/releases/waiting/ready`, {});
  expect((await ask("POST", `${P}/freeze`, { reason: "database down" })).body).toMatchObject({
    active: true,
    windows: [{ from: "2026-11-22T14:00:00.000Z", reason: "database down", by: expect.any(String) }],
  });
});
afterAll(() => server.close());

const hand = `${E}/flags/by-hand`;
const targeting = async (flag: string): Promise<object> => (await ask("GET", `${E}/flags/${flag}`)).body.targeting;

/** Everything that may be asked of a frozen project: what may raise is 423, all else is taken. In this order. */
const TABLE: readonly (readonly [what: string, status: number, act: () => Promise<{ readonly status: number }>])[] = [
  ["raise a rollout", 423, () => ask("PUT", `${hand}/rollout`, { percentage: 21 })],
  ["roll out what was not", 423, () => ask("PUT", `${E}/flags/waiting/rollout`, { percentage: 1 })],
  ["switch a flag on", 423, () => ask("PUT", `${E}/flags/off/enabled`, { enabled: true })],
  [
    "add a rule",
    423,
    async () =>
      ask("PUT", hand, {
        ...(await targeting("by-hand")),
        rules: [{ id: "x", when: { segment: "staff" }, serve: { variant: "on" } }],
      }),
  ],
  [
    "serve everybody something else",
    423,
    async () => ask("PUT", hand, { ...(await targeting("by-hand")), fallthrough: { variant: "on" } }),
  ],
  [
    "change what a segment holds",
    423,
    () => ask("PUT", `${P}/segments/staff`, { when: { attribute: "country", op: "exists", value: true } }),
  ],
  ["give a variant another value", 423, () => ask("PATCH", `${P}/flags/by-hand`, { variants: { on: true, off: true } })],
  ["bring a flag back", 423, () => ask("POST", `${P}/flags/archived/restore`, {})],
  ["switch many flags on", 423, () => ask("POST", `${E}/flags/bulk`, { action: "enable", flags: ["off"] })],
  ["start a release", 423, () => ask("POST", `${E}/releases/waiting/start`, {})],
  [
    "advance a release, overriding its gates",
    423,
    () => ask("POST", `${E}/releases/small/advance`, { override: true, reason: "no" }),
  ],
  ["drill", 423, () => ask("POST", `${E}/releases/waiting/drill`, {})],
  ["read", 200, () => ask("GET", hand)],
  ["make a flag, off for everybody", 201, () => ask("POST", `${P}/flags`, { key: "new" })],
  ["draft a release", 201, () => ask("POST", `${E}/releases`, { key: "next", flag: "new" })],
  ["make a release ready", 200, () => ask("POST", `${E}/releases/drafted/ready`, {})],
  ["describe a flag", 200, () => ask("PATCH", `${P}/flags/by-hand`, { description: "what it is" })],
  ["hold a release", 200, () => ask("POST", `${E}/releases/small/hold`, {})],
  ["lower a rollout", 200, () => ask("PUT", `${hand}/rollout`, { percentage: 5 })],
  ["take a rollout away", 200, async () => ask("PUT", hand, { ...(await targeting("by-hand")), rules: [] })],
  ["lower the flag of a release", 200, () => ask("PUT", `${E}/flags/small/rollout`, { percentage: 0.5 })],
  ["switch a flag off", 200, () => ask("PUT", `${hand}/enabled`, { enabled: false })],
  ["archive a flag", 200, () => ask("POST", `${P}/flags/by-hand/archive`, {})],
  ["roll a release back", 200, () => ask("POST", `${E}/releases/small/rollback`, {})],
];

describe("a frozen project", () => {
  it("pauses every ladder at the next look", async () => {
    await server.desk.service.tick();
    const states = (await ask("GET", `${E}/releases`)).body.items
      .filter(({ stage }: { stage?: number }) => stage !== undefined)
      .map(({ key, state, reasons }: { key: string; state: string; reasons: { code: string }[] }) => [
        key,
        state,
        reasons[0]?.code,
      ]);
    expect(states).toEqual([
      ["large", "holding", "frozen"],
      ["small", "holding", "frozen"],
    ]);
  });

  it.each(TABLE)("%s: %i", async (_, status, act) => {
    expect((await act()).status).toBe(status);
  });

  it("lists what was raised lately by reach and recency, and takes back what is chosen, and no stranger", async () => {
    const since = "2026-11-22T00:00:00Z";
    expect((await ask("GET", `${P}/suspects?since=${since}`)).body.items).toEqual([
      {
        environment: "production",
        release: "large",
        flag: "large",
        percentage: 50,
        raisedAt: "2026-11-22T13:00:00.000Z",
        weight: 0.25,
      },
    ]);
    expect((await ask("GET", `${P}/suspects?since=2026-11-22T13:30:00Z`)).body.items).toEqual([]);
    expect((await ask("POST", `${P}/rollback-since`, { since, releases: ["small"] })).body.code).toBe("release_not_found");
    expect((await ask("POST", `${P}/rollback-since`, { since, reason: "all of it" })).body.items).toEqual([
      { environment: "production", release: "large", state: "rolling-back" },
    ]);
    const [audited] = (await ask("GET", `${P}/changes?action=release.rollback`)).body.items;
    expect(audited).toMatchObject({ target: { kind: "release", key: "large" }, actor: { id: "first" }, reason: "all of it" });
    expect(await targeting("large")).toMatchObject({ rules: [] });
  });

  it("is left with its window kept as an incident, and raises go on", async () => {
    server.clock.now += HOUR_MS;
    const { body } = await ask("POST", `${P}/freeze/leave`, {});
    expect([body.active, body.windows[0].from, body.windows[0].to]).toEqual([
      false,
      "2026-11-22T14:00:00.000Z",
      "2026-11-22T15:00:00.000Z",
    ]);
    expect(server.control.workspace.projects.get("default")?.incidents.get("freeze-1")?.body).toEqual({
      reason: "database down",
      from: "2026-11-22T14:00:00.000Z",
      to: "2026-11-22T15:00:00.000Z",
    });
    expect((await ask("PUT", `${E}/flags/waiting/rollout`, { percentage: 1 })).status).toBe(200);
  });
});
