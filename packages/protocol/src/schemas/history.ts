import { Type } from "@sinclair/typebox";
import type { Condition, Space } from "../flag.ts";
import type { Difference, PastState, RestoreDraft, RestoreResult, SharedDifference, StateDiff } from "../history.ts";
import type { SnapshotFlag } from "../snapshot.ts";
import { SpaceSchema } from "./answers.ts";
import { ReasonSchema } from "./api.ts";
import { closed, text } from "./fields.ts";
import { KeySchema, oneOf } from "./flag.ts";
import { reference, type Schema } from "./schema.ts";
import { SnapshotFlagSchema, SnapshotSchema } from "./snapshot.ts";

export const RestoreDraftSchema: Schema<RestoreDraft> = Type.Object(
  {
    revision: Type.Integer({ minimum: 1 }),
    flags: Type.Optional(Type.Array(KeySchema, { minItems: 1, maxItems: 1_000, uniqueItems: true })),
    reason: ReasonSchema["properties"].reason,
  },
  closed,
);

const revision = Type.Integer({ minimum: 0 });
const place = { project: text, environment: text };

export const PastStateSchema: Schema<PastState> = Type.Object(
  {
    ...place,
    revision,
    at: Type.String({ description: "RFC 3339, in UTC: when the revision was made" }),
    change: Type.Integer({ description: "Id of the change that made it" }),
    snapshot: SnapshotSchema,
  },
  closed,
);

/** A definition of one kind before and after. */
function differenceSchema<K extends Difference["kind"], T>(kind: K, definition: Schema<T>): Schema<unknown> {
  const optional = Type.Optional(definition);
  return Type.Object({ kind: Type.Literal(kind), key: text, before: optional, after: optional }, closed);
}

const DifferenceSchema: Schema<Difference> = Type.Unsafe<Difference>(
  Type.Union([
    differenceSchema<"flag", SnapshotFlag>("flag", SnapshotFlagSchema),
    differenceSchema<"segment", Condition>("segment", reference<Condition>("Condition")),
    differenceSchema<"space", Space>("space", SpaceSchema),
  ]),
);

export const StateDiffSchema: Schema<StateDiff> = Type.Object(
  { ...place, from: revision, to: revision, differences: Type.Array(DifferenceSchema) },
  closed,
);

const SharedDifferenceSchema: Schema<SharedDifference> = Type.Object(
  {
    kind: oneOf<SharedDifference["kind"]>(["flag", "segment"]),
    key: text,
    since: oneOf<SharedDifference["since"]>(["created", "changed", "archived", "deleted"]),
  },
  closed,
);

export const RestoreResultSchema: Schema<RestoreResult> = Type.Object(
  {
    ...place,
    restoredFrom: revision,
    restored: Type.Array(text),
    differs: Type.Array(SharedDifferenceSchema),
    revision,
  },
  closed,
);
