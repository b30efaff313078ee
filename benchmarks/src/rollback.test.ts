import { startServer } from "@belay/testkit";
import { expect, it } from "vitest";
import { measureRollbacks } from "./rollback-rounds.ts";

it("has every connected client deciding off soon after the deciding batch, release after release", async () => {
  const server = await startServer();
  const rounds = await measureRollbacks(server, { clients: 20, rounds: 3 });
  await server.stop();
  expect(rounds.map((round) => round.length)).toEqual([20, 20, 20]);
  // The goal is a second; this bound only tells a rollback at once from one that waits for receipts or a poll.
  expect(Math.max(...rounds.flat())).toBeLessThan(15_000);
});
