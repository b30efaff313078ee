import type { FlagKey } from "./flags.ts";

/** What a shop served since it last reported. */
export interface Report {
  readonly part: number;
  visitors: number;
  /** Visitors who got the new version, by flag. */
  readonly treated: Record<FlagKey, number>;
}

export function emptyReport(part: number): Report {
  return { part, visitors: 0, treated: { checkout: 0, search: 0 } };
}
