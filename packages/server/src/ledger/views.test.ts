import { expect, it } from "vitest";
import { E } from "../app.fixture.ts";
import { NOON, recordingServer } from "../record-doors.fixture.ts";

it("the ledger answers by arm and by instance, in the form that is described", async () => {
  const server = await recordingServer();
  const exposure = { timeMs: NOON, flag: "a", variant: "on", epoch: 1, revision: 1 };
  await server.receive({
    exposures: [
      { ...exposure, experiment: "e", unit: "u1" },
      { ...exposure, experiment: "e", unit: "u2" },
      { ...exposure, release: "r", unit: "u1" },
    ],
  });
  const { body: whole } = await server.ask("GET", `${E}/ledger`);
  expect(whole.arms.map(({ stored }: { stored: number }) => stored)).toEqual([2, 1]);
  expect(whole.skews.map(({ verdict }: { verdict: string }) => verdict)).toEqual(["unknown", "unknown"]);
  const { body: page } = await server.ask("GET", `${E}/ledger/instances?limit=1`);
  expect(page.items).toMatchObject([{ experiment: "e", variant: "on", stored: 2 }]);
  expect(page.next).toMatch(/./);
  await server.close();
});
