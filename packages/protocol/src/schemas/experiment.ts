import { type TSchema, Type } from "@sinclair/typebox";
import type {
  AnalysisPlanDraft,
  Baseline,
  DecisionDraft,
  DecisionOutcome,
  ExperimentCreation,
  ExperimentDefinition,
  ExperimentEdit,
  ExperimentMetrics,
  ForecastRequest,
  HoldoutCreation,
  IncidentDraft,
  LayerClaim,
  LayerCreation,
  Prediction,
} from "../experiment.ts";
import { SPACE_PPM } from "../names.ts";
import { ReasonSchema } from "./api.ts";
import { attributePath, closed, ownerText } from "./fields.ts";
import { KeySchema, oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

const { reason } = ReasonSchema["properties"];

const text = Type.String({ minLength: 1, maxLength: 10_000 });
const rate = Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 });
const metricKeys = Type.Optional(Type.Array(KeySchema, { maxItems: 50, uniqueItems: true }));

const ExperimentMetricsSchema: Schema<Partial<ExperimentMetrics>> = Type.Unsafe<Partial<ExperimentMetrics>>(
  Type.Object({ primary: metricKeys, secondary: metricKeys, guardrails: metricKeys }, closed),
);

const AnalysisPlanSchema: Schema<AnalysisPlanDraft> = Type.Object(
  {
    alpha: Type.Optional(rate),
    power: Type.Optional(Type.Number({ exclusiveMinimum: 0.5, exclusiveMaximum: 1 })),
    smallestEffect: Type.Number({ exclusiveMinimum: 0, maximum: 10, description: "As a share of control" }),
    horizonDays: Type.Integer({ minimum: 1, maximum: 365 }),
  },
  closed,
);

export const PredictionSchema: Schema<Prediction> = Type.Unsafe<Prediction>(
  Type.Object(
    {
      metric: KeySchema,
      mean: Type.Number({ minimum: -1, maximum: 100, description: "Expected effect as a share of control" }),
      interval: Type.Tuple([Type.Number(), Type.Number()]),
      level: rate,
    },
    closed,
  ),
);

const ppm = Type.Integer({ minimum: 0, maximum: SPACE_PPM, "x-error": "invalid_range" });

export const LayerClaimSchema: Schema<LayerClaim> = Type.Unsafe<LayerClaim>(
  Type.Object({ layer: KeySchema, range: Type.Tuple([ppm, ppm], { "x-error": "invalid_range" }) }, closed),
);

const AlertRouteSchema: Schema<string> = Type.String({
  maxLength: 500,
  pattern: "^(mailto:[^@\\s]+@[^@\\s]+|slack:#\\S+|webhook:[A-Za-z0-9._-]{1,128}|https://\\S+)$",
  description: "mailto:team@example.org, slack:#channel, webhook:<id> or an https address",
});

const treatments = Type.Array(KeySchema, { minItems: 1, maxItems: 20, uniqueItems: true });

const shared = {
  tags: Type.Optional(Type.Array(KeySchema, { maxItems: 50 })),
  metrics: Type.Optional(ExperimentMetricsSchema),
  segments: Type.Optional(Type.Array(attributePath, { maxItems: 10, uniqueItems: true })),
  reason,
};

const covariateDays = Type.Integer({ minimum: 1, maximum: 90 });

/** What may be absent, and cleared with `null`. */
const optional = {
  owner: ownerText,
  plan: AnalysisPlanSchema,
  prediction: PredictionSchema,
  covariateDays,
  alertRoute: AlertRouteSchema,
  layer: LayerClaimSchema,
} as const;

export const ExperimentCreationSchema: Schema<ExperimentCreation> = Type.Unsafe<ExperimentCreation>(
  Type.Object(
    {
      key: KeySchema,
      hypothesis: text,
      flag: KeySchema,
      environment: KeySchema,
      control: KeySchema,
      treatments,
      ...shared,
      ...mapped((schema) => Type.Optional(schema)),
    },
    closed,
  ),
);

const wholeKeys = Type.Array(KeySchema, { maxItems: 50, uniqueItems: true });

/** A definition as a bundle holds it: whole. */
export const ExperimentDefinitionSchema: Schema<ExperimentDefinition> = Type.Unsafe<ExperimentDefinition>(
  Type.Object(
    {
      hypothesis: text,
      flag: KeySchema,
      environment: KeySchema,
      control: KeySchema,
      treatments,
      tags: Type.Array(KeySchema, { maxItems: 50 }),
      metrics: Type.Object({ primary: wholeKeys, secondary: wholeKeys, guardrails: wholeKeys }, closed),
      segments: Type.Array(attributePath, { maxItems: 10, uniqueItems: true }),
      ...mapped((schema) => Type.Optional(schema)),
      plan: Type.Optional(Type.Required(AnalysisPlanSchema as never)),
    },
    closed,
  ),
);

export const ExperimentEditSchema: Schema<ExperimentEdit> = Type.Unsafe<ExperimentEdit>(
  Type.Object(
    {
      hypothesis: Type.Optional(text),
      control: Type.Optional(KeySchema),
      treatments: Type.Optional(treatments),
      ...shared,
      ...mapped((schema) => Type.Optional(Type.Union([schema, Type.Null()]))),
    },
    closed,
  ),
);

export const DecisionOutcomeSchema: Schema<DecisionOutcome> = oneOf(["ship", "do-not-ship", "inconclusive"]);

export const DecisionDraftSchema: Schema<DecisionDraft> = Type.Object(
  {
    outcome: DecisionOutcomeSchema,
    variant: Type.Optional(KeySchema),
    reason: Type.String({ minLength: 1, maxLength: 1_000 }),
    againstAdvice: Type.Optional(Type.Boolean({ description: "Ship although the results do not say so" })),
  },
  closed,
);

export const BaselineSchema: Schema<Baseline> = Type.Object(
  { mean: Type.Number(), sd: Type.Number({ exclusiveMinimum: 0 }) },
  { ...closed, description: "Mean and standard deviation over units" },
);

export const ForecastRequestSchema: Schema<ForecastRequest> = Type.Object(
  {
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 30 })),
    unitsPerDay: Type.Optional(Type.Number({ exclusiveMinimum: 0, maximum: 1e12 })),
    baselines: Type.Optional(Type.Record(KeySchema, BaselineSchema, closed)),
  },
  closed,
);

const time = Type.String({ maxLength: 64, description: "RFC 3339" });

export const IncidentDraftSchema: Schema<IncidentDraft> = Type.Object(
  {
    key: KeySchema,
    environment: Type.Optional(KeySchema),
    from: Type.Optional(time),
    to: Type.Optional(time),
    reason: Type.String({ minLength: 1, maxLength: 1_000 }),
  },
  closed,
);

const description = Type.Optional(Type.String({ maxLength: 10_000 }));

export const LayerCreationSchema: Schema<LayerCreation> = Type.Object(
  { key: KeySchema, description, by: Type.Optional(attributePath), reason },
  closed,
);

export const HoldoutCreationSchema: Schema<HoldoutCreation> = Type.Object(
  {
    key: KeySchema,
    description,
    percentage: Type.Number({ exclusiveMinimum: 0, maximum: 50 }),
    by: Type.Optional(attributePath),
    reason,
  },
  closed,
);

function mapped(wrap: (schema: TSchema) => TSchema): { [name in keyof typeof optional]: TSchema } {
  const entries = Object.entries(optional).map(([name, schema]) => [name, wrap(schema)]);
  return Object.fromEntries(entries) as { [name in keyof typeof optional]: TSchema };
}
