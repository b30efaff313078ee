import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { offer } from "./open-loop.ts";

test("what a stall holds up is charged to every batch that was due meanwhile, and what is not counted is sent all the same", async () => {
  const bodies = Array.from({ length: 60 }, (_, index) => Buffer.of(index));
  const arrived: number[] = [];
  let stall: Promise<void> | undefined;
  const { latenciesMs, senderLateMs } = await offer(
    async (body) => {
      arrived.push(body[0] ?? -1);
      // Nothing is answered before: those due first waited the longest.
      stall ??= pause(400);
      await stall;
    },
    { bodies, perSecond: 200, warmup: 20 },
  );
  expect(arrived).toEqual(bodies.map((_, index) => index));
  expect(latenciesMs).toHaveLength(40);
  // Due at 100 to 295 ms of 400: 105 to 300 ms each, on average about 200; asked by hand one would say 0 for most.
  const total = latenciesMs.reduce((sum, value) => sum + value, 0);
  expect(total / 40).toBeGreaterThan(150);
  expect(Math.max(...latenciesMs)).toBeGreaterThan(290);
  expect(senderLateMs).toBeGreaterThanOrEqual(0);
});
