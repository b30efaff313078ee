import { type TSchema, Type } from "@sinclair/typebox";
import type { Condition, Part } from "../flag.ts";
import type { Snapshot, SnapshotFlag } from "../snapshot.ts";
import { SpaceSchema, targetingFields } from "./answers.ts";
import { closed, count, text } from "./fields.ts";
import { FlagMetadataSchema, FlagTypeSchema, JsonSchema, PartSchema } from "./flag.ts";
import { reference, type Schema } from "./schema.ts";

/** Everything an environment decides with, as SDKs get it. Closed: what is not told of here never leaves the server. */

const stamped = {
  epoch: Type.Optional(count),
  differs: Type.Optional(Type.Boolean({ description: "Stamped for browsers, where it is the same for every unit" })),
};

const ServedPartSchema: Schema<Part> = Type.Unsafe<Part>(
  Type.Object(
    {
      ...PartSchema["properties"],
      tracks: Type.Optional(
        Type.Union([Type.Object({ experiment: text, ...stamped }, closed), Type.Object({ release: text, ...stamped }, closed)]),
      ),
    },
    closed,
  ),
);

export const SnapshotFlagSchema: Schema<SnapshotFlag> = Type.Unsafe<SnapshotFlag>(
  Type.Object(
    {
      type: FlagTypeSchema,
      variants: Type.Record(Type.String(), JsonSchema),
      spaces: Type.Optional(Type.Record(Type.String(), SpaceSchema)),
      metadata: Type.Optional(FlagMetadataSchema),
      ...targetingFields(ServedPartSchema),
    },
    closed,
  ),
);

function snapshotSchema(flag: TSchema): Schema<Snapshot> {
  return Type.Unsafe<Snapshot>(
    Type.Object(
      {
        format: Type.Literal(1),
        project: text,
        environment: text,
        revision: count,
        spaces: Type.Record(Type.String(), SpaceSchema),
        segments: Type.Record(Type.String(), reference<Condition>("Condition")),
        flags: Type.Record(Type.String(), flag),
      },
      closed,
    ),
  );
}

export const SnapshotSchema: Schema<Snapshot> = snapshotSchema(SnapshotFlagSchema);

/** In a browser's snapshot a malformed flag is emptied: it decides nothing there, and nothing of it is told. */
export const ServedSnapshotSchema: Schema<Snapshot> = snapshotSchema(
  Type.Union([SnapshotFlagSchema, Type.Object({}, { ...closed, description: "Malformed: the caller's default" })]),
);
