import { readFileSync } from "node:fs";

/** Descriptors that stay free for everything that is no stream: files, stores, requests that change something. */
const KEPT_FREE_MAX = 1_000;

/**
 * Streams a server may hold so that its descriptors never run out: at most `wanted`, and fewer where the process may open
 * few. A quarter of the limit, 1,000 at most, stays free, so that a kill switch still comes through.
 */
export function streamsWithin(limit: number | undefined, wanted: number): number {
  if (limit === undefined) return wanted;
  return Math.min(wanted, limit - Math.min(KEPT_FREE_MAX, Math.ceil(limit / 4)));
}

/** How many descriptors this process may have open; `undefined` where the system does not say, or sets no limit. */
export function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined; // no Linux
  }
}
