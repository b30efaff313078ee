import { type TSchema, Type } from "@sinclair/typebox";
import type {
  BulkOutcome,
  BulkResult,
  Environment,
  Flag,
  FlagTargeting,
  Page,
  Project,
  RolloutResult,
  RolloutState,
  SdkKey,
  SdkKeyCreated,
  Segment,
  Session,
  StaleReason,
  StaleRule,
  Token,
  TokenCreated,
} from "../api.ts";
import { ERRORS, type ErrorCode } from "../errors.ts";
import type { Condition, Part, Rule, Serve, Space, Targeting } from "../flag.ts";
import { RoleSchema, SdkKeyKindSchema, StaleReasonCodeSchema } from "./api.ts";
import { closed, optionalText, percentage, revision, text, time } from "./fields.ts";
import { FlagKindSchema, FlagMetadataSchema, FlagTestSchema, FlagTypeSchema, JsonSchema, oneOf, PartSchema } from "./flag.ts";
import { reference, type Schema } from "./schema.ts";

/** What `/api/v1` answers, as OpenAPI shows it. Closed: a field that is answered and not told of here is a fault. */

const texts = Type.Array(Type.String());

/** A page of a list. */
export function pageSchema<T>(item: TSchema & { static: T }): Schema<Page<T>> {
  return Type.Unsafe<Page<T>>(Type.Object({ items: Type.Array(item), next: optionalText }, closed));
}

export const ProjectSchema: Schema<Project> = Type.Object(
  { key: text, name: text, privateAttributes: texts, createdAt: time, revision },
  closed,
);

export const EnvironmentSchema: Schema<Environment> = Type.Object(
  {
    project: text,
    key: text,
    name: text,
    approvalsRequired: Type.Optional(Type.Integer({ minimum: 0 })),
    createdAt: time,
    revision,
  },
  closed,
);

export const SpaceSchema: Schema<Space> = Type.Object(
  {
    salt: text,
    by: optionalText,
    legacy: Type.Optional(Type.Object({ fn: text, points: Type.Integer(), text }, closed)),
  },
  closed,
);

const StaleReasonSchema: Schema<StaleReason> = Type.Object(
  { code: StaleReasonCodeSchema, environment: optionalText, since: time },
  closed,
);

export const FlagSchema: Schema<Flag> = Type.Object(
  {
    project: text,
    key: text,
    type: FlagTypeSchema,
    variants: Type.Record(Type.String(), JsonSchema),
    description: text,
    tags: texts,
    owner: optionalText,
    kind: FlagKindSchema,
    expectedLifetimeDays: Type.Optional(Type.Integer()),
    clientSide: Type.Boolean(),
    metadata: Type.Optional(FlagMetadataSchema),
    spaces: Type.Object({ share: SpaceSchema, split: SpaceSchema }, closed),
    archived: Type.Boolean(),
    createdAt: time,
    stale: Type.Optional(Type.Array(StaleReasonSchema)),
    revision,
  },
  closed,
);

const days = Type.Integer({ minimum: 1 });

/** When flags count as stale, as it is or as it is by default. */
export const StaleRuleReadSchema: Schema<Required<Omit<StaleRule, "reason">>> = Type.Object(
  { fullDays: days, unseenDays: days },
  closed,
);

/** How a flag decides, where the parts of its splits look like `part`. */
export function targetingFields(part: Schema<Part>): { readonly [name in keyof Targeting]-?: TSchema } {
  const serve: Schema<Serve> = Type.Unsafe<Serve>(
    Type.Union([Type.Object({ variant: text }, closed), Type.Object({ split: Type.Array(part) }, closed)]),
  );
  const rule: Schema<Rule> = Type.Object(
    { id: text, name: optionalText, when: Type.Optional(reference<Condition>("Condition")), serve },
    closed,
  );
  return {
    enabled: Type.Boolean(),
    off: optionalText,
    prerequisites: Type.Optional(Type.Array(FlagTestSchema)),
    rules: Type.Array(rule),
    fallthrough: Type.Optional(serve),
  };
}

export const TargetingSchema: Schema<Targeting> = Type.Unsafe<Targeting>(Type.Object(targetingFields(PartSchema), closed));

const RolloutStateSchema: Schema<RolloutState> = Type.Object({ percentage, variant: text }, closed);

export const FlagTargetingSchema: Schema<FlagTargeting> = Type.Object(
  {
    project: text,
    environment: text,
    flag: text,
    targeting: TargetingSchema,
    rollout: Type.Optional(RolloutStateSchema),
    revision,
  },
  closed,
);

const rollout = { project: text, environment: text, flag: text, percentage, enabled: Type.Boolean(), revision };

export const RolloutResultSchema: Schema<RolloutResult> = Type.Object({ ...rollout, from: percentage, variant: text }, closed);

/** Where a rollout stands; without a variant it never began. */
export const RolloutReadSchema: Schema<Omit<RolloutResult, "from" | "variant"> & { readonly variant?: string }> = Type.Object(
  { ...rollout, variant: optionalText },
  closed,
);

const codes = Object.keys(ERRORS) as ErrorCode[];

const BulkOutcomeSchema: Schema<BulkOutcome> = Type.Unsafe<BulkOutcome>(
  Type.Union([
    Type.Object({ flag: text, outcome: oneOf(["changed", "unchanged"]) }, closed),
    Type.Object({ flag: text, outcome: Type.Literal("refused"), code: oneOf(codes), users: optionalText }, closed),
  ]),
);

export const BulkResultSchema: Schema<BulkResult> = Type.Object(
  { project: text, results: Type.Array(BulkOutcomeSchema), revision },
  closed,
);

export const SegmentSchema: Schema<Segment> = Type.Object(
  { project: text, key: text, description: text, when: reference<Condition>("Condition"), createdAt: time, revision },
  closed,
);

const secret = Type.Optional(Type.String({ description: "Shown once; left out when a request is repeated" }));

const sdkKey = {
  id: text,
  project: text,
  environment: text,
  kind: SdkKeyKindSchema,
  name: text,
  createdAt: time,
  revoked: Type.Boolean(),
  previousUntil: Type.Optional(time),
  lastUsedAt: Type.Optional(time),
};

export const SdkKeySchema: Schema<SdkKey> = Type.Object(sdkKey, closed);

export const SdkKeyCreatedSchema: Schema<SdkKeyCreated> = Type.Object({ ...sdkKey, secret }, closed);

const scope = { projects: Type.Optional(texts), environments: Type.Optional(texts) };

const token = {
  id: text,
  name: text,
  role: RoleSchema,
  ...scope,
  issuer: optionalText,
  createdAt: time,
  expiresAt: Type.Optional(time),
  revoked: Type.Boolean(),
  previousUntil: Type.Optional(time),
  lastUsedAt: Type.Optional(time),
};

export const TokenSchema: Schema<Token> = Type.Object(token, closed);

export const TokenCreatedSchema: Schema<TokenCreated> = Type.Object({ ...token, secret }, closed);

export const SessionSchema: Schema<Session> = Type.Object(
  {
    actor: Type.Object({ id: text, name: text }, closed),
    roles: Type.Array(RoleSchema),
    ...scope,
    endsAt: Type.Optional(time),
  },
  closed,
);
