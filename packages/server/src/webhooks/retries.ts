import type { EpochMs } from "@belay/protocol";
import type { Outcome } from "../store/deliveries/index.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Waits after the first try, the second and so on: about a day and a half in all, so that a weekend's outage is seen on Monday. */
export const RETRY_DELAYS_MS: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  10 * MINUTE,
  HOUR,
  3 * HOUR,
  8 * HOUR,
  24 * HOUR,
];

/** What an attempt met: an answer with its status, or none. */
export interface Met {
  readonly status?: number;
  /** What the answer asked to wait, from its `Retry-After`. */
  readonly retryAfterMs?: number;
  /** A further try would meet the same: the address may not be called. */
  readonly isFinal?: boolean;
}

/**
 * What follows from a try.
 *
 * @param tries how many there were, this one included.
 * @param random a fraction that spreads tries by 20 % around their time, so that what failed together does not return together.
 */
export function outcomeOf(met: Met, tries: number, now: EpochMs, random: number): Outcome {
  const { status = 0, retryAfterMs = 0 } = met;
  if (status >= 200 && status < 300) return { status: "delivered" };
  const delay = RETRY_DELAYS_MS[tries - 1];
  // 410: the receiver says that it is gone for good.
  if (delay === undefined || status === 410 || met.isFinal === true) return { status: "dead" };
  const spread = delay * (0.8 + 0.4 * random);
  return { status: "pending", retryAtMs: Math.round(now + Math.max(spread, Math.min(retryAfterMs, 24 * HOUR))) };
}
