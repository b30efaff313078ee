import type { Rival } from "./rival.ts";
import type { Sample } from "./sample.ts";

export type Unit = "ns" | "us" | "ms" | "bytes" | "kB";

/** One figure of the report: what a process of its own measures for one contender. */
export interface Scenario {
  /** `S1`, or `S1-bytes` for a second figure of the same scenario. */
  readonly id: string;
  readonly title: string;
  readonly unit: Unit;
  /** Samples that are enough, where they hardly differ. */
  readonly roundsMax?: number;
  /** Why this contender cannot take part, where it cannot. */
  readonly excuses?: (rival: Rival) => string | undefined;
  readonly measure: (rival: Rival) => Promise<Sample>;
}
