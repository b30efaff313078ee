import { Type } from "@sinclair/typebox";
import type { Promotion } from "../bundle.ts";
import type { ArmFlow, Movement, Preview, PreviewRequest, RuleFlow, ShareBounds, VariantFlow } from "../preview.ts";
import { TargetingSchema } from "./answers.ts";
import { FlagEditSchema, ReshuffleDraftSchema, RolloutDraftSchema, TargetingDraftSchema } from "./api.ts";
import { closed, percentage, text } from "./fields.ts";
import { oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

export const PreviewRequestSchema: Schema<PreviewRequest> = Type.Unsafe<PreviewRequest>(
  Type.Union([
    Type.Object({ targeting: TargetingDraftSchema }, closed),
    Type.Object({ rollout: RolloutDraftSchema }, closed),
    Type.Object({ flag: FlagEditSchema }, closed),
    Type.Object({ reshuffle: ReshuffleDraftSchema }, closed),
  ]),
);

const BoundsSchema: Schema<ShareBounds> = Type.Object({ min: percentage, max: percentage }, closed);

const VariantFlowSchema: Schema<VariantFlow> = Type.Object(
  { from: Type.Optional(text), to: Type.Optional(text), share: BoundsSchema },
  { ...closed, description: "An absent variant is the caller's default" },
);

const RuleFlowSchema: Schema<RuleFlow> = Type.Object(
  {
    place: oneOf<RuleFlow["place"]>(["rule", "fallthrough", "off"]),
    rule: Type.Optional(text),
    before: BoundsSchema,
    after: BoundsSchema,
    changed: BoundsSchema,
  },
  closed,
);

const ArmFlowSchema: Schema<ArmFlow> = Type.Object({ experiment: text, moved: BoundsSchema }, closed);

const movement = {
  basis: oneOf<Movement["basis"]>(["exact", "bounds"]),
  unexplored: Type.Optional(percentage),
  changed: BoundsSchema,
  variants: Type.Array(VariantFlowSchema),
  rules: Type.Array(RuleFlowSchema),
  experiments: Type.Array(ArmFlowSchema),
};

export const PreviewSchema: Schema<Preview> = Type.Object(
  {
    project: text,
    environment: text,
    flag: text,
    revision: Type.Integer({ minimum: 0 }),
    ...movement,
    leastMovement: Type.Optional(Type.Object({ targeting: TargetingSchema, changed: BoundsSchema }, closed)),
  },
  closed,
);

export const PromotionSchema: Schema<Promotion> = Type.Object(
  {
    project: text,
    flag: text,
    from: text,
    to: text,
    before: TargetingSchema,
    after: TargetingSchema,
    movement: Type.Object(movement, closed),
    plan: Type.String({ description: "Names this change: a promotion with it makes exactly it, or none" }),
  },
  closed,
);
