import { Type } from "@sinclair/typebox";
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
