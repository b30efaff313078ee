import { Type } from "@sinclair/typebox";
import type {
  DeliveryAttempt,
  Webhook,
  WebhookCreated,
  WebhookCreation,
  WebhookDelivery,
  WebhookEdit,
  WebhookFormat,
} from "../webhooks.ts";
import { ReasonSchema } from "./api.ts";
import { closed, text, time } from "./fields.ts";
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

export const WebhookCreationSchema: Schema<WebhookCreation> = Type.Object(
  { key: KeySchema, name, url, types, environments, format, reason },
  closed,
);

export const WebhookEditSchema: Schema<WebhookEdit> = Type.Object(
  { name, url: Type.Optional(url), types, environments, format, enabled: Type.Optional(Type.Boolean()), reason },
  closed,
);

const texts = Type.Array(text);

const webhook = {
  project: text,
  key: text,
  name: text,
  url: text,
  types: texts,
  environments: texts,
  format: WebhookFormatSchema,
  enabled: Type.Boolean(),
  createdAt: time,
  revision: Type.Integer({ minimum: 0, description: "Revision at which this last changed: its ETag" }),
};

export const WebhookSchema: Schema<Webhook> = Type.Object(webhook, closed);

export const WebhookCreatedSchema: Schema<WebhookCreated> = Type.Object(
  {
    ...webhook,
    secret: Type.Optional(Type.String({ description: "Shown once; left out when a request is repeated" })),
  },
  closed,
);

const AttemptSchema: Schema<DeliveryAttempt> = Type.Object(
  {
    at: time,
    durationMs: Type.Number({ minimum: 0 }),
    status: Type.Optional(Type.Integer({ description: "HTTP status of the answer; absent where none came" })),
    fault: Type.Optional(text),
  },
  closed,
);

export const WebhookDeliverySchema: Schema<WebhookDelivery> = Type.Object(
  {
    id: text,
    webhook: text,
    type: text,
    createdAt: time,
    status: oneOf<WebhookDelivery["status"]>(["pending", "delivered", "dead"]),
    attempts: Type.Array(AttemptSchema),
    nextAttemptAt: Type.Optional(time),
  },
  closed,
);
