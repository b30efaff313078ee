import type { EpochMs } from "@belay/protocol";
import type { LedgerLine } from "../events/index.ts";

/**
 * Where servers that keep events of their own tell each other what their ledgers say: one entry for each server and
 * environment, the last that was told.
 */
export interface LedgerStore {
  /** Replaces what this server told of the environment before. Durable once it resolves. */
  put(told: ToldLedger): Promise<void>;
  /**
   * Notes whose the events are that a server told of; does nothing where it told anything since. With the next `put` it has
   * them again itself.
   */
  pass(told: ToldLedger, heir: string): Promise<void>;
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
  /** The server that has these events now, restored from this one's backup. Absent: this one has them. */
  readonly heir?: string;
}
