import { Type } from "@sinclair/typebox";
import type { Change } from "../api.ts";
import { closed, optionalText, text } from "./fields.ts";
import { JsonSchema } from "./flag.ts";
import { ApprovalSchema } from "./requests.ts";
import type { Schema } from "./schema.ts";

const revision = Type.Integer({ minimum: 0 });

/** A row of the audit log, as OpenAPI shows it. */
export const ChangeSchema: Schema<Change> = Type.Object(
  {
    id: Type.Integer({ minimum: 1 }),
    project: optionalText,
    environment: optionalText,
    revision,
    raised: Type.Record(Type.String(), revision, { description: "Revisions it made, by environment" }),
    at: Type.String({ description: "RFC 3339, in UTC" }),
    actor: Type.Object({ id: text, name: text }, closed),
    reason: optionalText,
    requestId: text,
    action: text,
    target: Type.Object({ kind: text, key: text }, closed),
    before: Type.Optional(JsonSchema),
    after: Type.Optional(JsonSchema),
    approvals: Type.Optional(Type.Array(ApprovalSchema)),
  },
  closed,
);
