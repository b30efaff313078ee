import { DELIVERY_SETTINGS, SYNC_TIMINGS } from "@belay/core/client";
import { onTestFinished } from "vitest";
import { createClientWith, type Tuning } from "./create-client.ts";
import type { BelayClient, ClientOptions } from "./index.ts";

/** A sixtieth of the product's durations: a heartbeat is 250 ms, long enough for a busy machine to be heard in time. */
export const FAST: Tuning = {
  sync: {
    heartbeatMs: 250,
    pollIntervalMs: 500,
    healthyMs: 500,
    brisk: { floorMs: 0, baseMs: 10, maxMs: 300 },
    slow: { floorMs: 300, baseMs: 600, maxMs: 3_000 },
    streamAgain: { floorMs: 300, baseMs: 600, maxMs: 3_000 },
    hintMaxMs: 600,
    budget: { ...SYNC_TIMINGS.budget, windowMs: 600 },
  },
  delivery: { ...DELIVERY_SETTINGS, flushIntervalMs: 10, answerTimeoutMs: 500, brisk: { floorMs: 0, baseMs: 10, maxMs: 300 } },
};

/** A client of a test: closed at its end; what it logs is kept. */
export function testClient(options: ClientOptions, tuning: Tuning = FAST): { belay: BelayClient; said: string[] } {
  const said: string[] = [];
  const logger = { warn: (message: string) => void said.push(message), error: (message: string) => void said.push(message) };
  const belay = createClientWith({ sdkKey: "sdk-1", flushOnExit: false, logger, ...options }, tuning);
  onTestFinished(async () => {
    await belay.close({ deadlineMs: 100 });
  });
  return { belay, said };
}
