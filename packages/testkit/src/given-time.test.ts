import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { givenMs } from "./given-time.ts";

it("is all of a wait that no thread spends in a queue, and never more than the clock says", async () => {
  const since = performance.now();
  const ms = await givenMs([process.pid], () => sleep(50));
  // A timer may be early by the fraction of a millisecond.
  expect(ms).toBeGreaterThan(48);
  expect(ms).toBeLessThanOrEqual(performance.now() - since);
});
