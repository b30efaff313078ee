import { Type } from "@sinclair/typebox";
import type {
  ApprovalDraft,
  ApprovalRule,
  RequestDraft,
  RequestEdit,
  RequestOperation,
  RequestState,
  WallTime,
} from "../requests.ts";
import { ReasonSchema } from "./api.ts";
import { JsonSchema, KeySchema, oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

const closed = { additionalProperties: false } as const;
const { reason } = ReasonSchema["properties"];

const RequestOperationSchema: Schema<RequestOperation> = oneOf([
  "rollout",
  "targeting",
  "enabled",
  "switch",
  "restore",
  "promotion",
  "release-start",
  "flag",
  "archive",
  "segment",
  "holdout-end",
  "import",
]);

export const RequestStateSchema: Schema<RequestState> = oneOf([
  "open",
  "scheduled",
  "applied",
  "rejected",
  "withdrawn",
  "void",
  "failed",
  "superseded",
]);

const WallTimeSchema: Schema<WallTime> = Type.Object(
  {
    at: Type.String({ maxLength: 32, description: "Wall time without an offset, such as 2026-12-24T09:00" }),
    zone: Type.String({ maxLength: 64, description: "IANA name of a zone, such as Europe/Berlin" }),
  },
  closed,
);

const body = Type.Optional(Type.Record(Type.String(), JsonSchema, { description: "What the operation's own call takes" }));
const schedule = Type.Optional(WallTimeSchema);

export const RequestDraftSchema: Schema<RequestDraft> = Type.Unsafe<RequestDraft>(
  Type.Object({ operation: RequestOperationSchema, key: Type.Optional(KeySchema), body, schedule, reason }, closed),
);

export const RequestEditSchema: Schema<RequestEdit> = Type.Unsafe<RequestEdit>(Type.Object({ body, schedule, reason }, closed));

export const ApprovalDraftSchema: Schema<ApprovalDraft> = Type.Object(
  { hash: Type.String({ minLength: 1, maxLength: 100, description: "The request's hash, as you looked at it" }), reason },
  closed,
);

export const ApprovalRuleSchema: Schema<ApprovalRule> = Type.Object(
  { required: Type.Integer({ minimum: 0, maximum: 20 }), reason },
  closed,
);
