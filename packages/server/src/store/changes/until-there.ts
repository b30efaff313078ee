import { setTimeout as sleep } from "node:timers/promises";
import { ProblemError } from "../../http/problem.ts";

/** Did the store not answer, rather than refuse? */
export function isAway(error: unknown): boolean {
  return error instanceof ProblemError && error.code === "store_unavailable";
}

/**
 * Asks again for 10 s while a store is away. For a start, where nobody is there yet who could be told to come back: several
 * servers that start at once may keep a database busy for longer than any of them waits.
 */
export async function untilThere<T>(ask: () => Promise<T>): Promise<T> {
  for (const sinceMs = performance.now(); ; await sleep(PAUSE_MS)) {
    try {
      return await ask();
    } catch (error) {
      if (!isAway(error) || performance.now() - sinceMs > PATIENCE_MS) throw error;
    }
  }
}

const PATIENCE_MS = 10_000;
const PAUSE_MS = 200;
