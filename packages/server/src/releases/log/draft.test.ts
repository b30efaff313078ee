import { expect, it } from "vitest";
import { E, P } from "../../app.fixture.ts";
import { releaseServer } from "../desk.fixture.ts";
import { ERRORS } from "../release.fixture.ts";

const CHECKOUT = `${E}/releases/checkout`;
const stages = [{ name: "Half", percentage: 50, hold: { minDurationS: 60 }, gates: [] }];

it("follows what others do to the flag while it is live, and nothing of what they do before", async () => {
  const { ask, clock, close } = await releaseServer();
  const exposure = async (): Promise<[number, number][]> =>
    (await ask("GET", `${CHECKOUT}/log`)).body.exposure.map(({ percentage, change }: Record<string, number>) => [
      percentage,
      change,
    ]);
  await ask("POST", `${P}/flags`, { key: "checkout" });
  await ask("PUT", `${E}/flags/checkout/enabled`, { enabled: false });
  await ask("PUT", `${E}/flags/checkout/enabled`, { enabled: true });
  const release = { key: "checkout", flag: "checkout", stages, guardrails: [ERRORS], alertRoutes: ["slack:#r"] };
  await ask("POST", `${E}/releases`, release);
  const draft = (await ask("GET", `${CHECKOUT}/log`)).body;
  expect([draft.state, draft.exposure, draft.guardrails, draft.advice, draft.timeline.length]).toEqual(["draft", [], [], [], 1]);
  expect((await ask("GET", `${CHECKOUT}/log?format=html`)).text).toContain("<h1>checkout has not started</h1>");

  await ask("POST", `${CHECKOUT}/ready`, {});
  await ask("POST", `${CHECKOUT}/start`, {});
  clock.now += 1_000;
  await ask("PUT", `${E}/flags/checkout/rollout`, { percentage: 20 });
  await ask("POST", `${CHECKOUT}/triggers`, { guardrail: "errors" });
  await ask("PATCH", `${P}/flags/checkout`, { owner: "ann" });
  clock.now += 1_000;
  await ask("PUT", `${E}/flags/checkout/enabled`, { enabled: false });
  clock.now += 1_000;
  await ask("POST", `${CHECKOUT}/abort`, {});
  const { body: log } = await ask("GET", `${CHECKOUT}/log`);
  expect(log.exposure.map(({ percentage }: { percentage: number }) => percentage)).toEqual([50, 20, 0]);
  const actions = log.timeline.map(({ action }: { action: string }) => action);
  expect(actions).toEqual([
    "release.create",
    "release.ready",
    "release.start",
    "rollout.set",
    "release.trigger.create",
    "flag.disable",
    "release.abort",
  ]);
  const changes = log.timeline.map(({ change }: { change: number }) => change);
  expect((await exposure()).map(([, change]) => change)).toEqual([changes[2], changes[3], changes[5]]);
  await close();
});

it("keeps lessons in the order they were given, by whoever gave them", async () => {
  const { ask, clock, close } = await releaseServer();
  await ask("POST", `${P}/flags`, { key: "checkout" });
  await ask("POST", `${E}/releases`, { key: "checkout", flag: "checkout", stages });
  const { secret } = (await ask("POST", "/api/v1/tokens", { name: "bob", role: "operator" })).body;
  expect((await ask("POST", `${CHECKOUT}/lessons`, { taught: "one" })).status).toBe(201);
  clock.now += 1_000;
  const { body } = await ask("POST", `${CHECKOUT}/lessons`, { taught: "two", better: "three" }, { as: secret });
  const lessons = [
    { at: "2026-11-22T12:00:00.000Z", by: "First admin", taught: "one" },
    { at: "2026-11-22T12:00:01.000Z", by: "bob", taught: "two", better: "three" },
  ];
  expect(body.items).toEqual(lessons);
  expect((await ask("GET", CHECKOUT)).body.lessons).toEqual(lessons);
  expect((await ask("POST", `${CHECKOUT}/lessons`, { taught: "" })).status).toBe(422);
  expect((await ask("POST", `${E}/releases/none/lessons`, { taught: "x" })).body.code).toBe("release_not_found");
  await close();
});
