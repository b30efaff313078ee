/** What one process found out: one figure of one scenario for one contender. */
export interface Sample {
  /** In the scenario's unit. */
  readonly value: number;
  /** The yardstick of the same process in the same unit, where the scenario has one. */
  readonly bare?: number;
  /** Share of calls answered `true` or `first`: proof in every sample that the work was done. */
  readonly share?: number;
}

/** Why a contender has no figure: said in the report, and no failure of the run. */
export class Excuse extends Error {}
