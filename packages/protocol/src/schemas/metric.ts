import { type TSchema, Type } from "@sinclair/typebox";
import type { BundledMetric } from "../bundle.ts";
import { EVENT_LIMITS } from "../events.ts";
import type {
  Cap,
  EventSelection,
  FilterOperator,
  Measure,
  MeasureDraft,
  MetricCreation,
  MetricEdit,
  MetricPreviewRequest,
  MetricWindow,
  PropertyFilter,
  Quantity,
} from "../metric.ts";
import { ReasonSchema } from "./api.ts";
import { closed, ownerText } from "./fields.ts";
import { JsonSchema, KeySchema, oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

const { reason } = ReasonSchema["properties"];

const eventName: Schema<string> = Type.String({ minLength: 1, maxLength: EVENT_LIMITS.nameLength });
const property: Schema<string> = Type.String({ minLength: 1, maxLength: 256 });

const OPERATORS: readonly FilterOperator[] = ["in", "lt", "lte", "gt", "gte", "exists"];

export const PropertyFilterSchema: Schema<PropertyFilter> = Type.Object(
  { property, op: oneOf(OPERATORS, { "x-error": "unknown_operator" }), value: JsonSchema },
  closed,
);

const EventSelectionSchema: Schema<EventSelection> = Type.Object(
  {
    name: eventName,
    filters: Type.Optional(Type.Array(PropertyFilterSchema, { maxItems: 20 })),
    valueProperty: Type.Optional(property),
  },
  closed,
);

const QuantitySchema: Schema<Quantity> = Type.Object(
  { of: oneOf(["events", "values"] as const), events: EventSelectionSchema },
  closed,
);

const share = Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 1 });

const CapSchema: Schema<Cap> = Type.Object({ at: Type.Number(), quantile: Type.Optional(share) }, closed);

const CapQuantileSchema = Type.Object(
  { quantile: share },
  {
    ...closed,
    description: "Of the sums of units, of those that are not 0, in the last 7 days: read off once, when it is saved",
  },
);

export const MeasureSchema: Schema<Measure> = measureSchema<Measure>(CapSchema);

const MeasureDraftSchema: Schema<MeasureDraft> = measureSchema<MeasureDraft>(Type.Union([CapSchema, CapQuantileSchema]));

function measureSchema<T>(cap: TSchema): Schema<T> {
  return Type.Unsafe<T>(
    Type.Union([
      Type.Object({ kind: oneOf(["proportion", "count", "retention"] as const), events: EventSelectionSchema }, closed),
      Type.Object({ kind: oneOf(["sum", "mean"] as const), events: EventSelectionSchema, cap: Type.Optional(cap) }, closed),
      Type.Object({ kind: Type.Literal("ratio"), numerator: QuantitySchema, denominator: QuantitySchema }, closed),
      Type.Object({ kind: Type.Literal("quantile"), events: EventSelectionSchema, quantile: share }, closed),
      Type.Object(
        { kind: Type.Literal("funnel"), steps: Type.Array(EventSelectionSchema, { minItems: 2, maxItems: 10 }) },
        closed,
      ),
    ]),
  );
}

/** Two years: no window is longer than what retention keeps. */
const hours = Type.Number({ minimum: 0, maximum: 17_520 });

const MetricWindowSchema: Schema<MetricWindow> = Type.Object(
  { fromHours: Type.Optional(hours), toHours: Type.Optional(hours) },
  { ...closed, description: "Hours from a unit's own first exposure" },
);

const MetricGoodSchema: Schema<"increase" | "decrease"> = oneOf(["increase", "decrease"] as const);

const ToleranceSchema: Schema<number> = Type.Number({
  exclusiveMinimum: 0,
  exclusiveMaximum: 1,
  description: "How much worse is still acceptable in a guardrail, as a share of control",
});

const words = {
  description: Type.Optional(Type.String({ maxLength: 10_000 })),
  tags: Type.Optional(Type.Array(KeySchema, { maxItems: 50 })),
};

const rest = {
  window: Type.Optional(MetricWindowSchema),
  tolerance: Type.Optional(ToleranceSchema),
  unseen: Type.Optional(Type.Boolean({ description: "Save it although no recent event fits it" })),
  reason,
};

export const MetricCreationSchema: Schema<MetricCreation> = Type.Object(
  { key: KeySchema, ...words, owner: Type.Optional(ownerText), measure: MeasureDraftSchema, good: MetricGoodSchema, ...rest },
  closed,
);

export const MetricEditSchema: Schema<MetricEdit> = Type.Object(
  {
    ...words,
    owner: Type.Optional(Type.Union([ownerText, Type.Null()])),
    measure: Type.Optional(MeasureDraftSchema),
    good: Type.Optional(MetricGoodSchema),
    ...rest,
  },
  closed,
);

export const BundledMetricSchema: Schema<BundledMetric> = Type.Object(
  {
    description: Type.String({ maxLength: 10_000 }),
    tags: Type.Array(KeySchema, { maxItems: 50 }),
    owner: Type.Optional(ownerText),
    measure: MeasureSchema,
    window: MetricWindowSchema,
    good: MetricGoodSchema,
    tolerance: ToleranceSchema,
    archived: Type.Boolean(),
  },
  closed,
);

export const MetricPreviewRequestSchema: Schema<MetricPreviewRequest> = Type.Object(
  {
    measure: MeasureDraftSchema,
    environment: Type.Optional(KeySchema),
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 30 })),
  },
  closed,
);
