import { Type } from "@sinclair/typebox";
import type { Role } from "../api.ts";
import type {
  AdvanceDraft,
  EvidenceDraft,
  FreezeDraft,
  GateId,
  Guardrail,
  GuardrailDraft,
  GuardrailMeasure,
  ReleaseCreation,
  ReleaseEdit,
  ReleaseTemplateDraft,
  ReleaseTriggerCreation,
  RollbackSinceDraft,
  Stage,
} from "../release.ts";
import { ReasonSchema } from "./api.ts";
import { PredictionSchema } from "./experiment.ts";
import { attributePath, closed } from "./fields.ts";
import { KeySchema, oneOf } from "./flag.ts";
import { PropertyFilterSchema } from "./metric.ts";
import type { Schema } from "./schema.ts";

const reason = ReasonSchema["properties"].reason;
const text = Type.String({ minLength: 1, maxLength: 256 });
const seconds = Type.Integer({ minimum: 0, maximum: 31_536_000 });

const GATES: readonly GateId[] = ["rollback-readiness", "monitoring", "learning", "team", "impact", "non-inferiority"];
const ROLES: readonly Role[] = ["viewer", "analyst", "operator", "editor", "admin"];

export const StageSchema: Schema<Stage> = Type.Object(
  {
    name: text,
    percentage: Type.Number({ minimum: 0, maximum: 100 }),
    audience: Type.Optional(KeySchema),
    hold: Type.Object(
      {
        minDurationS: seconds,
        minUnits: Type.Optional(Type.Integer({ minimum: 1 })),
        approval: Type.Optional(Type.Array(oneOf(ROLES), { maxItems: 10 })),
      },
      closed,
    ),
    gates: Type.Array(oneOf(GATES), { maxItems: GATES.length, uniqueItems: true }),
  },
  closed,
);

const eventName = Type.String({ minLength: 1, maxLength: 128 });
const above0 = Type.Number({ exclusiveMinimum: 0 });

/** Which events of a guardrail count. */
const guardrailEvents = { event: eventName, filters: Type.Optional(Type.Array(PropertyFilterSchema, { maxItems: 20 })) };

export const GuardrailMeasureSchema: Schema<GuardrailMeasure> = Type.Unsafe<GuardrailMeasure>(
  Type.Union([
    Type.Object({ kind: Type.Literal("failures"), ...guardrailEvents }, closed),
    Type.Object(
      { kind: Type.Literal("values"), ...guardrailEvents, valueProperty: Type.Optional(eventName), cap: above0, scale: above0 },
      closed,
    ),
  ]),
);

const GuardrailSchema: Schema<GuardrailDraft> = Type.Object(
  {
    metric: KeySchema,
    measure: Type.Optional(GuardrailMeasureSchema),
    harm: Type.Optional(oneOf<Guardrail["harm"]>(["increase", "decrease"])),
    tolerance: Type.Optional(Type.Number({ minimum: 0 })),
    margin: Type.Optional(above0),
    scale: Type.Optional(above0),
    metricVersion: Type.Optional(Type.Integer({ minimum: 1, description: "As read; a guardrail may be sent back as it was" })),
    onBreach: oneOf<Guardrail["onBreach"]>(["rollback", "hold", "warn"]),
    dryRun: Type.Optional(Type.Boolean()),
    staleAfterS: Type.Integer({ minimum: 1, maximum: 604_800 }),
  },
  closed,
);

const planFields = {
  description: Type.Optional(Type.String({ maxLength: 4_096 })),
  stages: Type.Optional(Type.Array(StageSchema, { minItems: 1, maxItems: 50 })),
  guardrails: Type.Optional(Type.Array(GuardrailSchema, { maxItems: 50 })),
  alertRoutes: Type.Optional(Type.Array(text, { maxItems: 20 })),
  predictions: Type.Optional(Type.Array(PredictionSchema, { maxItems: 50 })),
  segments: Type.Optional(Type.Array(attributePath, { maxItems: 10, uniqueItems: true })),
  contacts: Type.Optional(Type.Object({ owner: text, onCall: text }, closed)),
  holdoutPercentage: Type.Optional(Type.Number({ minimum: 0, maximum: 50 })),
  drillMaxAgeDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 365 })),
  lossMax: Type.Optional(Type.Number({ minimum: 0, maximum: 1 })),
  powerHorizonDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 365 })),
};

export const ReleaseCreationSchema: Schema<ReleaseCreation> = Type.Object(
  {
    key: KeySchema,
    flag: Type.Optional(KeySchema),
    experiment: Type.Optional(KeySchema),
    variant: Type.Optional(KeySchema),
    internal: Type.Optional(KeySchema),
    template: Type.Optional(KeySchema),
    ...planFields,
    reason,
  },
  closed,
);

export const ReleaseTemplateDraftSchema: Schema<ReleaseTemplateDraft> = Type.Object(
  {
    description: planFields.description,
    stages: Type.Array(StageSchema, { minItems: 1, maxItems: 50 }),
    guardrails: planFields.guardrails,
    alertRoutes: planFields.alertRoutes,
    reason,
  },
  closed,
);

export const ReleaseTriggerCreationSchema: Schema<ReleaseTriggerCreation> = Type.Object({ guardrail: KeySchema, reason }, closed);

export const ReleaseEditSchema: Schema<ReleaseEdit> = Type.Object({ ...planFields, reason }, closed);

export const AdvanceDraftSchema: Schema<AdvanceDraft> = Type.Object({ override: Type.Optional(Type.Boolean()), reason }, closed);

export const EvidenceDraftSchema: Schema<EvidenceDraft> = Type.Object(
  {
    kind: oneOf<EvidenceDraft["kind"]>(["alert-tested", "runbook-tried", "note-sent", "power"]),
    route: Type.Optional(text),
    days: Type.Optional(Type.Number({ minimum: 0 })),
    reason,
  },
  closed,
);

export const FreezeDraftSchema: Schema<FreezeDraft> = Type.Object(
  { reason: Type.String({ minLength: 1, maxLength: 1_000 }) },
  closed,
);

export const RollbackSinceDraftSchema: Schema<RollbackSinceDraft> = Type.Object(
  {
    since: Type.String({ maxLength: 64 }),
    releases: Type.Optional(Type.Array(KeySchema, { maxItems: 1_000, uniqueItems: true })),
    reason,
  },
  closed,
);
