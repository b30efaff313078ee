/** Nobody stays away longer than this, whatever a server says or a row of failures comes to. */
const WAIT_MAX_MS = 300_000;

/** Full jitter: evenly between `leastMs` and a ceiling that doubles with each failure, up to 30 s; 5 min where it is slow. */
export function backoffMs(failures: number, isSlow: boolean, leastMs: number): number {
  const ceilingMs = Math.min(1_000 * 2 ** failures, isSlow ? WAIT_MAX_MS : 30_000);
  return leastMs + Math.random() * Math.max(0, ceilingMs - leastMs);
}

/** What the server asked for, and up to a tenth more, so that not all come back at once. */
export function patientMs(askedMs: number): number {
  return Math.min(askedMs, WAIT_MAX_MS / 1.1) * (1 + Math.random() / 10);
}
