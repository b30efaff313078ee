/** What an experiment has shown so far: decision first, quality above all numbers, and no number that is not one. */

import type { Advice, ExperimentKey, ExperimentStatus, Look, Phase } from "./experiment.ts";
import type { MetricKey, MetricKind } from "./metric.ts";
import type { AttributePath, VariantName } from "./names.ts";

/**
 * A value, or why there is none. `insufficient`: more data will give it. `undefined`: no data will. `not-yet`: looking now
 * would break a promise about error rates. Never NaN, never infinite.
 */
export type Stated<T> =
  | ({ readonly status: "ok" } & T)
  | { readonly status: "insufficient" | "undefined" | "not-yet"; readonly reason: string };

/** An estimate with what chance can do to it. */
export interface StatedEffect {
  readonly value: number;
  readonly standardError: number;
  readonly interval: StatedInterval;
  /** Two-sided, of "no effect", as if this were the only look. */
  readonly pValue: number;
}

export interface StatedInterval {
  readonly low: number;
  readonly high: number;
  readonly level: number;
}

export interface ExperimentResults {
  readonly project: string;
  readonly experiment: ExperimentKey;
  readonly hypothesis: string;
  readonly status: ExperimentStatus;
  readonly control: VariantName;
  /** The moment these results are of, and the age of the oldest event that may be missing. */
  readonly at: string;
  readonly lagMs: number;
  /** Hash of what was frozen at the start. */
  readonly hash?: string;
  /** Whose numbers these are; looks, and with them the decision, are of everybody exposed. */
  readonly population: ResultsPopulation;
  /** What to do, and why, in words. */
  readonly verdict: Verdict;
  readonly quality: QualityReport;
  readonly arms: readonly ArmReport[];
  readonly metrics: readonly MetricResult[];
  readonly segments: readonly SegmentResult[];
  readonly interactions: readonly InteractionResult[];
  readonly progress: readonly ProgressReport[];
  readonly prediction?: PredictionReport;
  readonly incidents: readonly IncidentReport[];
  /** What effects are shrunken toward: fitted to finished experiments once there are 20, a default before. */
  readonly prior: {
    readonly mean: number;
    readonly sd: number;
    readonly source: "fitted" | "default";
    readonly tests: number;
  };
  readonly phases: readonly Phase[];
  /** The look ledger so far: what every sequential number here is computed from. */
  readonly looks: readonly Look[];
}

/**
 * `exposed`: everybody. `triggered`: only units whose decision may have differed from arm to arm, from the first time it may have:
 * whom the treatment cannot have touched waters an effect down.
 */
export type ResultsPopulation = "exposed" | "triggered";

export interface Verdict extends Advice {
  readonly headline: string;
  readonly sentences: readonly string[];
}

export interface QualityReport {
  readonly isGood: boolean;
  /** Of the arm sizes as designed. */
  readonly sampleRatio: SampleRatioReport;
  readonly crossing: Stated<CrossingReport>;
  /** Whether the arms differed before anybody was treated; absent without a covariate. */
  readonly beforeStart?: { readonly pValue: number; readonly isUnhealthy: boolean };
  /** What became of the exposures that applications made, by arm; absent where no application reports it. */
  readonly loss?: LossReport;
  /** What the alert route was told last, while it holds. */
  readonly alarm?: QualityAlarm;
  /** Absent where the experiment names none. */
  readonly alertRoute?: AlertRouteReport;
}

/** Checks that failed, as the scheduler found them. */
export interface QualityAlarm {
  /** When the first of them, or another one than before, was found to fail. */
  readonly at: string;
  readonly checks: readonly ("sampleRatio" | "loss" | "crossing" | "beforeStart")[];
  readonly sentence: string;
  /** Whom it was meant for. */
  readonly route: string;
}

/** Whether anything carries an experiment's alarms to where they are meant to go. */
export interface AlertRouteReport {
  readonly route: string;
  readonly isDead: boolean;
  /** Why it is dead. */
  readonly reason?: string;
}

/** Units that saw two variants. */
export interface CrossingReport {
  readonly share: number;
  /** Of "all arms cross alike"; absent where nobody, or everybody, did. */
  readonly pValue?: number;
  readonly isUnhealthy: boolean;
}

export interface SampleRatioReport {
  /** Chi-square at this one look. */
  readonly pValue?: number;
  /** Valid however often it is looked at: 1 / the largest evidence so far. */
  readonly anytimePValue?: number;
  readonly isMismatched: boolean;
  readonly sentence: string;
  /** Segments in which it is mismatched, by Holm: where to look for the cause. */
  readonly segments: readonly string[];
}

export interface LossReport {
  /** `skewed-assignment`: the split is not as designed. `skewed-loss`: losing exposures depends on the arm. */
  readonly verdict: "even" | "skewed-assignment" | "skewed-loss" | "skewed-both" | "unknown";
  readonly arms: readonly {
    readonly variant: VariantName;
    readonly produced: number;
    readonly stored: number;
    readonly dropped: number;
    readonly lost: number;
    readonly inFlight: number;
  }[];
}

export interface ArmReport {
  readonly variant: VariantName;
  readonly units: number;
  /** Units that saw another variant too; they stay in the one they met first. */
  readonly crossed: number;
  /** Of the units of all arms. */
  readonly share: number;
  /** By design over all phases, weighted by their units; absent where no phase says so. */
  readonly designedShare?: number;
}

export interface MetricResult {
  readonly metric: MetricKey;
  readonly version: number;
  readonly role: "primary" | "secondary" | "guardrail";
  readonly kind: MetricKind;
  readonly good: "increase" | "decrease";
  readonly arms: readonly ArmValue[];
  readonly comparisons: readonly Comparison[];
}

/** What a variant is worth. `units` are those that count: in a retention only those whose window is over. */
export interface ArmValue {
  readonly variant: VariantName;
  readonly units: number;
  readonly value: Stated<{ readonly value: number }>;
}

/** One treatment beside the control. */
export interface Comparison {
  readonly treatment: VariantName;
  /** How it was computed: the test, and what it was adjusted by. */
  readonly method: string;
  /** In the unit of the metric. */
  readonly absolute: Stated<StatedEffect>;
  /** As a share of control. */
  readonly relative: Stated<StatedEffect>;
  /** The relative effect pulled toward what experiments here have shown before. */
  readonly shrunken: Stated<{ readonly value: number; readonly interval: StatedInterval; readonly kept: number }>;
  /** Variance that the covariate left; absent without one. */
  readonly varianceRatio?: number;
  readonly sequential: Stated<SequentialReport>;
  /** Of a guardrail. */
  readonly nonInferiority?: Stated<NonInferiorityReport>;
  readonly isImproved: boolean;
  readonly isDeteriorated: boolean;
  /** By day, the relative effect as it had added up by then; of a quantile as the looks found it, so of primary metrics only. */
  readonly series: readonly SeriesPoint[];
}

/** Valid under constant looking. */
export interface SequentialReport {
  /** Of the relative effect; holds the truth at all looks together. */
  readonly interval: StatedInterval;
  readonly anytimePValue: number;
  /** Which ledgers have rejected "no effect", at any look so far or now. */
  readonly rejectedBy: readonly ("plan" | "sequence")[];
}

export interface NonInferiorityReport {
  /** `count`: exact, by the arms of rare failures alone. `sequence`: by the size of the effect. */
  readonly method: "count" | "sequence";
  /** How much worse it may be, as a share of control. */
  readonly tolerance: number;
  readonly anytimePValue: number;
  readonly isNonInferior: boolean;
}

export interface SeriesPoint {
  /** 2026-11-22, UTC. */
  readonly day: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface SegmentResult {
  readonly attribute: AttributePath;
  /** Its value as text; `""` for units without. `(other)`: all values together but the twenty that most units have. */
  readonly value: string;
  readonly metric: MetricKey;
  readonly treatment: VariantName;
  readonly units: number;
  readonly relative: Stated<StatedEffect>;
  /** By Holm over all segments, primary metrics and treatments. */
  readonly adjustedP?: number;
}

/** Whether another running experiment changes this one's effect on a metric. */
export interface InteractionResult {
  readonly experiment: ExperimentKey;
  readonly metric: MetricKey;
  /** Treatment of this one and of the other. */
  readonly treatments: readonly [VariantName, VariantName];
  readonly units: number;
  /** Effect with the other's treatment less that without, in the unit of the metric. */
  readonly effect: Stated<StatedEffect>;
  readonly adjustedP?: number;
  /** What this pair could have found with 80 % power. */
  readonly smallestDetectable?: number;
}

/** All pairs of the experiments that run in an environment, by one metric. */
export interface InteractionScreenReport {
  readonly environment: string;
  readonly metric: MetricKey;
  /** RFC 3339. */
  readonly at: string;
  readonly lagMs: number;
  readonly experiments: readonly ExperimentKey[];
  /** A row for each two treatments, in the order of the experiments. */
  readonly pairs: readonly ScreenedInteraction[];
}

export interface ScreenedInteraction {
  readonly experiments: readonly [ExperimentKey, ExperimentKey];
  readonly treatments: readonly [VariantName, VariantName];
  /** Units in both. */
  readonly units: number;
  /** Effect of the first with the second's treatment less that without, in the unit of the metric. */
  readonly effect: Stated<StatedEffect>;
  /** By Benjamini and Hochberg over all rows that could be tested. */
  readonly adjustedP?: number;
  /** What this pair could have found with 80 % power. */
  readonly smallestDetectable?: number;
}

/** What shipped did together to one metric: all units beside those that were kept out. */
export interface HoldoutReport {
  readonly holdout: string;
  readonly environment: string;
  readonly metric: MetricKey;
  readonly version: number;
  /** Units count from when they were first seen after it; RFC 3339. */
  readonly from: string;
  readonly at: string;
  readonly lagMs: number;
  readonly heldOut: HoldoutArm;
  readonly rest: HoldoutArm;
  /** Whether as many were seen on either side as the share says: fewer, and what shipped changed who comes at all. */
  readonly sampleRatio: Stated<{ readonly pValue: number; readonly isMismatched: boolean }>;
  /** The rest less those held out, in the unit of the metric and as a share of the held-out value. */
  readonly absolute: Stated<StatedEffect>;
  readonly relative: Stated<StatedEffect>;
}

export interface HoldoutArm {
  readonly units: number;
  readonly value: Stated<{ readonly value: number }>;
}

/** What the experiments that shipped add up to, by one primary metric, as a share of control. */
export interface CumulativeReport {
  readonly environment: string;
  readonly metric: MetricKey;
  readonly at: string;
  readonly prior: ExperimentResults["prior"];
  /** In the order of their decisions. */
  readonly shipped: readonly ShippedEffect[];
  /** Shipped, and measured by this metric, but never looked at: in no sum. */
  readonly unmeasured: readonly ExperimentKey[];
  /** Of the effects as they were measured: too large where only winners ship. */
  readonly raw: number;
  /** Of the shrunken effects: right on average, and what a holdout should show. */
  readonly total: { readonly value: number; readonly interval: StatedInterval };
  /** Where one was asked for. */
  readonly holdout?: HoldoutReport;
}

export interface ShippedEffect {
  readonly experiment: ExperimentKey;
  readonly variant: VariantName;
  readonly decidedAt: string;
  readonly isAgainstAdvice: boolean;
  /** By its last look. */
  readonly effect: number;
  readonly standardError: number;
  readonly shrunken: number;
}

export interface ProgressReport {
  readonly metric: MetricKey;
  readonly treatment: VariantName;
  /** Information so far over the planned; absent without a plan. */
  readonly fraction?: number;
  /** Half the width of the relative interval of this look. */
  readonly precision?: number;
  readonly daysLeft?: number;
}

export interface PredictionReport {
  readonly metric: MetricKey;
  readonly treatment: VariantName;
  readonly predicted: { readonly mean: number; readonly interval: StatedInterval };
  readonly actual: Stated<{ readonly value: number }>;
  readonly score: Stated<{ readonly intervalScore: number; readonly crps: number; readonly covered: boolean }>;
}

/** One metric with and without a stretch in which something else was wrong. */
export interface IncidentReport {
  readonly incident: string;
  readonly reason: string;
  readonly metric: MetricKey;
  readonly treatment: VariantName;
  /** Everybody. */
  readonly with: Stated<StatedEffect>;
  /** Only units first exposed outside of it; of those before it nothing after its beginning counts. */
  readonly without: Stated<StatedEffect>;
  /** Effect on units first exposed in it less that on the others. */
  readonly interaction: Stated<StatedEffect>;
}
