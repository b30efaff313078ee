import { Type } from "@sinclair/typebox";
import type {
  Bundle,
  BundledFlag,
  BundledTargeting,
  ImportDraft,
  ImportPlan,
  ImportRequest,
  ImportResult,
  PlannedChange,
  PromotionDraft,
} from "../bundle.ts";
import type { Condition, Space } from "../flag.ts";
import { FlagCreationSchema, ReasonSchema, TargetingDraftSchema } from "./api.ts";
import { ExperimentDefinitionSchema } from "./experiment.ts";
import { attributePath, closed } from "./fields.ts";
import { FlagKindSchema, FlagMetadataSchema, FlagTypeSchema, JsonSchema, KeySchema, oneOf } from "./flag.ts";
import { BundledMetricSchema } from "./metric.ts";
import { reference, type Schema } from "./schema.ts";

const { reason } = ReasonSchema["properties"];
const { newEpoch, reason: _, ...targetingFields } = TargetingDraftSchema["properties"];
const { owner, expectedLifetimeDays } = FlagCreationSchema["properties"];

const text = Type.String({ maxLength: 10_000 });

const SpaceSchema: Schema<Space> = Type.Unsafe<Space>(
  Type.Object({ salt: Type.String({ maxLength: 256 }), by: Type.Optional(attributePath) }, closed),
);

const BundledFlagSchema: Schema<BundledFlag> = Type.Unsafe<BundledFlag>(
  Type.Object(
    {
      type: FlagTypeSchema,
      variants: Type.Record(KeySchema, JsonSchema, { minProperties: 1, maxProperties: 1_000, ...closed }),
      description: text,
      tags: Type.Array(KeySchema, { maxItems: 50 }),
      owner,
      kind: FlagKindSchema,
      expectedLifetimeDays,
      clientSide: Type.Boolean(),
      metadata: Type.Optional(FlagMetadataSchema),
      spaces: Type.Object({ share: SpaceSchema, split: SpaceSchema }, closed),
      archived: Type.Boolean(),
    },
    closed,
  ),
);

const BundledTargetingSchema: Schema<BundledTargeting> = Type.Unsafe<BundledTargeting>(Type.Object(targetingFields, closed));

const layer = { description: text, space: SpaceSchema };
const holdout = {
  ...layer,
  share: Type.Integer({ minimum: 1, maximum: 1_000_000, "x-error": "invalid_range" }),
  endedAt: Type.Optional(Type.String({ maxLength: 64 })),
};

export const BundleSchema: Schema<Bundle> = Type.Unsafe<Bundle>(
  Type.Object(
    {
      format: Type.Literal(1),
      project: Type.Object(
        {
          name: Type.String({ minLength: 1, maxLength: 200 }),
          privateAttributes: Type.Array(attributePath, { maxItems: 1_000 }),
        },
        closed,
      ),
      segments: Type.Record(
        KeySchema,
        Type.Object({ description: text, when: reference<Condition>("Condition") }, closed),
        closed,
      ),
      flags: Type.Record(KeySchema, BundledFlagSchema, closed),
      environments: Type.Record(
        KeySchema,
        Type.Object({ targetings: Type.Record(KeySchema, BundledTargetingSchema, closed) }, closed),
        closed,
      ),
      layers: Type.Optional(Type.Record(KeySchema, Type.Object(layer, closed), closed)),
      holdouts: Type.Optional(Type.Record(KeySchema, Type.Object(holdout, closed), closed)),
      metrics: Type.Optional(Type.Record(KeySchema, BundledMetricSchema, closed)),
      experiments: Type.Optional(Type.Record(KeySchema, ExperimentDefinitionSchema, closed)),
    },
    closed,
  ),
);

const request = {
  bundle: BundleSchema,
  environments: Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 1_000, uniqueItems: true })),
  newEpoch,
};

const plan = Type.String({ minLength: 1, maxLength: 100, description: "The hash that the plan gave" });

export const ImportRequestSchema: Schema<ImportRequest> = Type.Unsafe<ImportRequest>(Type.Object(request, closed));

export const ImportDraftSchema: Schema<ImportDraft> = Type.Unsafe<ImportDraft>(Type.Object({ ...request, plan, reason }, closed));

export const PromotionDraftSchema: Schema<PromotionDraft> = Type.Unsafe<PromotionDraft>(
  Type.Object({ from: KeySchema, plan, newEpoch, reason }, closed),
);

const KINDS: readonly PlannedChange["kind"][] = [
  "project",
  "flag",
  "segment",
  "targeting",
  "layer",
  "holdout",
  "metric",
  "experiment",
];

const PlannedChangeSchema: Schema<PlannedChange> = Type.Object(
  {
    kind: oneOf(KINDS),
    key: Type.String(),
    environment: Type.Optional(Type.String()),
    before: Type.Optional(JsonSchema),
    after: JsonSchema,
  },
  closed,
);

const planned = { project: Type.String(), plan: Type.String(), changes: Type.Array(PlannedChangeSchema) };

export const ImportPlanSchema: Schema<ImportPlan> = Type.Object(planned, closed);

export const ImportResultSchema: Schema<ImportResult> = Type.Object(
  { ...planned, revision: Type.Integer({ minimum: 0 }) },
  closed,
);
