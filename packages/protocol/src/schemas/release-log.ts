import { Type } from "@sinclair/typebox";
import type { Lesson, LessonDraft, Propagation, ReleaseReason } from "../release.ts";
import type {
  CountedUnits,
  ExposureStretch,
  GateAnswer,
  GuardrailLook,
  GuardrailRecord,
  GuardrailStratum,
  Improvement,
  InterferenceRecord,
  LoggedIncident,
  Neighbour,
  PairCells,
  PredictionRecord,
  ReleaseLatencies,
  ReleaseLog,
  ReleaseMove,
  SegmentRecord,
  SegmentUnits,
  SigningKey,
  StageLatency,
} from "../release-log.ts";
import { ReasonSchema } from "./api.ts";
import { closed, count, optionalText, optionalTime, share, text, time } from "./fields.ts";
import { oneOf } from "./flag.ts";
import { PropertyFilterSchema } from "./metric.ts";
import { StatedEffectSchema, statedSchema } from "./results.ts";
import type { Schema } from "./schema.ts";

const ms = Type.Optional(Type.Number({ description: "Milliseconds" }));

export const ReleaseReasonSchema: Schema<ReleaseReason> = Type.Object(
  {
    code: Type.Unsafe<ReleaseReason["code"]>(text),
    subject: optionalText,
    treatment: optionalText,
    have: Type.Optional(Type.Number()),
    need: Type.Optional(Type.Number()),
  },
  closed,
);

export const PropagationSchema: Schema<Propagation> = Type.Object(
  {
    revision: count,
    detectedAt: optionalTime,
    decidedAt: time,
    publishedAt: time,
    instances: count,
    acknowledged: count,
    ms50: ms,
    ms95: ms,
    ms100: ms,
    laggards: Type.Array(text),
  },
  closed,
);

const MoveSchema: Schema<ReleaseMove> = Type.Object(
  {
    change: count,
    at: time,
    by: text,
    action: text,
    reason: optionalText,
    state: Type.Optional(Type.Unsafe<NonNullable<ReleaseMove["state"]>>(text)),
    stage: Type.Optional(count),
    because: Type.Array(ReleaseReasonSchema),
  },
  closed,
);

const StretchSchema: Schema<ExposureStretch> = Type.Object(
  { from: time, to: optionalTime, percentage: Type.Number(), change: count, treated: count, control: count },
  closed,
);

const GateAnswerSchema: Schema<GateAnswer> = Type.Object(
  { gate: Type.Unsafe<GateAnswer["gate"]>(text), stage: count, at: time, by: text, evidence: Type.Array(text) },
  closed,
);

const LookSchema: Schema<GuardrailLook> = Type.Object(
  {
    at: time,
    percentage: Type.Number(),
    treated: count,
    control: count,
    logEvidence: Type.Number(),
    verdict: oneOf<GuardrailLook["verdict"]>(["quiet", "pause", "rollback"]),
    isNonInferior: Type.Optional(Type.Boolean()),
    daysToTell: Type.Optional(Type.Number({ minimum: 0 })),
  },
  closed,
);

const CountedSchema: Schema<CountedUnits> = Type.Object({ units: count, mean: Type.Optional(Type.Number()) }, closed);

const StratumSchema: Schema<GuardrailStratum> = Type.Object(
  { percentage: Type.Number(), treated: CountedSchema, control: CountedSchema },
  closed,
);

const GuardrailRecordSchema: Schema<GuardrailRecord> = Type.Object(
  {
    metric: text,
    event: text,
    filters: Type.Optional(Type.Array(PropertyFilterSchema)),
    valueProperty: optionalText,
    treatment: optionalText,
    kind: oneOf<GuardrailRecord["kind"]>(["failures", "values"]),
    harm: oneOf<GuardrailRecord["harm"]>(["increase", "decrease"]),
    tolerance: Type.Number(),
    margin: Type.Number(),
    onBreach: oneOf<GuardrailRecord["onBreach"]>(["rollback", "hold", "warn"]),
    isDryRun: Type.Boolean(),
    looks: Type.Array(LookSchema),
    strata: Type.Array(StratumSchema),
    effect: StatedEffectSchema,
  },
  closed,
);

const UnitsSchema: Schema<SegmentUnits> = Type.Object(
  { units: count, counted: count, mean: Type.Optional(Type.Number()) },
  closed,
);

const SegmentRecordSchema: Schema<SegmentRecord> = Type.Object(
  {
    attribute: text,
    value: text,
    metric: text,
    treatment: optionalText,
    treated: UnitsSchema,
    control: UnitsSchema,
    effect: StatedEffectSchema,
    adjustedP: Type.Optional(share),
  },
  closed,
);

const CellsSchema: Schema<PairCells> = Type.Object(
  { cc: UnitsSchema, ct: UnitsSchema, tc: UnitsSchema, tt: UnitsSchema },
  closed,
);

const InterferenceRecordSchema: Schema<InterferenceRecord> = Type.Object(
  {
    kind: oneOf<Neighbour["kind"]>(["release", "experiment"]),
    key: text,
    metric: text,
    treatment: text,
    ownTreatment: optionalText,
    cells: CellsSchema,
    effect: StatedEffectSchema,
    adjustedP: Type.Optional(share),
    smallestDetectable: Type.Optional(Type.Number({ minimum: 0 })),
  },
  closed,
);

const IncidentSchema: Schema<LoggedIncident> = Type.Object(
  { incident: text, reason: text, from: time, to: optionalTime },
  closed,
);

const NeighbourSchema: Schema<Neighbour> = Type.Object(
  { kind: oneOf<Neighbour["kind"]>(["release", "experiment"]), key: text, from: time, to: optionalTime },
  closed,
);

const PredictionRecordSchema: Schema<PredictionRecord> = Type.Object(
  {
    metric: text,
    mean: Type.Number(),
    interval: Type.Unsafe<PredictionRecord["interval"]>(Type.Tuple([Type.Number(), Type.Number()])),
    level: Type.Number(),
    actual: statedSchema<{ readonly value: number }>({ value: Type.Number() }),
    score: statedSchema<{ readonly intervalScore: number; readonly crps: number; readonly covered: boolean }>({
      intervalScore: Type.Number(),
      crps: Type.Number(),
      covered: Type.Boolean(),
    }),
  },
  closed,
);

const StageLatencySchema: Schema<StageLatency> = Type.Object(
  {
    stage: count,
    name: text,
    percentage: Type.Number(),
    from: time,
    to: optionalTime,
    stayed: Type.Number(),
    waited: Type.Number(),
  },
  closed,
);

const LatenciesSchema: Schema<ReleaseLatencies> = Type.Object(
  {
    draftedToStarted: ms,
    startedToFirstResult: ms,
    startedToFull: ms,
    detectedToDecided: ms,
    decidedToOff: ms,
    holding: Type.Number(),
    stages: Type.Array(StageLatencySchema),
  },
  closed,
);

const ImprovementSchema: Schema<Improvement> = Type.Object(
  { code: Type.Unsafe<Improvement["code"]>(text), subject: optionalText, text },
  closed,
);

export const LessonSchema: Schema<Lesson> = Type.Object({ at: time, by: text, taught: text, better: optionalText }, closed);

export const ReleaseLogSchema: Schema<ReleaseLog> = Type.Object(
  {
    project: text,
    environment: text,
    release: text,
    flag: text,
    variant: text,
    experiment: optionalText,
    control: optionalText,
    description: text,
    author: text,
    state: Type.Unsafe<ReleaseLog["state"]>(text),
    createdAt: time,
    startedAt: optionalTime,
    endedAt: optionalTime,
    at: time,
    lagMs: Type.Number(),
    notCounted: Type.Array(text, { description: "Servers that keep events of the environment which are not in it" }),
    timeline: Type.Array(MoveSchema),
    exposure: Type.Array(StretchSchema),
    gates: Type.Array(GateAnswerSchema),
    guardrails: Type.Array(GuardrailRecordSchema),
    segments: Type.Array(SegmentRecordSchema),
    interference: Type.Array(InterferenceRecordSchema),
    unitsShare: share,
    incidents: Type.Array(IncidentSchema),
    alongside: Type.Array(NeighbourSchema),
    rollback: Type.Optional(PropagationSchema),
    predictions: Type.Array(PredictionRecordSchema),
    predictionHash: optionalText,
    latencies: LatenciesSchema,
    advice: Type.Array(ImprovementSchema),
    lessons: Type.Array(LessonSchema),
  },
  closed,
);

export const LessonsSchema: Schema<{ readonly items: readonly Lesson[] }> = Type.Object(
  { items: Type.Array(LessonSchema) },
  closed,
);

const words = Type.String({ minLength: 1, maxLength: 4_096 });

export const LessonDraftSchema: Schema<LessonDraft> = Type.Object(
  { taught: words, better: Type.Optional(words), reason: ReasonSchema["properties"].reason },
  closed,
);

export const SigningKeySchema: Schema<SigningKey> = Type.Object(
  {
    id: text,
    algorithm: Type.Literal("ed25519"),
    publicKey: Type.String({ description: "SubjectPublicKeyInfo, PEM" }),
    createdAt: time,
    retiredAt: optionalTime,
  },
  closed,
);

export const SigningKeysSchema: Schema<{ readonly items: readonly SigningKey[] }> = Type.Object(
  { items: Type.Array(SigningKeySchema) },
  closed,
);
