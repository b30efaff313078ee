import { afterEach, beforeEach, expect, it } from "vitest";
import { E, P } from "../app.fixture.ts";
import { DRAFT, layGround, track } from "../experiments/experiments.fixture.ts";
import { type RecordingServer, recordingServer } from "../record-doors.fixture.ts";

let server: RecordingServer;
let ask: RecordingServer["ask"];
beforeEach(async () => {
  server = await recordingServer();
  ({ ask } = server);
  await layGround(server);
});
afterEach(() => server.close());

const X = `${P}/experiments`;
const EVERYBODY = { in: [[0, 1_000_000]] };
/** Both arms of `checkout`, drawn from a range of a shared space too. */
const within = (space: string, from: number, to: number, experiment = DRAFT.key): object => ({
  fallthrough: {
    split: [
      [0, 500_000, "long"],
      [500_000, 1_000_000, "short"],
    ].map(([low, high, variant]) => ({
      variant,
      draws: [
        { space, in: [[from, to]] },
        { space: "split", in: [[low, high]] },
      ],
      tracks: { experiment },
    })),
  },
});

it("a layer is a space that snapshots hold, made once, and shows who claims what of it", async () => {
  const made = await ask("POST", `${P}/layers`, { key: "shop" });
  expect([made.status, made.body.space, made.body.claims]).toEqual([201, "layer/shop", []]);
  const snapshot = (await ask("GET", "/sdk/v1/snapshot", undefined, { as: server.sdkKeys["production"] as string })).body;
  expect(snapshot.spaces["layer/shop"].salt).toMatch(/^[a-z2-7]{8}$/);
  expect((await ask("POST", `${P}/layers`, { key: "shop" })).body.code).toBe("already_exists");
  await ask("POST", X, { ...DRAFT, layer: { layer: "shop", range: [0, 400_000] } });
  expect((await ask("GET", `${P}/layers`)).body.items[0].claims).toEqual([{ experiment: "checkout-test", range: [0, 400_000] }]);
});

it("two experiments of a layer hold disjoint ranges, and start only inside their own", async () => {
  await ask("POST", `${P}/layers`, { key: "shop" });
  await ask("POST", X, { ...DRAFT, layer: { layer: "shop", range: [0, 400_000] } });
  const overlapping = await ask("POST", X, { ...DRAFT, key: "b", layer: { layer: "shop", range: [399_999, 600_000] } });
  expect([overlapping.status, overlapping.body.code, overlapping.body.experiment]).toEqual([409, "range_taken", "checkout-test"]);
  expect((await ask("POST", X, { ...DRAFT, key: "b", layer: { layer: "shop", range: [400_000, 600_000] } })).status).toBe(201);
  await track(server, within("layer/shop", 0, 500_000));
  expect((await ask("POST", `${X}/checkout-test/start`, {})).body.points).toMatchObject([{ point: "layer" }]);
  await track(server, { ...within("layer/shop", 0, 400_000), newEpoch: true });
  expect((await ask("POST", `${X}/checkout-test/start`, {})).body.status).toBe("running");
});

it("no experiment starts that takes units of an active holdout", async () => {
  const made = await ask("POST", `${P}/holdouts`, { key: "q4", percentage: 5 });
  expect(made.body).toMatchObject({ space: "holdout/q4", percentage: 5, isActive: true });
  await ask("POST", X, DRAFT);
  await track(server);
  expect((await ask("POST", `${X}/checkout-test/start`, {})).body.points).toMatchObject([{ point: "holdout" }]);
  await track(server, { ...within("holdout/q4", 50_000, 1_000_000), newEpoch: true });
  expect((await ask("POST", `${X}/checkout-test/start`, {})).body.status).toBe("running");
});

it("an ended holdout is respected by nobody, and its space stays", async () => {
  await ask("POST", `${P}/holdouts`, { key: "q4", percentage: 5 });
  const put = await ask("PUT", `${E}/flags/checkout`, {
    enabled: true,
    off: "long",
    rules: [{ id: "held", when: { draw: { space: "holdout/q4", in: [[0, 50_000]] } }, serve: { variant: "long" } }],
    fallthrough: { split: [{ variant: "short", draws: [{ space: "split", ...EVERYBODY }] }] },
  });
  expect(put.status).toBe(200);
  const ended = await ask("POST", `${P}/holdouts/q4/end`, {});
  expect([ended.body.isActive, ended.body.endedAt]).toEqual([false, "2026-11-22T12:00:00.000Z"]);
  expect((await ask("POST", `${P}/holdouts/q5/end`, {})).body.code).toBe("holdout_not_found");
  const snapshot = (await ask("GET", "/sdk/v1/snapshot", undefined, { as: server.sdkKeys["production"] as string })).body;
  expect(Object.keys(snapshot.spaces)).toEqual(["holdout/q4"]);
});
