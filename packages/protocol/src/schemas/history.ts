import { Type } from "@sinclair/typebox";
import type { RestoreDraft } from "../history.ts";
import { ReasonSchema } from "./api.ts";
import { KeySchema } from "./flag.ts";
import type { Schema } from "./schema.ts";

export const RestoreDraftSchema: Schema<RestoreDraft> = Type.Object(
  {
    revision: Type.Integer({ minimum: 1 }),
    flags: Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 1_000, uniqueItems: true })),
    reason: ReasonSchema["properties"].reason,
  },
  { additionalProperties: false },
);
