import { Type } from "@sinclair/typebox";
import type { Instance } from "../api.ts";
import type { Receipt } from "../events.ts";
import type { Schema } from "./schema.ts";

export const ReceiptSchema: Schema<Receipt> = Type.Object(
  {
    instance: Type.String({ minLength: 1, maxLength: 64 }),
    sdk: Type.String({ minLength: 1, maxLength: 64 }),
    revision: Type.Integer({ minimum: 0 }),
  },
  { additionalProperties: false },
);

/** An instance as people read of it. */
export const InstanceSchema: Schema<Instance> = Type.Object(
  {
    instance: Type.String(),
    sdk: Type.String(),
    environment: Type.String(),
    revision: Type.Integer({ minimum: 0 }),
    seenAt: Type.String({ description: "RFC 3339, in UTC" }),
    via: Type.Optional(Type.Array(Type.String(), { description: "Relays its receipts come by, the one it speaks to first" })),
  },
  { additionalProperties: false },
);
