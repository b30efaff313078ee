/** Dice: a number in `[0, 1)`. Always an argument, so that every delay of this folder replays from a seed. */
export type Random = () => number;

/** How long to wait after the n-th failure in a row. */
export interface Backoff {
  /** Nobody waits less than this. */
  readonly floorMs: number;
  /** Upper end of the first wait; each failure doubles it. */
  readonly baseMs: number;
  /** Nobody waits longer than this. */
  readonly maxMs: number;
}

/**
 * Full jitter: evenly between the floor and `min(baseMs * 2^(failures - 1), maxMs)`.
 *
 * Even over the whole width and not over its upper half: a thousand clients that lost one server at one moment must
 * not come back at one moment.
 *
 * @param failures failures in a row, from 1
 */
export function backoffMs(backoff: Backoff, failures: number, random: Random): number {
  // 2^30 is far beyond every maximum and still exact; without the bound the power reaches Infinity.
  const doublings = Math.min(Math.max(failures - 1, 0), 30);
  const ceilingMs = Math.min(backoff.baseMs * 2 ** doublings, backoff.maxMs);
  return backoff.floorMs + random() * Math.max(ceilingMs - backoff.floorMs, 0);
}

/** What `Retry-After` asks for, in milliseconds from now; `undefined` where it is absent, unreadable or already over. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  const text = header.trim();
  const waitMs = /^\d+(\.\d+)?$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - nowMs;
  return waitMs > 0 && Number.isFinite(waitMs) ? waitMs : undefined;
}

/** Clients told to wait come back up to this much later than asked, so that they do not all come back at once. */
const PATIENCE = 0.1;

/**
 * A wait the server asked for: never shorter than asked and at most 10 % longer. A wish beyond `maxMs` is cut to it, so
 * that no header, wrong or hostile, keeps a client away for longer than its stated maximum.
 */
export function patientMs(askedMs: number, maxMs: number, random: Random): number {
  return Math.min(askedMs, maxMs / (1 + PATIENCE)) * (1 + PATIENCE * random());
}
