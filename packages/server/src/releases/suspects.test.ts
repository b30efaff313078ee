import { afterEach, beforeEach, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { ERRORS, HOUR_MS, T0 } from "./release.fixture.ts";

let server: ReleaseServer;
let ask: ReleaseServer["ask"];
beforeEach(async () => {
  server = await releaseServer();
  ({ ask } = server);
});
afterEach(() => server.close());

/** A release of a flag of its own, live at its first stage. */
async function live(key: string, percentage: number): Promise<void> {
  await ask("POST", `${P}/flags`, { key });
  await begin(key, key, percentage);
}

async function begin(key: string, flag: string, percentage: number): Promise<void> {
  const stages = [percentage, 100].map((share) => ({ name: "s", percentage: share, hold: { minDurationS: 60 }, gates: [] }));
  await ask("POST", `${E}/releases`, { key, flag, stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] });
  for (const verb of ["ready", "start"]) expect((await ask("POST", `${E}/releases/${key}/${verb}`, {})).status).toBe(200);
}

/** Takes a live release to everybody, and to its end. */
async function finish(key: string): Promise<void> {
  await ask("POST", `${E}/releases/${key}/advance`, { override: true, reason: "now" });
  server.clock.now += 61_000;
  server.acknowledge({ metrics: [{ seq: 1, timeMs: server.clock.now, name: "error", unit: "u" }] });
  await server.desk.service.tick();
  expect((await ask("GET", `${E}/releases/${key}`)).body.state).toBe("done");
}

const suspects = async (since = T0): Promise<unknown[]> =>
  (await ask("GET", `${P}/suspects?since=${new Date(since).toISOString()}`)).body.items.map(
    ({ release, percentage, weight }: { release: string; percentage: number; weight: number }) => [
      release,
      percentage,
      Number(weight.toFixed(4)),
    ],
  );

it("also a release that is done by now is taken back, and goes first by its reach", async () => {
  await live("whole", 1);
  await finish("whole");
  await live("small", 1);
  server.clock.now = T0 + HOUR_MS;
  expect(await suspects()).toEqual([
    ["whole", 100, 0.5],
    ["small", 1, 0.0051],
  ]);
  expect(await suspects(T0 + 1)).toEqual([["small", 1, 0.0051]]);
  const { items } = (await ask("POST", `${P}/rollback-since`, { since: new Date(T0).toISOString(), releases: ["whole"] })).body;
  expect(items).toEqual([{ environment: "production", release: "whole", state: "rolling-back" }]);
  expect((await ask("GET", `${E}/flags/whole`)).body.rollout).toBeUndefined();
  expect(await suspects()).toEqual([["small", 1, 0.0051]]);
});

it("one that is done and whose flag gives something else since then is none of them", async () => {
  await live("first", 1);
  await finish("first");
  expect(await suspects()).toEqual([["first", 100, expect.closeTo(0.9883, 4)]]);
  await ask("PUT", `${E}/flags/first`, { enabled: true, rules: [], fallthrough: { variant: "off" } });
  expect(await suspects()).toEqual([]);
});

it("what somebody lowered by hand weighs what it still gives", async () => {
  await live("half", 50);
  await live("tenth", 10);
  await ask("PUT", `${E}/flags/half/rollout`, { percentage: 2 });
  expect(await suspects()).toEqual([
    ["tenth", 10, 0.1],
    ["half", 2, 0.02],
  ]);
});
