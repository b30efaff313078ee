import { expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { releaseServer } from "../releases/desk.fixture.ts";
import { ERRORS } from "../releases/release.fixture.ts";
import { approvals } from "./requests.fixture.ts";

it("approves a release once, when it starts; afterwards it climbs by its gates", async () => {
  const server = await releaseServer();
  const { ask } = server;
  const colleague = (await ask("POST", "/api/v1/tokens", { name: "ben", role: "operator" })).body.secret;
  await ask("POST", `${P}/flags`, { key: "checkout" });
  await approvals(server, 1);
  const release = `${E}/releases/checkout`;
  const stages = [1, 10].map((percentage) => ({ name: `${percentage} %`, percentage, hold: { minDurationS: 60 }, gates: [] }));
  const guardrails = [{ ...ERRORS, margin: 1 }];
  await ask("POST", `${E}/releases`, { key: "checkout", flag: "checkout", stages, guardrails, alertRoutes: ["slack:#r"] });
  await ask("POST", `${release}/ready`, {});
  await ask("POST", `${release}/evidence`, { kind: "alert-tested", route: "slack:#r" });
  expect((await ask("POST", `${release}/start`, {})).body).toMatchObject({ status: 409, code: "approval_required", needed: 1 });
  const { id, hash } = (await ask("POST", `${E}/requests`, { operation: "release-start", key: "checkout" })).body;
  server.clock.now += 5_000;
  const approved = await ask("POST", `${E}/requests/${id}/approve`, { hash }, { as: colleague });
  expect([approved.status, approved.body.state, (await ask("GET", release)).body.state]).toEqual([200, "applied", "ramping"]);
  const climbed = await ask("POST", `${release}/advance`, { override: true, reason: "agreed" });
  expect([climbed.status, (await ask("GET", `${E}/flags/checkout/rollout`)).body.percentage]).toEqual([200, 10]);
  await server.close();
});
