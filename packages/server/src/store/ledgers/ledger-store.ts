import type { EpochMs } from "@belay/protocol";
import type { LedgerLine } from "../events/index.ts";

/**
 * Where servers that keep events of their own tell each other what their ledgers say: one entry for each server and
 * environment, the last that was told.
 */
export interface LedgerStore {
  /** Replaces what this server told of the environment before. Durable once it resolves. */
  put(told: ToldLedger): Promise<void>;
  /** What every server told of a project's environments, by server and environment. */
  of(project: string): Promise<readonly ToldLedger[]>;
  /** Forgets what was told before a moment and never again. */
  forget(before: EpochMs): Promise<void>;
  close(): Promise<void>;
}

export interface ToldLedger {
  readonly server: string;
  readonly project: string;
  readonly environment: string;
  readonly at: EpochMs;
  readonly lines: readonly LedgerLine[];
  /** Metric events of the environment that the server has. */
  readonly metricEvents: number;
}
