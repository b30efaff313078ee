import { Type } from "@sinclair/typebox";
import type { PreviewRequest } from "../preview.ts";
import { RolloutDraftSchema, TargetingDraftSchema } from "./api.ts";
import type { Schema } from "./schema.ts";

const closed = { additionalProperties: false } as const;

export const PreviewRequestSchema: Schema<PreviewRequest> = Type.Unsafe<PreviewRequest>(
  Type.Union([Type.Object({ targeting: TargetingDraftSchema }, closed), Type.Object({ rollout: RolloutDraftSchema }, closed)]),
);
