import { afterEach, beforeEach, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { type ReleaseServer, releaseServer } from "./desk.fixture.ts";
import { pointOf } from "./placement.ts";
import { ERRORS } from "./release.fixture.ts";

const CHECKOUT = `${E}/releases/checkout`;

let server: ReleaseServer;
beforeEach(async () => {
  server = await releaseServer();
  const { ask } = server;
  await ask("POST", `${P}/flags`, { key: "checkout" });
  const stages = [{ name: "Half", percentage: 50, hold: { minDurationS: 60 }, gates: [] }];
  const release = { key: "checkout", flag: "checkout", stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
  expect((await ask("POST", `${E}/releases`, release)).status).toBe(201);
});
afterEach(() => server.close());

it("says how guardrails stand while they are watched, and nothing before and after", async () => {
  const { ask, clock } = server;
  expect((await ask("GET", `${CHECKOUT}/guardrails`)).body).toEqual({ items: [] });
  await ask("POST", `${CHECKOUT}/ready`, {});
  await ask("POST", `${CHECKOUT}/start`, {});
  const { salt } = (await ask("GET", `${P}/flags/checkout`)).body.spaces.share;
  const treated = Array.from({ length: 40 }, (_, index) => `u${index}`).filter((unit) => pointOf(salt, unit) < 500_000);
  const metrics = treated.slice(0, 4).map((unit, index) => ({ seq: index + 1, timeMs: clock.now, name: "error", unit }));
  server.acknowledge({ metrics });
  const [state] = (await ask("GET", `${CHECKOUT}/guardrails`)).body.items;
  expect(state).toMatchObject({ metric: "errors", verdict: "quiet", lastEventAt: new Date(clock.now).toISOString() });
  // Four failures, all of them treated, at one half: between nothing and 2^4, the most that four coins can say.
  expect(state.logEvidence).toBeGreaterThan(0);
  expect(state.logEvidence).toBeLessThan(4 * Math.log(2));
  await ask("POST", `${CHECKOUT}/abort`, {});
  expect((await ask("GET", `${CHECKOUT}/guardrails`)).body).toEqual({ items: [] });
});
