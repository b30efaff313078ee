import { Type } from "@sinclair/typebox";
import type { WebhookCreation, WebhookEdit, WebhookFormat } from "../webhooks.ts";
import { ReasonSchema } from "./api.ts";
import { KeySchema, oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

const WebhookFormatSchema: Schema<WebhookFormat> = oneOf(["json", "slack"]);

const name = Type.Optional(Type.String({ minLength: 1, maxLength: 200 }));
const url = Type.String({ maxLength: 2_048, description: "http or https, without user name and password" });
const types = Type.Optional(
  Type.Array(Type.String({ pattern: "^[a-z][a-z-]*(\\.[a-z][a-z-]*)*(\\.\\*)?$|^\\*$", maxLength: 128 }), {
    maxItems: 100,
    description: "Types of messages, `flag.edit`, or all that begin alike, `flag.*`; none: all",
  }),
);
const environments = Type.Optional(Type.Array(KeySchema, { maxItems: 1_000, description: "None: all" }));
const format = Type.Optional(WebhookFormatSchema);
const reason = ReasonSchema["properties"].reason;
const closed = { additionalProperties: false };

export const WebhookCreationSchema: Schema<WebhookCreation> = Type.Object(
  { key: KeySchema, name, url, types, environments, format, reason },
  closed,
);

export const WebhookEditSchema: Schema<WebhookEdit> = Type.Object(
  { name, url: Type.Optional(url), types, environments, format, enabled: Type.Optional(Type.Boolean()), reason },
  closed,
);
