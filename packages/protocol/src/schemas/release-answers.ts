import { Type } from "@sinclair/typebox";
import type {
  DrillRecord,
  Freeze,
  FreezeWindow,
  Guardrail,
  GuardrailState,
  Release,
  ReleaseApproval,
  ReleaseArm,
  ReleaseEpoch,
  ReleaseEvidence,
  ReleaseTemplate,
  ReleaseTrigger,
  ReleaseTriggerCreated,
  Suspect,
  Witnessed,
} from "../release.ts";
import { RoleSchema } from "./api.ts";
import { PredictionSchema } from "./experiment.ts";
import { closed, count, number, optionalText, optionalTime, revision, text, time } from "./fields.ts";
import { DrawSchema, oneOf } from "./flag.ts";
import { GuardrailMeasureSchema, StageSchema } from "./release.ts";
import { LessonSchema, PropagationSchema, ReleaseReasonSchema } from "./release-log.ts";
import type { Schema } from "./schema.ts";

/** What the doors of a release answer, closed: see `answers.ts`. */

const GuardrailStateSchema: Schema<GuardrailState> = Type.Object(
  {
    metric: text,
    verdict: oneOf<GuardrailState["verdict"]>(["quiet", "pause", "rollback"]),
    logEvidence: Type.Number({ description: "ln of the evidence of harm" }),
    isNonInferior: Type.Optional(Type.Boolean()),
    daysToTell: Type.Optional(Type.Number({ minimum: 0 })),
    lastEventAt: optionalTime,
    treatment: optionalText,
  },
  closed,
);

/** A list that is whole: no page follows. */
export const GuardrailStatesSchema: Schema<{ readonly items: readonly GuardrailState[] }> = Type.Object(
  { items: Type.Array(GuardrailStateSchema) },
  closed,
);

const GuardrailSchema: Schema<Guardrail> = Type.Object(
  {
    metric: text,
    measure: GuardrailMeasureSchema,
    harm: oneOf<Guardrail["harm"]>(["increase", "decrease"]),
    tolerance: Type.Optional(number),
    margin: number,
    onBreach: oneOf<Guardrail["onBreach"]>(["rollback", "hold", "warn"]),
    dryRun: Type.Optional(Type.Boolean()),
    staleAfterS: count,
    metricVersion: Type.Optional(Type.Integer({ minimum: 1 })),
  },
  closed,
);

const ladder = {
  description: text,
  stages: Type.Array(StageSchema),
  guardrails: Type.Array(GuardrailSchema),
  alertRoutes: Type.Array(text),
};

export const ReleaseTemplateSchema: Schema<ReleaseTemplate> = Type.Object(
  { project: text, key: text, ...ladder, revision },
  closed,
);

const witnessed = { at: time, by: text };
const WitnessedSchema: Schema<Witnessed> = Type.Object(witnessed, closed);

export const DrillRecordSchema: Schema<DrillRecord> = Type.Object(
  { ...witnessed, environment: text, passed: Type.Boolean(), off: PropagationSchema, on: PropagationSchema },
  closed,
);

const EvidenceSchema: Schema<ReleaseEvidence> = Type.Object(
  {
    drill: Type.Optional(DrillRecordSchema),
    alertsTested: Type.Optional(Type.Record(Type.String(), time, { description: "By alert route" })),
    runbookTried: Type.Optional(WitnessedSchema),
    noteSent: Type.Optional(WitnessedSchema),
    power: Type.Optional(Type.Object({ ...witnessed, days: number }, closed)),
  },
  closed,
);

const EpochSchema: Schema<ReleaseEpoch> = Type.Object({ stage: count, from: time, percentage: number, revision: count }, closed);

const ArmSchema: Schema<ReleaseArm> = Type.Object({ variant: text, draws: Type.Array(DrawSchema) }, closed);

const ApprovalSchema: Schema<ReleaseApproval> = Type.Object({ stage: count, role: RoleSchema, by: text, at: time }, closed);

const STATES: readonly Release["state"][] = [
  "draft",
  "ready",
  "ramping",
  "holding",
  "full",
  "done",
  "rolling-back",
  "rolled-back",
  "aborted",
];

export const ReleaseStateSchema: Schema<Release["state"]> = oneOf(STATES);

export const ReleaseSchema: Schema<Release> = Type.Object(
  {
    project: text,
    environment: text,
    key: text,
    flag: text,
    variant: text,
    experiment: optionalText,
    arms: Type.Optional(Type.Array(ArmSchema)),
    state: ReleaseStateSchema,
    control: optionalText,
    heldBy: optionalText,
    stage: Type.Optional(count),
    ...ladder,
    predictions: Type.Array(PredictionSchema),
    segments: Type.Optional(Type.Array(text)),
    contacts: Type.Optional(Type.Object({ owner: text, onCall: text }, closed)),
    holdoutPercentage: number,
    drillMaxAgeDays: number,
    lossMax: number,
    powerHorizonDays: number,
    epochs: Type.Array(EpochSchema),
    reasons: Type.Array(ReleaseReasonSchema),
    approvals: Type.Array(ApprovalSchema),
    evidence: EvidenceSchema,
    predictionHash: optionalText,
    rollback: Type.Optional(PropagationSchema),
    lessons: Type.Optional(Type.Array(LessonSchema)),
    author: text,
    createdAt: time,
    startedAt: optionalTime,
    endedAt: optionalTime,
    revision,
  },
  closed,
);

const trigger = {
  id: text,
  release: text,
  guardrail: text,
  path: Type.String({ description: "Below the server's address, for POST" }),
  createdAt: time,
};

const TriggerSchema: Schema<ReleaseTrigger> = Type.Object(trigger, closed);

/** All of a release: no page follows. */
export const ReleaseTriggersSchema: Schema<{ readonly items: readonly ReleaseTrigger[] }> = Type.Object(
  { items: Type.Array(TriggerSchema) },
  closed,
);

export const ReleaseTriggerCreatedSchema: Schema<ReleaseTriggerCreated> = Type.Object(
  { ...trigger, secret: Type.Optional(Type.String({ description: "Shown once; left out when a request is repeated" })) },
  closed,
);

const FreezeWindowSchema: Schema<FreezeWindow> = Type.Object(
  { from: time, to: optionalTime, reason: text, by: text, byId: optionalText, endedBy: optionalText },
  closed,
);

export const FreezeSchema: Schema<Freeze> = Type.Object(
  {
    project: text,
    active: Type.Boolean(),
    windows: Type.Array(FreezeWindowSchema),
    secondPerson: Type.Boolean(),
    revision,
  },
  closed,
);

const SuspectSchema: Schema<Suspect> = Type.Object(
  {
    environment: text,
    release: text,
    flag: text,
    percentage: Type.Number({ minimum: 0, maximum: 100 }),
    raisedAt: time,
    weight: Type.Number({ minimum: 0 }),
  },
  closed,
);

/** All of them: no page follows. */
export const SuspectsSchema: Schema<{ readonly items: readonly Suspect[] }> = Type.Object(
  { items: Type.Array(SuspectSchema) },
  closed,
);
