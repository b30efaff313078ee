import { Type } from "@sinclair/typebox";
import type {
  BulkDraft,
  Emergency,
  EnabledDraft,
  EnvironmentCreation,
  ExplainRequest,
  FlagCreation,
  FlagEdit,
  ProjectCreation,
  ReshuffleDraft,
  Role,
  RolloutDraft,
  RuleDraft,
  SdkKeyCreation,
  SdkKeyKind,
  SecretRotation,
  SegmentCreation,
  SegmentEdit,
  ServeDraft,
  StaleReasonCode,
  StaleRule,
  TargetingDraft,
  TokenCreation,
} from "../api.ts";
import type { Condition } from "../flag.ts";
import { attributePath, closed, ownerText } from "./fields.ts";
import {
  FlagKindSchema,
  FlagMetadataSchema,
  FlagTestSchema,
  FlagTypeSchema,
  JsonSchema,
  KeySchema,
  oneOf,
  PartSchema,
  TracksSchema,
} from "./flag.ts";
import { reference, type Schema } from "./schema.ts";

const reason = Type.Optional(Type.String({ maxLength: 1_000, description: "Why; kept in the audit log" }));
const name = Type.Optional(Type.String({ minLength: 1, maxLength: 200 }));
const description = Type.Optional(Type.String({ maxLength: 10_000 }));
const tags = Type.Optional(Type.Array(KeySchema, { maxItems: 50 }));
const lifetimeDays = Type.Integer({ minimum: 1, maximum: 36_500 });
const clientSide = Type.Optional(Type.Boolean());
const newEpoch = Type.Optional(
  Type.Boolean({ description: "Units of a running experiment may change arms; a new epoch of it begins" }),
);
const when: Schema<Condition> = reference<Condition>("Condition");

/** The names `x-error` carry the code a refused field answers with, where it is not `invalid_field`. */
const Percentage = Type.Number({ minimum: 0, maximum: 100, "x-error": "invalid_percentage" });

export const ProjectCreationSchema: Schema<ProjectCreation> = Type.Object(
  {
    key: KeySchema,
    name,
    privateAttributes: Type.Optional(Type.Array(attributePath, { maxItems: 1_000 })),
    environments: Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 50, uniqueItems: true })),
    reason,
  },
  closed,
);

export const EnvironmentCreationSchema: Schema<EnvironmentCreation> = Type.Object({ key: KeySchema, name, reason }, closed);

const variants = Type.Optional(Type.Record(KeySchema, JsonSchema, { minProperties: 1, maxProperties: 1_000, ...closed }));

export const FlagCreationSchema: Schema<FlagCreation> = Type.Object(
  {
    key: KeySchema,
    type: Type.Optional(FlagTypeSchema),
    variants,
    description,
    tags,
    owner: Type.Optional(ownerText),
    kind: Type.Optional(FlagKindSchema),
    expectedLifetimeDays: Type.Optional(lifetimeDays),
    clientSide,
    metadata: Type.Optional(FlagMetadataSchema),
    by: Type.Optional(attributePath),
    reason,
  },
  closed,
);

export const FlagEditSchema: Schema<FlagEdit> = Type.Object(
  {
    variants,
    description,
    tags,
    owner: Type.Optional(Type.Union([ownerText, Type.Null()])),
    kind: Type.Optional(FlagKindSchema),
    expectedLifetimeDays: Type.Optional(Type.Union([lifetimeDays, Type.Null()])),
    clientSide,
    metadata: Type.Optional(FlagMetadataSchema),
    reason,
  },
  closed,
);

const staleDays = Type.Optional(Type.Integer({ minimum: 1, maximum: 3_650 }));

export const StaleRuleSchema: Schema<StaleRule> = Type.Object({ fullDays: staleDays, unseenDays: staleDays, reason }, closed);

export const StaleReasonCodeSchema: Schema<StaleReasonCode> = oneOf(["full", "unseen", "overdue", "asked-for"]);

/** A serve as people may write it: one variant, raw parts, or weights. */
const ServeDraftSchema: Schema<ServeDraft> = Type.Unsafe<ServeDraft>(
  Type.Union([
    Type.Object({ variant: KeySchema }, closed),
    Type.Object({ split: Type.Array(PartSchema, { maxItems: 1_000 }) }, closed),
    Type.Object(
      {
        weights: Type.Record(KeySchema, Percentage, { minProperties: 1, maxProperties: 1_000, ...closed }),
        share: Type.Optional(Percentage),
        tracks: Type.Optional(TracksSchema),
      },
      closed,
    ),
  ]),
);

const RuleDraftSchema: Schema<RuleDraft> = Type.Object(
  { id: KeySchema, name, when: Type.Optional(when), serve: ServeDraftSchema },
  closed,
);

export const TargetingDraftSchema: Schema<TargetingDraft> = Type.Object(
  {
    enabled: Type.Boolean(),
    off: Type.Optional(KeySchema),
    prerequisites: Type.Optional(Type.Array(FlagTestSchema, { maxItems: 1_000 })),
    rules: Type.Array(RuleDraftSchema),
    fallthrough: Type.Optional(ServeDraftSchema),
    newEpoch,
    reason,
  },
  closed,
);

export const RolloutDraftSchema: Schema<RolloutDraft> = Type.Object(
  { percentage: Percentage, variant: Type.Optional(KeySchema), newEpoch, reason },
  closed,
);

export const ReshuffleDraftSchema: Schema<ReshuffleDraft> = Type.Object(
  {
    spaces: Type.Optional(Type.Array(oneOf<"share" | "split">(["share", "split"]), { minItems: 1, uniqueItems: true })),
    newEpoch,
    reason,
  },
  closed,
);

export const EmergencySchema: Schema<Emergency> = Type.Object({ percentage: Type.Optional(Percentage), reason }, closed);

export const EnabledDraftSchema: Schema<EnabledDraft> = Type.Object({ enabled: Type.Boolean(), reason }, closed);

/** A command for many flags. */
export function bulkDraftSchema<A extends string>(actions: readonly A[]): Schema<BulkDraft<A>> {
  const flags = Type.Array(KeySchema, { minItems: 1, maxItems: 1_000, uniqueItems: true });
  return Type.Unsafe<BulkDraft<A>>(Type.Object({ action: oneOf(actions), flags, reason }, closed));
}

/** A body that may only say why. */
export const ReasonSchema: Schema<{ reason?: string }> = Type.Object({ reason }, closed);

export const SegmentCreationSchema: Schema<SegmentCreation> = Type.Object({ key: KeySchema, description, when, reason }, closed);

export const SegmentEditSchema: Schema<SegmentEdit> = Type.Object({ description, when, reason }, closed);

export const SdkKeyKindSchema: Schema<SdkKeyKind> = oneOf(["server", "client", "remote", "relay"]);

export const SdkKeyCreationSchema: Schema<SdkKeyCreation> = Type.Object(
  { environment: KeySchema, kind: SdkKeyKindSchema, name, reason },
  closed,
);

export const SecretRotationSchema: Schema<SecretRotation> = Type.Object(
  { overlapHours: Type.Optional(Type.Integer({ minimum: 0, maximum: 720 })), reason },
  closed,
);

export const RoleSchema: Schema<Role> = oneOf(["viewer", "analyst", "operator", "editor", "admin"]);

const scope = Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 1_000 }));

export const TokenCreationSchema: Schema<TokenCreation> = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 200 }),
    role: RoleSchema,
    projects: scope,
    environments: scope,
    expiresAt: Type.Optional(Type.String({ maxLength: 40, description: "RFC 3339" })),
    reason,
  },
  closed,
);

export const ExplainRequestSchema: Schema<ExplainRequest> = Type.Object(
  {
    flag: KeySchema,
    context: Type.Unsafe<ExplainRequest["context"]>(Type.Record(Type.String(), JsonSchema)),
    revision: Type.Optional(Type.Integer({ minimum: 1 })),
    at: Type.Optional(Type.String({ maxLength: 64, description: "RFC 3339; the last revision made until then" })),
  },
  closed,
);
