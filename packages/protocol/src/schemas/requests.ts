import { Type } from "@sinclair/typebox";
import type {
  Approval,
  ApprovalDraft,
  ApprovalRule,
  ChangeRequest,
  ListedRequest,
  Person,
  RequestDraft,
  RequestEdit,
  RequestEnd,
  RequestedChange,
  RequestOperation,
  RequestState,
  WallTime,
} from "../requests.ts";
import { ReasonSchema } from "./api.ts";
import { closed, optionalText, text, time } from "./fields.ts";
import { JsonSchema, KeySchema, oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

const { reason } = ReasonSchema["properties"];

const OPERATIONS: readonly RequestOperation[] = [
  "rollout",
  "targeting",
  "enabled",
  "switch",
  "restore",
  "promotion",
  "release-start",
  "flag",
  "reshuffle",
  "archive",
  "segment",
  "holdout-end",
  "import",
];

const RequestOperationSchema: Schema<RequestOperation> = oneOf(OPERATIONS, {
  description: "`switch` and `archive` are the calls for many flags: `archive` with the action `restore` brings flags back",
});

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

const person = { id: text, name: text };

const PersonSchema: Schema<Person> = Type.Object(person, closed);

export const ApprovalSchema: Schema<Approval> = Type.Object({ ...person, at: time }, closed);

const RequestedChangeSchema: Schema<RequestedChange> = Type.Object(
  {
    kind: text,
    key: text,
    environment: optionalText,
    before: Type.Optional(JsonSchema),
    after: Type.Optional(JsonSchema),
  },
  closed,
);

const EndSchema: Schema<RequestEnd> = Type.Object(
  { at: time, by: Type.Optional(PersonSchema), code: optionalText, reason: optionalText },
  closed,
);

const listed = {
  id: text,
  project: text,
  environment: text,
  operation: RequestOperationSchema,
  key: optionalText,
  state: RequestStateSchema,
  author: PersonSchema,
  reason: optionalText,
  createdAt: time,
  hash: text,
  needed: Type.Integer({ minimum: 0 }),
  approvals: Type.Array(ApprovalSchema),
  schedule: Type.Optional(Type.Object({ at: text, zone: text, due: time }, closed)),
  end: Type.Optional(EndSchema),
  revision: Type.Integer({ minimum: 0, description: "Revision at which this last changed: its ETag" }),
};

export const ListedRequestSchema: Schema<ListedRequest> = Type.Object(listed, closed);

export const ChangeRequestSchema: Schema<ChangeRequest> = Type.Object(
  { ...listed, body: JsonSchema, changes: Type.Array(RequestedChangeSchema) },
  closed,
);
