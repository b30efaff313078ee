/** A question asked by a tracked split: what is compared, by what it is judged, what was expected, and what came of it. */

import type { Reasoned } from "./api.ts";
import type { FrozenMetric, MetricKey } from "./metric.ts";
import type { AttributePath, FlagKey, Ppm, Revision, SpaceId, VariantName } from "./names.ts";

/** Key of an experiment, as of a flag; it is what `tracks.experiment` of a flag's parts names. */
export type ExperimentKey = string;

/** `draft` may be edited; `running` collects and is looked at; `stopped` only collects no more; `decided` says what was learned. */
export type ExperimentStatus = "draft" | "running" | "stopped" | "decided";

/** What people write down before an experiment starts; frozen when it does. */
export interface ExperimentDefinition {
  readonly hypothesis: string;
  readonly owner?: string;
  readonly tags: readonly string[];
  readonly flag: FlagKey;
  readonly environment: string;
  readonly control: VariantName;
  readonly treatments: readonly VariantName[];
  readonly metrics: ExperimentMetrics;
  /** Absent: "no plan"; then only the endless sequence judges, at `NO_PLAN_ALPHA`. */
  readonly plan?: AnalysisPlan;
  readonly prediction?: Prediction;
  /** Attributes by which results are shown apart. An exposure without the attribute belongs to the segment `""`. */
  readonly segments: readonly AttributePath[];
  /** Days before a unit's first exposure in which the same measure is its covariate; absent: no adjustment. */
  readonly covariateDays?: number;
  /** Where alarms go: `mailto:team@example.org`, `slack:#channel`, `webhook:<id>` or an `https:` address. No start without. */
  readonly alertRoute?: string;
  /** The experiment's own part of a shared space: experiments in disjoint ranges of one layer exclude each other. */
  readonly layer?: LayerClaim;
}

export interface ExperimentMetrics {
  /** Success metrics: one of them must improve. Alpha is divided over them. */
  readonly primary: readonly MetricKey[];
  readonly secondary: readonly MetricKey[];
  /** Must not get worse beyond their tolerance. */
  readonly guardrails: readonly MetricKey[];
}

/** How long to look and how sure to be. */
export interface AnalysisPlan {
  /** Two-sided chance of a false alarm over all primary metrics and looks together; 0.05. */
  readonly alpha: number;
  /** Chance to find `smallestEffect`; 0.8. */
  readonly power: number;
  /** Smallest effect worth finding, as a share of control: 0.05 is 5 %. */
  readonly smallestEffect: number;
  readonly horizonDays: number;
}

/** What the author expects of one primary metric and treatment, as a share of control. */
export interface Prediction {
  readonly metric: MetricKey;
  readonly mean: number;
  readonly interval: readonly [low: number, high: number];
  /** Share of such intervals that will hold the truth. */
  readonly level: number;
}

export interface LayerClaim {
  readonly layer: string;
  readonly range: readonly [from: Ppm, to: Ppm];
}

/** A stretch of one allocation. Units belong to the phase of their first exposure. */
export interface Phase {
  /** The epoch its exposures carry: the environment's revision at which the allocation changed. */
  readonly epoch: Revision;
  readonly from: string;
  /** Designed shares by variant, of any scale; absent where several splits track the experiment and differ. */
  readonly weights?: { readonly [variant: VariantName]: number };
}

/** What a start froze: the definitions results are computed from, whatever becomes of them later. */
export interface Frozen {
  readonly at: string;
  /** SHA-256 of the definition and the metrics, in canonical JSON: proves that nothing was changed after the start. */
  readonly hash: string;
  readonly metrics: readonly FrozenMetric[];
  /** What is the unit: the `by` of the flag's split space; the targeting key when absent. */
  readonly unit?: AttributePath;
}

export type DecisionOutcome = "ship" | "do-not-ship" | "inconclusive";

/** What was decided, and what the results advised at that moment. */
export interface ExperimentDecision {
  readonly outcome: DecisionOutcome;
  /** The variant that goes on; the control unless shipped. */
  readonly variant: VariantName;
  readonly reason: string;
  readonly at: string;
  readonly by: string;
  readonly advice: Advice;
  /** Shipped although the results did not say so, or not shipped although they did. */
  readonly isAgainstAdvice: boolean;
}

/** What the ship rule says, by name of what stands against shipping. */
export interface Advice {
  readonly advice: "ship" | "do-not-ship" | "not-enough-yet" | "fix-quality-first";
  readonly because: readonly string[];
}

export interface Experiment extends ExperimentDefinition {
  readonly project: string;
  readonly key: ExperimentKey;
  readonly status: ExperimentStatus;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly stoppedAt?: string;
  readonly frozen?: Frozen;
  readonly phases: readonly Phase[];
  readonly decision?: ExperimentDecision;
  /** Revision of the project at which the experiment last changed: its ETag. */
  readonly revision: Revision;
}

/** Absent: no text, no tags, no metrics, no segments. */
export interface ExperimentCreation extends Reasoned {
  readonly key: ExperimentKey;
  readonly hypothesis: string;
  readonly owner?: string;
  readonly tags?: readonly string[];
  readonly flag: FlagKey;
  readonly environment: string;
  readonly control: VariantName;
  readonly treatments: readonly VariantName[];
  readonly metrics?: Partial<ExperimentMetrics>;
  readonly plan?: AnalysisPlanDraft;
  readonly prediction?: Prediction;
  readonly segments?: readonly AttributePath[];
  readonly covariateDays?: number;
  readonly alertRoute?: string;
  readonly layer?: LayerClaim;
}

export interface AnalysisPlanDraft extends Partial<Pick<AnalysisPlan, "alpha" | "power">> {
  readonly smallestEffect: number;
  readonly horizonDays: number;
}

/**
 * Absent fields stay; `null` clears what may be absent. Once started only `owner`, `tags` and `alertRoute` may change; the
 * flag and the environment never do.
 */
export interface ExperimentEdit extends Reasoned {
  readonly hypothesis?: string;
  readonly owner?: string | null;
  readonly tags?: readonly string[];
  readonly control?: VariantName;
  readonly treatments?: readonly VariantName[];
  readonly metrics?: Partial<ExperimentMetrics>;
  readonly plan?: AnalysisPlanDraft | null;
  readonly prediction?: Prediction | null;
  readonly segments?: readonly AttributePath[];
  readonly covariateDays?: number | null;
  readonly alertRoute?: string | null;
  readonly layer?: LayerClaim | null;
}

export interface DecisionDraft extends Reasoned {
  readonly outcome: DecisionOutcome;
  /** Which treatment ships; the only one when absent. */
  readonly variant?: VariantName;
  /** Why: a decision without a reason is refused. */
  readonly reason: string;
  /** Ship although the results do not say so, or do not although they do. Refused otherwise. */
  readonly againstAdvice?: boolean;
}

/** What is to be forecast; what is left out is read off the last days. */
export interface ForecastRequest {
  /** Days back from now to read; 7 when absent. */
  readonly days?: number;
  /** Units newly met a day, over all arms; read off the flag's exposures when absent. */
  readonly unitsPerDay?: number;
  /** What one unit is worth without treatment, by primary metric; read off the units of those exposures when absent. */
  readonly baselines?: { readonly [metric: MetricKey]: Baseline };
}

/** Mean and standard deviation over units. */
export interface Baseline {
  readonly mean: number;
  readonly sd: number;
}

/** How long an experiment would have to run, and what it could see. Not a number: `status` says what is missing. */
export interface Forecast {
  /** Units newly met a day; absent where nothing recent says so. */
  readonly unitsPerDay?: number;
  /** Where it comes from. */
  readonly unitsFrom: "request" | "exposures" | "nowhere";
  readonly metrics: readonly MetricForecast[];
  readonly overlaps: readonly Overlap[];
}

export interface MetricForecast {
  readonly metric: MetricKey;
  readonly baseline?: Baseline;
  readonly baselineFrom: "request" | "exposures" | "nowhere";
  /** For the plan's smallest effect, over control and one treatment; the weakest treatment's where shares differ. */
  readonly requiredUnits?: number;
  readonly requiredDays?: number;
  readonly isWithinHorizon?: boolean;
  /** Smallest effect, as a share of control, that the horizon finds with the plan's power. */
  readonly detectableEffect?: number;
  /** Why a number is missing. */
  readonly missing?: string;
}

/** Units that would be in another running experiment too, by the designed shares of both. */
export interface Overlap {
  readonly experiment: ExperimentKey;
  /** Percent of all units. */
  readonly percentage: number;
  /** Percent of this experiment's units. */
  readonly ofThis: number;
  /** Whether both measure by a common metric: then screen them for interaction. */
  readonly metrics: readonly MetricKey[];
}

/** Alpha of an experiment without a plan. */
export const NO_PLAN_ALPHA = 0.05;

/** A stretch in which something else was wrong: results are shown with it, without it, and by whether it changed the effect. */
export interface Incident {
  readonly project: string;
  readonly key: string;
  readonly reason: string;
  /** Only there; everywhere when absent. */
  readonly environment?: string;
  readonly from: string;
  /** Absent: it is still going on. */
  readonly to?: string;
  readonly revision: Revision;
}

export interface IncidentDraft extends Reasoned {
  readonly key: string;
  readonly environment?: string;
  /** RFC 3339; now when absent. */
  readonly from?: string;
  readonly to?: string;
  readonly reason: string;
}

/**
 * One entry of the look ledger: one primary metric and treatment at one moment. Written by the server's own clock, never by
 * whoever reads, and enough to recompute every later look.
 */
export interface Look {
  readonly at: string;
  readonly metric: MetricKey;
  readonly treatment: VariantName;
  readonly units: { readonly control: number; readonly treatment: number };
  /** The effect as a share of control, and its variance. */
  readonly effect: number;
  readonly variance: number;
  /** 1 / variance. */
  readonly information: number;
  /** Of the planned information; absent, as are the next two, when the plan did not look: no plan, over, or nothing new. */
  readonly fraction?: number;
  readonly alphaSpent?: number;
  /** |z| at which the plan rejects "no effect". */
  readonly bound?: number;
  /** Which ledgers reject; what was rejected once stays so. */
  readonly rejectedBy: readonly ("plan" | "sequence")[];
}

/** A space that experiments share; each claims a range of it, and so they exclude each other. */
export interface Layer {
  readonly project: string;
  readonly key: string;
  readonly description: string;
  /** What draws name: `layer/<key>`. */
  readonly space: SpaceId;
  readonly claims: readonly { readonly experiment: ExperimentKey; readonly range: readonly [from: Ppm, to: Ppm] }[];
  readonly createdAt: string;
  readonly revision: Revision;
}

export interface LayerCreation extends Reasoned {
  readonly key: string;
  readonly description?: string;
  /** Attribute that is the unit; `targetingKey` when absent. */
  readonly by?: AttributePath;
}

/** Units that get no new treatment while it is active: those whose point in its space lies below its share. */
export interface Holdout {
  readonly project: string;
  readonly key: string;
  readonly description: string;
  /** What draws name: `holdout/<key>`. */
  readonly space: SpaceId;
  readonly percentage: number;
  readonly isActive: boolean;
  readonly createdAt: string;
  readonly endedAt?: string;
  readonly revision: Revision;
}

export interface HoldoutCreation extends Reasoned {
  readonly key: string;
  readonly description?: string;
  readonly percentage: number;
  readonly by?: AttributePath;
}
