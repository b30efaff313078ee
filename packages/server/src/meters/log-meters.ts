import type { EpochMs } from "@belay/protocol";
import { Histogram, type Registry } from "prom-client";
import { ProblemError } from "../http/problem.ts";
import type { ChangeLog } from "../store/changes/index.ts";
import { overlaid } from "../store/overlaid.ts";
import { gauge } from "./counted.ts";

/** Seconds. */
const BUCKETS = [0.001, 0.005, 0.01, 0.05, 0.2, 1, 5];

/**
 * The same change log, with meters: how long commits take, whether the store answers, which leases this server holds. To be
 * given to everything that uses the log, since whoever asked last knows whether it is away.
 */
export function meteredLog(log: ChangeLog, registry: Registry, now: () => EpochMs): ChangeLog {
  const commits = new Histogram({
    name: "belay_commit_seconds",
    help: "Time the change log takes to make changes durable",
    buckets: BUCKETS,
    registers: [registry],
  });
  let isUp = true;
  const leases = new Map<string, EpochMs>();
  gauge(registry, { name: "belay_change_log_up", help: "1 while the change log answers, 0 while it is away" }, (set) => {
    set(isUp ? 1 : 0);
  });
  const leaseMeter = { name: "belay_lease_held", help: "1 for each lease this server holds", labels: ["lease"] as const };
  gauge(registry, leaseMeter, (set) => {
    for (const [lease, until] of leases) set(until > now() ? 1 : 0, { lease });
  });
  const watched = async <T>(asked: Promise<T>): Promise<T> => {
    try {
      const answer = await asked;
      isUp = true;
      return answer;
    } catch (error) {
      if (error instanceof ProblemError && error.code === "store_unavailable") isUp = false;
      throw error;
    }
  };
  return overlaid(log, {
    commit: async (commit) => {
      const end = commits.startTimer();
      return watched(log.commit(commit).finally(end));
    },
    entriesAfter: (position, limit) => watched(log.entriesAfter(position, limit)),
    takeLease: async (name, holder, times) => {
      const fence = await watched(log.takeLease(name, holder, times));
      leases.set(name, fence === undefined ? 0 : times.until);
      return fence;
    },
    releaseLease: async (name, holder) => {
      await log.releaseLease(name, holder);
      leases.set(name, 0);
    },
  });
}
