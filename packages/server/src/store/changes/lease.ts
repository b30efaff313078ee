import { setTimeout as sleep } from "node:timers/promises";
import { overlaid } from "../overlaid.ts";
import type { ChangeLog } from "./change-log.ts";
import { isAway } from "./until-there.ts";

const HELD_MS = 10_000;
const TRY_EVERY_MS = 50;

/** As long as it takes to stop. */
const LEFT_ALONE_MS = 5_000;

/**
 * The same log, which is not asked to take a lease back soon after it did not answer that to somebody else: a lease ends by
 * itself, and a server that stops while a database hangs would wait for each of its leases in turn.
 */
export function leavingLeases(log: ChangeLog, monotonic: () => number): ChangeLog {
  let awayAtMs = Number.NEGATIVE_INFINITY;
  return overlaid(log, {
    releaseLease: async (name, holder) => {
      if (monotonic() - awayAtMs < LEFT_ALONE_MS) return;
      try {
        await log.releaseLease(name, holder);
      } catch (error) {
        if (isAway(error)) awayAtMs = monotonic();
        throw error;
      }
    },
  });
}

/** Runs `work` while no other node does: waits for the lease of that name, 30 s at most, and gives it back. */
export async function withLease<T>(
  log: Pick<ChangeLog, "takeLease" | "releaseLease">,
  name: string,
  { holder, now }: { readonly holder: string; readonly now: () => number },
  work: () => Promise<T>,
): Promise<T> {
  for (const since = now(); ; await sleep(TRY_EVERY_MS)) {
    const at = now();
    if ((await log.takeLease(name, holder, { now: at, until: at + HELD_MS })) !== undefined) break;
    if (at - since > 3 * HELD_MS) throw new Error(`another server holds the lease "${name}" for too long`);
  }
  try {
    return await work();
  } finally {
    await log.releaseLease(name, holder);
  }
}
