import type { AlertRouteReport, InteractionResult, ResultsPopulation } from "@belay/protocol";
import type { Point } from "@belay/stats";
import type { ArmAccount } from "../ledger/domain.ts";
import type { ExperimentDocument, LooksDocument } from "../state/workspace.ts";
import type { Aggregate } from "../store/events/index.ts";

/** What results are computed from; nothing else goes into them, so any result can be had again. */
export interface Facts {
  readonly project: string;
  readonly experiment: string;
  readonly document: ExperimentDocument;
  readonly population: ResultsPopulation;
  readonly looks: LooksDocument;
  readonly atMs: number;
  readonly lagMs: number;
  readonly aggregate: Aggregate;
  readonly accounts: readonly ArmAccount[];
  /** Effects that finished experiments ended with, as shares of control. */
  readonly past: readonly Point[];
  readonly incidents: readonly IncidentFacts[];
  readonly interactions: readonly InteractionResult[];
  readonly alertRoute?: AlertRouteReport;
}

/** The sums of units first exposed before, in and after an incident. */
export interface IncidentFacts {
  readonly key: string;
  readonly reason: string;
  readonly during: Aggregate;
  readonly others: readonly Aggregate[];
}
