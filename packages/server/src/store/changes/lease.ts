import { setTimeout as sleep } from "node:timers/promises";
import type { ChangeLog } from "./change-log.ts";

const HELD_MS = 10_000;
const TRY_EVERY_MS = 50;

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
