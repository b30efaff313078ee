import { Type } from "@sinclair/typebox";
import type {
  Advice,
  Experiment,
  ExperimentDecision,
  Forecast,
  Frozen,
  Holdout,
  Incident,
  Layer,
  Look,
  MetricForecast,
  Overlap,
} from "../experiment.ts";
import type { FrozenMetric, Metric, MetricPreview, MetricUse, SelectionPreview } from "../metric.ts";
import { BaselineSchema, DecisionOutcomeSchema, ExperimentDefinitionSchema, LayerClaimSchema } from "./experiment.ts";
import { closed, count, optionalNumber, optionalText, optionalTime, percentage, revision, text, time, yes } from "./fields.ts";
import { oneOf } from "./flag.ts";
import { BundledMetricSchema } from "./metric.ts";
import { adviceFields, ExperimentStatusSchema, LookSchema, PhaseSchema } from "./results.ts";
import type { Schema } from "./schema.ts";

/** What the doors of experiments and of what they measure by and share answer, closed: see `answers.ts`. */

const version = Type.Integer({ minimum: 1 });

const { measure, window, good, tolerance } = BundledMetricSchema["properties"];

export const MetricSchema: Schema<Metric> = Type.Unsafe<Metric>(
  Type.Object({ project: text, key: text, ...BundledMetricSchema["properties"], version, createdAt: time, revision }, closed),
);

const FrozenMetricSchema: Schema<FrozenMetric> = Type.Unsafe<FrozenMetric>(
  Type.Object({ key: text, version, measure, window, good, tolerance }, closed),
);

const SelectionPreviewSchema: Schema<SelectionPreview> = Type.Object(
  {
    name: text,
    named: count,
    events: count,
    units: count,
    values: count,
    mean: optionalNumber,
    min: optionalNumber,
    max: optionalNumber,
    lastSeen: optionalTime,
  },
  closed,
);

export const MetricPreviewSchema: Schema<MetricPreview> = Type.Object(
  { from: time, to: time, selections: Type.Array(SelectionPreviewSchema) },
  closed,
);

export const MetricUseSchema: Schema<MetricUse> = Type.Object(
  {
    key: text,
    as: oneOf<MetricUse["as"]>(["primary", "secondary", "guardrail"]),
    version,
    status: ExperimentStatusSchema,
    environment: text,
  },
  closed,
);

const AdviceSchema: Schema<Advice> = Type.Object(adviceFields, closed);

const DecisionSchema: Schema<ExperimentDecision> = Type.Object(
  {
    outcome: DecisionOutcomeSchema,
    variant: text,
    reason: text,
    at: time,
    by: text,
    advice: AdviceSchema,
    isAgainstAdvice: yes,
  },
  closed,
);

const FrozenSchema: Schema<Frozen> = Type.Object(
  { at: time, hash: text, metrics: Type.Array(FrozenMetricSchema), unit: optionalText },
  closed,
);

export const ExperimentSchema: Schema<Experiment> = Type.Unsafe<Experiment>(
  Type.Object(
    {
      project: text,
      key: text,
      ...ExperimentDefinitionSchema["properties"],
      status: ExperimentStatusSchema,
      createdAt: time,
      startedAt: optionalTime,
      stoppedAt: optionalTime,
      frozen: Type.Optional(FrozenSchema),
      phases: Type.Array(PhaseSchema),
      decision: Type.Optional(DecisionSchema),
      revision,
    },
    closed,
  ),
);

const FROM: readonly Forecast["unitsFrom"][] = ["request", "exposures", "nowhere"];

const MetricForecastSchema: Schema<MetricForecast> = Type.Object(
  {
    metric: text,
    baseline: Type.Optional(BaselineSchema),
    baselineFrom: oneOf(FROM),
    requiredUnits: optionalNumber,
    requiredDays: optionalNumber,
    isWithinHorizon: Type.Optional(yes),
    detectableEffect: optionalNumber,
    missing: optionalText,
  },
  closed,
);

const OverlapSchema: Schema<Overlap> = Type.Object(
  { experiment: text, percentage, ofThis: percentage, metrics: Type.Array(text) },
  closed,
);

export const ForecastSchema: Schema<Forecast> = Type.Object(
  {
    unitsPerDay: optionalNumber,
    unitsFrom: oneOf(FROM),
    metrics: Type.Array(MetricForecastSchema),
    overlaps: Type.Array(OverlapSchema),
  },
  closed,
);

/** The whole ledger: no page follows. */
export const LooksSchema: Schema<{ readonly items: readonly Look[] }> = Type.Object({ items: Type.Array(LookSchema) }, closed);

const { range } = LayerClaimSchema["properties"];

export const LayerSchema: Schema<Layer> = Type.Unsafe<Layer>(
  Type.Object(
    {
      project: text,
      key: text,
      description: text,
      space: text,
      claims: Type.Array(Type.Object({ experiment: text, range }, closed)),
      createdAt: time,
      revision,
    },
    closed,
  ),
);

export const HoldoutSchema: Schema<Holdout> = Type.Object(
  {
    project: text,
    key: text,
    description: text,
    space: text,
    percentage,
    isActive: yes,
    createdAt: time,
    endedAt: optionalTime,
    revision,
  },
  closed,
);

export const IncidentSchema: Schema<Incident> = Type.Object(
  { project: text, key: text, reason: text, environment: optionalText, from: time, to: optionalTime, revision },
  closed,
);
