/**
 * A release moves one variant of one flag in one environment from nobody to everybody, in stages, while it is watched; or
 * it ramps a running experiment: its stages raise the share of units that are in it, and nobody changes arm.
 *
 *   draft -> ready -> ramping <-> holding -> full -> done
 *                        └──────────┴──────────┴──> rolling-back -> rolled-back
 *   any of them before done ──────────────────────> aborted
 */
import type { Reasoned, Role } from "./api.ts";
import type { ExperimentKey, Prediction } from "./experiment.ts";
import type { Draw } from "./flag.ts";
import type { MetricKey, PropertyFilter } from "./metric.ts";
import type { AttributePath, FlagKey, Revision, SegmentKey, VariantName } from "./names.ts";

export type ReleaseState =
  | "draft"
  | "ready"
  | "ramping"
  | "holding"
  | "full"
  | "done"
  | "rolling-back"
  | "rolled-back"
  | "aborted";

/** A question that must be answered by evidence before a stage is left. What each one asks: `docs/releases.md`. */
export type GateId = "rollback-readiness" | "monitoring" | "learning" | "team" | "impact" | "non-inferiority";

/** A step of the ladder. */
export interface Stage {
  readonly name: string;
  /**
   * Share of the flag's space that gets the variant, or is in the experiment, 0 to 100 with at most 4 decimals; never below the
   * stage before.
   */
  readonly percentage: number;
  /**
   * A segment that gets the variant whole, from this stage on; the percentage is for everybody else. Of an experiment each of them
   * gets the arm it would have, and is not recorded.
   */
  readonly audience?: SegmentKey;
  /** What must have happened in this stage before it is left. */
  readonly hold: StageHold;
  /** Gates that must be open before this stage is left. */
  readonly gates: readonly GateId[];
}

export interface StageHold {
  readonly minDurationS: number;
  /** Treated units first exposed in this stage. */
  readonly minUnits?: number;
  /** One approval by somebody of each of these roles, or of a higher one; nobody counts twice. */
  readonly approval?: readonly Role[];
}

/**
 * How a guardrail is counted as events arrive. Every measure counts a unit once, so an event that comes again changes nothing.
 * `filters` choose among the events of the name, as those of a metric do: all must hold.
 */
export type GuardrailMeasure =
  /** Units that had the event at all: their first one counts. For what is rare: errors, complaints, sign-ups. */
  | { readonly kind: "failures"; readonly event: string; readonly filters?: readonly PropertyFilter[] }
  /**
   * The value of each unit's first event with one: latency, size of an order. `cap` bounds it from above; `scale` is the size of
   * harm that should be found soonest, in the unit of the value. Both are fixed before the start.
   */
  | {
      readonly kind: "values";
      readonly event: string;
      readonly filters?: readonly PropertyFilter[];
      /** Property that holds the value; the event's own `value` when absent. */
      readonly valueProperty?: string;
      readonly cap: number;
      readonly scale: number;
    };

/** A metric that may not get worse. */
export interface Guardrail {
  readonly metric: MetricKey;
  readonly measure: GuardrailMeasure;
  readonly harm: "increase" | "decrease";
  /** Change for the worse that is no harm yet: rate ratio - 1 of failures, the unit of the value for values. 0 when absent. */
  readonly tolerance?: number;
  /** Change for the worse with which a stage may still be left; above 0, in the same unit. */
  readonly margin: number;
  readonly onBreach: "rollback" | "hold" | "warn";
  /** Judges and reports, and moves nothing. */
  readonly dryRun?: boolean;
  /** Without an event for so long its data counts as missing. */
  readonly staleAfterS: number;
  /** Version of the project's metric that it was taken from; absent where it says itself what it counts. */
  readonly metricVersion?: number;
}

/**
 * A guardrail as people write it. What is left out of `measure`, `harm` and `margin` is taken from the project's metric of that
 * key, as it is then: a proportion counts units with its events, a mean the first value of each.
 */
export interface GuardrailDraft extends Omit<Guardrail, "measure" | "harm" | "margin"> {
  readonly measure?: GuardrailMeasure;
  readonly harm?: Guardrail["harm"];
  readonly margin?: number;
  /** For a metric that is a mean, as in `measure`: the size of harm that should be found soonest. */
  readonly scale?: number;
}

/** A ladder as people write it. */
export interface ReleasePlanDraft extends Partial<Omit<ReleasePlanFields, "guardrails">> {
  readonly guardrails?: readonly GuardrailDraft[];
}

export interface ReleaseContacts {
  readonly owner: string;
  readonly onCall: string;
}

/** Why a release stays where it is, went back, or may not start: a code a machine can read, with what it is about. */
export interface ReleaseReason {
  readonly code: ReleaseReasonCode;
  /** The gate, guardrail, role, instance or event meant. */
  readonly subject?: string;
  /** Of a guardrail of an experiment: the treatment that is worse than control. */
  readonly treatment?: VariantName;
  readonly have?: number;
  readonly need?: number;
}

export type ReleaseReasonCode =
  // Waiting: nothing is wrong.
  | "min-duration"
  | "min-units"
  | "approval-missing"
  // Gates.
  | "drill-missing"
  | "drill-stale"
  | "drill-failed"
  | "alert-route-untested"
  | "guardrail-silent"
  | "exposures-silent"
  | "metrics-silent"
  | "loss-unknown"
  | "loss-too-high"
  | "power-unknown"
  | "power-out-of-reach"
  | "contact-missing"
  | "runbook-untried"
  | "prediction-missing"
  | "note-missing"
  | "not-yet-non-inferior"
  // Something is wrong.
  | "frozen"
  | "held-by-person"
  | "guardrail-pause"
  | "guardrail-breach"
  | "sample-ratio-mismatch"
  | "data-missing"
  | "exposure-moved"
  // Ends.
  | "rolled-back-by-person"
  | "external-trigger";

/** Times of evidence a person or a drill gave, RFC 3339; absent: not given. */
export interface ReleaseEvidence {
  readonly drill?: DrillRecord;
  /** When a test alert last reached each route, by its text. */
  readonly alertsTested?: { readonly [route: string]: string };
  /** Somebody other than the release's author followed the runbook. */
  readonly runbookTried?: Witnessed;
  /** Stakeholders were told what to expect. */
  readonly noteSent?: Witnessed;
  /** Days of data until the effects that matter can be told from chance. */
  readonly power?: Witnessed & { readonly days: number };
}

export interface Witnessed {
  readonly at: string;
  /** Id of the token that said so. */
  readonly by: string;
}

export interface DrillRecord extends Witnessed {
  readonly environment: string;
  /** Did every instance acknowledge both switches, and is the content the one from before? */
  readonly passed: boolean;
  readonly off: Propagation;
  readonly on: Propagation;
}

/** How a change reached the instances that ran when it was made. Milliseconds count from `decidedAt`. */
export interface Propagation {
  readonly revision: Revision;
  /** When the event that decided it was acknowledged; absent when no event did. */
  readonly detectedAt?: string;
  readonly decidedAt: string;
  readonly publishedAt: string;
  readonly instances: number;
  readonly acknowledged: number;
  readonly ms50?: number;
  readonly ms95?: number;
  readonly ms100?: number;
  /** Ids of instances that did not acknowledge it. */
  readonly laggards: readonly string[];
}

/** How a guardrail of a live release stands. */
export interface GuardrailState {
  readonly metric: MetricKey;
  readonly verdict: "quiet" | "pause" | "rollback";
  /** Natural logarithm of the evidence of harm: ln 20 holds the release, ln (100 x guardrails) takes it back. */
  readonly logEvidence: number;
  /** Is it shown to be no worse than its margin at this stage's share? Absent: it cannot be told yet. */
  readonly isNonInferior?: boolean;
  /** Days until that can be expected at the stage's pace, if nothing is wrong; absent: it cannot be told yet, or is out of reach. */
  readonly daysToTell?: number;
  readonly lastEventAt?: string;
  /** Of an experiment: the treatment with most evidence of harm, which is the one the figures are of. */
  readonly treatment?: VariantName;
}

export interface ReleaseApproval {
  readonly stage: number;
  readonly role: Role;
  readonly by: string;
  readonly at: string;
}

/** What a release taught, as people say it. */
export interface Lesson {
  readonly at: string;
  /** Name of whoever said so. */
  readonly by: string;
  readonly taught: string;
  /** What to do otherwise next time. */
  readonly better?: string;
}

export interface LessonDraft extends Reasoned {
  readonly taught: string;
  readonly better?: string;
}

/** A stretch of time with one share: what guardrails and receipts are counted by. */
export interface ReleaseEpoch {
  readonly stage: number;
  readonly from: string;
  readonly percentage: number;
  /** Revision of the environment that began it: the epoch of its exposures. */
  readonly revision: Revision;
}

/** One part of an experiment's split that a release ramps: who gets the variant of those whom the share lets in. */
export interface ReleaseArm {
  readonly variant: VariantName;
  /** Without that of the share. */
  readonly draws: readonly Draw[];
}

/** What people write of a release. */
export interface ReleasePlanFields {
  readonly description: string;
  readonly stages: readonly Stage[];
  readonly guardrails: readonly Guardrail[];
  /** Where alarms go, as for an experiment: `mailto:team@example.org`, `slack:#channel`, `webhook:<id>`, `https://...`. */
  readonly alertRoutes: readonly string[];
  /** What it is expected to do to metrics, as shares of control; frozen and hashed at the start. */
  readonly predictions: readonly Prediction[];
  /** Attributes of exposures by which its log shows effects apart; absent: those of the experiment it ramps, or none. */
  readonly segments?: readonly AttributePath[];
  readonly contacts?: ReleaseContacts;
  /** Share that is kept out for as long as the release lives, 0 to 50: the last stage stops short of it. 0 for an experiment. */
  readonly holdoutPercentage: number;
  /** A drill older than this is none. */
  readonly drillMaxAgeDays: number;
  /** Of the exposures made, the share that may be lost. */
  readonly lossMax: number;
  /** Power must be within reach in so many days. */
  readonly powerHorizonDays: number;
}

export interface Release extends ReleasePlanFields {
  readonly project: string;
  readonly environment: string;
  readonly key: string;
  readonly flag: FlagKey;
  /** What it raises; of an experiment its first treatment, `arms` has all of them. */
  readonly variant: VariantName;
  /** The experiment it ramps; absent: a plain flag. */
  readonly experiment?: ExperimentKey;
  /** Of an experiment, as its split was at the start. The control arm may be in several parts, as any other. */
  readonly arms?: readonly ReleaseArm[];
  readonly state: ReleaseState;
  /** What everybody else gets: the flag's fallthrough at the start; of an experiment its control. */
  readonly control?: VariantName;
  /** Name of whoever told it to hold. */
  readonly heldBy?: string;
  /** Index of the stage it stands on; absent before the start. */
  readonly stage?: number;
  readonly epochs: readonly ReleaseEpoch[];
  /** Why it stands still, went back or ended. Empty while it climbs. */
  readonly reasons: readonly ReleaseReason[];
  readonly approvals: readonly ReleaseApproval[];
  readonly evidence: ReleaseEvidence;
  /** SHA-256 of the predictions as they were at the start, base64url. */
  readonly predictionHash?: string;
  readonly rollback?: Propagation;
  /** Oldest first; absent: nobody said anything yet. */
  readonly lessons?: readonly Lesson[];
  readonly author: string;
  readonly createdAt: string;
  readonly startedAt?: string;
  readonly endedAt?: string;
  /** Revision of the environment at which it last changed: its ETag. */
  readonly revision: Revision;
}

/** What may be left out is taken from the default ladder. */
export interface ReleaseCreation extends Reasoned, ReleasePlanDraft {
  readonly key: string;
  /** Either a flag or an experiment. */
  readonly flag?: FlagKey;
  /** The experiment to ramp, in the same environment; its flag is moved. */
  readonly experiment?: ExperimentKey;
  /** Of a flag: the true variant of a boolean one when absent. */
  readonly variant?: VariantName;
  /** The segment of the default ladder's first stage; without it the ladder begins at 1 %. */
  readonly internal?: SegmentKey;
  /** A ladder of the project to begin with; what is given beside it takes its place. */
  readonly template?: string;
}

/** A ladder that a project uses again, with what usually goes with it. */
export interface ReleaseTemplate {
  readonly project: string;
  readonly key: string;
  readonly description: string;
  readonly stages: readonly Stage[];
  readonly guardrails: readonly Guardrail[];
  readonly alertRoutes: readonly string[];
  readonly revision: Revision;
}

export interface ReleaseTemplateDraft extends Reasoned {
  readonly description?: string;
  readonly stages: readonly Stage[];
  readonly guardrails?: readonly GuardrailDraft[];
  readonly alertRoutes?: readonly string[];
}

/** An address that a monitoring tool calls to trip one guardrail of a release. */
export interface ReleaseTrigger {
  readonly id: string;
  readonly release: string;
  readonly guardrail: string;
  /** Path below the server's address, for POST. */
  readonly path: string;
  readonly createdAt: string;
}

/** With the secret to sign with: shown once. A repeated request with the same Idempotency-Key omits it. */
export interface ReleaseTriggerCreated extends ReleaseTrigger {
  readonly secret?: string;
}

export interface ReleaseTriggerCreation extends Reasoned {
  readonly guardrail: string;
}

export interface ReleaseEdit extends Reasoned, ReleasePlanDraft {}

/** Moves a release one stage on before the scheduler would. Only an admin may override closed gates, and says why. */
export interface AdvanceDraft extends Reasoned {
  readonly override?: boolean;
}

/** Evidence that people give. */
export interface EvidenceDraft extends Reasoned {
  readonly kind: "alert-tested" | "runbook-tried" | "note-sent" | "power";
  /** The alert route that a test alert reached. */
  readonly route?: string;
  /** For `power`. */
  readonly days?: number;
}

/** Crisis mode of a project. */
export interface Freeze {
  readonly project: string;
  readonly active: boolean;
  /** Every time it was on, oldest first; the last one is open while it is active. */
  readonly windows: readonly FreezeWindow[];
  /** Whoever entered a freeze may not leave it alone. */
  readonly secondPerson: boolean;
  readonly revision: Revision;
}

export interface FreezeWindow {
  readonly from: string;
  readonly to?: string;
  readonly reason: string;
  readonly by: string;
  /** Id of the token of whoever entered it. */
  readonly byId?: string;
  readonly endedBy?: string;
}

export interface FreezeDraft {
  readonly reason: string;
}

/** Which releases, live or done, that raised exposure at or after a moment go back; all of them when `releases` is absent. */
export interface RollbackSinceDraft extends Reasoned {
  readonly since: string;
  readonly releases?: readonly string[];
}

/** A release, live or done, that raised exposure lately, most suspect first. */
export interface Suspect {
  readonly environment: string;
  readonly release: string;
  readonly flag: FlagKey;
  readonly percentage: number;
  readonly raisedAt: string;
  /** Share exposed x recency: 1 for everybody a moment ago, halved every hour. */
  readonly weight: number;
}
