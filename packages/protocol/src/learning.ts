import type { PlaceInCode } from "./code-places.ts";

/** How well a project learns: figures over the last days, each with the cases it is made of. */

export interface LearningReport {
  readonly project: string;
  /** RFC 3339: the figures are of what happened in between. */
  readonly from: string;
  readonly to: string;
  /** Releases started a week. */
  readonly deployments: DeploymentFigure;
  /** From the breach, or the word of a person, until every instance had acknowledged the rollback. */
  readonly rollbacks: SpanFigure;
  /** Share of live releases and running experiments that something watches, and whose events are heard of. */
  readonly coverage: ShareFigure;
  /** From the start until a result that can be decided on: a look that rejects or ends its plan, a stage left, harm found. */
  readonly insight: SpanFigure;
  /** From such a result of an experiment until somebody decided. */
  readonly turnaround: SpanFigure;
  readonly calibration: CalibrationFigure;
  /** Share of exposures made that are stored or on their way. */
  readonly exposures: ShareFigure;
  readonly flagDebt: FlagDebtFigure;
}

/** What a figure is made of: where to look further. */
export interface LearningCase {
  readonly kind: "release" | "experiment" | "flag";
  readonly key: string;
  readonly environment?: string;
  /** Path below the server's address. */
  readonly href: string;
  /** When it happened, or began. */
  readonly at?: string;
  /** In the unit of the figure: milliseconds, a share. Absent: it is not known, or not yet. */
  readonly value?: number;
  /** What keeps it from counting, or what is wrong. */
  readonly note?: string;
  /** Of a stale flag: where code still asks for it, as far as scans of repositories said. */
  readonly places?: readonly PlaceInCode[];
}

interface Figure {
  readonly cases: readonly LearningCase[];
}

export interface DeploymentFigure extends Figure {
  readonly started: number;
  readonly perWeek: number;
}

/** Spans in milliseconds; those that are not over are among the cases and in no number. */
export interface SpanFigure extends Figure {
  readonly count: number;
  /** The value that half, and nine of ten, do not exceed; absent where nothing was measured. */
  readonly p50?: number;
  readonly p90?: number;
  readonly target: number;
  /** Of those measured. */
  readonly withinTarget: number;
}

export interface ShareFigure extends Figure {
  readonly count: number;
  /** Absent where there is nothing to have a share of. */
  readonly share?: number;
  readonly target: number;
}

export interface CalibrationFigure extends Figure {
  readonly teams: readonly TeamCalibration[];
}

/** How well a team predicts: whose intervals hold as often as they claim is calibrated. */
export interface TeamCalibration {
  /** The owner named by the experiment, or among the contacts of the release; empty where none is. */
  readonly team: string;
  readonly predictions: number;
  readonly coverage: number;
  /** Mean of the levels that were claimed. */
  readonly claimed: number;
  /** In the unit of the effect, a share of control; lower is better. */
  readonly meanIntervalScore: number;
}

export interface FlagDebtFigure extends Figure {
  readonly flags: number;
  readonly stale: number;
  /** Flags that are stale for each reason; one may be so for several. */
  readonly reasons: { readonly full: number; readonly unseen: number; readonly overdue: number; readonly "asked-for": number };
}

/** A live release or running experiment that nobody watches: there is none. */
export interface Uncovered {
  readonly kind: "release" | "experiment";
  readonly project: string;
  readonly environment: string;
  readonly key: string;
  readonly because: "not-watched" | "no-guardrail" | "no-alert-route";
}
