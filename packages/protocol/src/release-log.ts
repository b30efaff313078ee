/**
 * What one release did, written by itself: who moved it and why, what its guardrails saw, what its gates were answered with, and
 * what it came to. Made of the change log and of raw events as of one moment; asked again for the same moment it is the same.
 */
import type { ExperimentKey, Prediction } from "./experiment.ts";
import type { MetricKey, PropertyFilter } from "./metric.ts";
import type { AttributePath, FlagKey, VariantName } from "./names.ts";
import type { GateId, Guardrail, Lesson, Propagation, ReleaseReason, ReleaseState } from "./release.ts";
import type { Stated, StatedEffect } from "./results.ts";

export interface ReleaseLog {
  readonly project: string;
  readonly environment: string;
  readonly release: string;
  readonly flag: FlagKey;
  /** Of an experiment its first treatment. */
  readonly variant: VariantName;
  /** The experiment it ramped; absent: a plain flag. */
  readonly experiment?: ExperimentKey;
  /** What everybody else got; of an experiment its control. Absent before the start. */
  readonly control?: VariantName;
  readonly description: string;
  readonly author: string;
  readonly state: ReleaseState;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** The moment it is of: what came later is not in it. Fifteen minutes after the end, once those are over. */
  readonly at: string;
  /** Age of the oldest acknowledged event that may be missing; 0 when none is. */
  readonly lagMs: number;
  /** Servers that keep events of the environment which are not in it. Empty where all servers share one event store. */
  readonly notCounted: readonly string[];
  readonly timeline: readonly ReleaseMove[];
  readonly exposure: readonly ExposureStretch[];
  readonly gates: readonly GateAnswer[];
  readonly guardrails: readonly GuardrailRecord[];
  /** What guardrails counted among exposed units, by what those units are. */
  readonly segments: readonly SegmentRecord[];
  /** Whether what else was live changed what the release did to failures: all pairs that share units. */
  readonly interference: readonly InterferenceRecord[];
  /** Share of the exposed units that segments and interference are told of, chosen at random; 1 up to 100,000 units. */
  readonly unitsShare: number;
  readonly incidents: readonly LoggedIncident[];
  /** Releases and experiments that were live in the environment at the same time. */
  readonly alongside: readonly Neighbour[];
  /** The last rollback with its receipts. */
  readonly rollback?: Propagation;
  readonly predictions: readonly PredictionRecord[];
  /** SHA-256 of the predictions as they were at the start, base64url. */
  readonly predictionHash?: string;
  readonly latencies: ReleaseLatencies;
  /** What the record itself says could be done better. */
  readonly advice: readonly Improvement[];
  /** What people say it taught. */
  readonly lessons: readonly Lesson[];
}

/** One change of the release, or of its flag by others while it was live. */
export interface ReleaseMove {
  /** Id of the change in the audit log. */
  readonly change: number;
  readonly at: string;
  readonly by: string;
  readonly action: string;
  /** As whoever decided it said. */
  readonly reason?: string;
  /** After it; absent of the flag's own changes. */
  readonly state?: ReleaseState;
  readonly stage?: number;
  /** Why the release stood still or went back, as it stated itself. */
  readonly because: readonly ReleaseReason[];
}

/** A stretch of time in which one share got the variant, or was in the experiment. */
export interface ExposureStretch {
  readonly from: string;
  /** Absent: it goes on. */
  readonly to?: string;
  readonly percentage: number;
  /** Id of the change that began it. */
  readonly change: number;
  /** Units whose first exposure of this release was received in it; of an experiment those of all treatments. */
  readonly treated: number;
  readonly control: number;
}

/** What a gate was answered with when its stage was left. */
export interface GateAnswer {
  readonly gate: GateId;
  readonly stage: number;
  readonly at: string;
  /** Who left the stage: a person, or the release itself. */
  readonly by: string;
  /** What the record has, one statement each; empty where nothing answered it. */
  readonly evidence: readonly string[];
}

export interface GuardrailRecord extends Pick<Guardrail, "metric" | "harm" | "margin" | "onBreach"> {
  readonly event: string;
  /** Which of those events it counted; absent: all of them. */
  readonly filters?: readonly PropertyFilter[];
  /** Property that held the value. */
  readonly valueProperty?: string;
  /** Of an experiment: which treatment is compared with control, one record each. */
  readonly treatment?: VariantName;
  readonly kind: "failures" | "values";
  readonly tolerance: number;
  readonly isDryRun: boolean;
  /** Evidence as it was judged: at every hour with news, at every change of the share, and when its verdict changed. */
  readonly looks: readonly GuardrailLook[];
  /** Units by the share they were counted under: the first event of each. */
  readonly strata: readonly GuardrailStratum[];
  /** As a share of control, over all shares, at 95 %, as if this were the only look. */
  readonly effect: Stated<StatedEffect>;
}

export interface GuardrailLook {
  /** When the last event that is in it was received. */
  readonly at: string;
  readonly percentage: number;
  /** Units counted since the start. */
  readonly treated: number;
  readonly control: number;
  readonly logEvidence: number;
  readonly verdict: "quiet" | "pause" | "rollback";
  readonly isNonInferior?: boolean;
  /** Days from then until that could be expected at the stage's pace, if nothing was wrong. */
  readonly daysToTell?: number;
}

export interface GuardrailStratum {
  readonly percentage: number;
  readonly treated: CountedUnits;
  readonly control: CountedUnits;
}

export interface CountedUnits {
  readonly units: number;
  /** Of `values`: their mean, capped. */
  readonly mean?: number;
}

/** What one guardrail counted among the units of a segment: those whose first exposure had this value of an attribute. */
export interface SegmentRecord {
  readonly attribute: AttributePath;
  /** As text; `""` for units without. `(other)`: all values together but the twenty that most units have. */
  readonly value: string;
  readonly metric: MetricKey;
  /** Of an experiment: which treatment is compared with control. */
  readonly treatment?: VariantName;
  readonly treated: SegmentUnits;
  readonly control: SegmentUnits;
  /** As a share of control, within the stages in which units were first exposed, at 95 %. */
  readonly effect: Stated<StatedEffect>;
  /** By Holm over all segments, guardrails and treatments. */
  readonly adjustedP?: number;
}

/** Units first exposed, and those of them that the guardrail counted after it, in the arm they were exposed to. */
export interface SegmentUnits {
  readonly units: number;
  readonly counted: number;
  /** Of `values`: their mean, capped. */
  readonly mean?: number;
}

/** Units of this release that were also in a treatment or the control of something else. */
export interface InterferenceRecord extends Pick<Neighbour, "kind" | "key"> {
  /** Of the guardrail whose events are compared. */
  readonly metric: MetricKey;
  /** Treatment of the other. */
  readonly treatment: VariantName;
  /** Of an experiment that is ramped: its own. */
  readonly ownTreatment?: VariantName;
  readonly cells: PairCells;
  /** Effect on the share of units with the event, with the other's treatment less that without. */
  readonly effect: Stated<StatedEffect>;
  /** By Benjamini and Hochberg over all pairs of the log. */
  readonly adjustedP?: number;
  /** What the pair could have found with 80 % power. */
  readonly smallestDetectable?: number;
}

/** Units exposed to both, by their arms, `c` control and `t` treatment, this one's first; with the event after both: `counted`. */
export interface PairCells {
  readonly cc: SegmentUnits;
  readonly ct: SegmentUnits;
  readonly tc: SegmentUnits;
  readonly tt: SegmentUnits;
}

export interface LoggedIncident {
  readonly incident: string;
  readonly reason: string;
  readonly from: string;
  readonly to?: string;
}

export interface Neighbour {
  readonly kind: "release" | "experiment";
  readonly key: string;
  readonly from: string;
  readonly to?: string;
}

export interface PredictionRecord extends Prediction {
  /** As a share of control. */
  readonly actual: Stated<{ readonly value: number }>;
  readonly score: Stated<{ readonly intervalScore: number; readonly crps: number; readonly covered: boolean }>;
}

/** What came of a prediction, as it was written down once the release was over. */
export type PredictionOutcome = Omit<PredictionRecord, "score">;

/** How long decisions took, in milliseconds; absent where one of the two moments did not come. */
export interface ReleaseLatencies {
  readonly draftedToStarted?: number;
  /** Until a guardrail first said something: no worse than its margin, or harm. */
  readonly startedToFirstResult?: number;
  readonly startedToFull?: number;
  /** From the acknowledgement of the deciding batch. */
  readonly detectedToDecided?: number;
  /** Until every instance had acknowledged the rollback. */
  readonly decidedToOff?: number;
  readonly holding: number;
  readonly stages: readonly StageLatency[];
}

export interface StageLatency {
  readonly stage: number;
  readonly name: string;
  readonly percentage: number;
  readonly from: string;
  readonly to?: string;
  readonly stayed: number;
  /** Beyond the stage's own minimum. */
  readonly waited: number;
}

/** Something the record shows that could be better, as a code and in words. */
export interface Improvement {
  readonly code:
    | "found-late"
    | "found-by-people"
    | "laggards"
    | "no-instances"
    | "no-drill"
    | "no-prediction"
    | "prediction-missed"
    | "runbook-untried"
    | "stood-without-data"
    | "stage-waited"
    | "never-shown-harmless"
    | "incident-overlapped"
    | "segment-worse"
    | "interference";
  readonly subject?: string;
  readonly text: string;
}

/** What records of a project are signed with. */
export interface SigningKey {
  readonly id: string;
  readonly algorithm: "ed25519";
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string;
  readonly createdAt: string;
  /** When it was replaced; what it signed before stays good. */
  readonly retiredAt?: string;
}
