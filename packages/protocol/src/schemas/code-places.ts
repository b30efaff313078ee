import { Type } from "@sinclair/typebox";
import type { CodePlace, CodePlaces, CodePlacesDraft, PlaceInCode } from "../code-places.ts";
import { ReasonSchema } from "./api.ts";
import { closed } from "./fields.ts";
import { KeySchema } from "./flag.ts";
import type { Schema } from "./schema.ts";

const file = Type.String({ minLength: 1, maxLength: 512, description: "Path from the repository's root" });
const line = Type.Integer({ minimum: 1 });

const CodePlaceSchema: Schema<CodePlace> = Type.Object({ flag: KeySchema, file, line }, closed);

const version = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, description: "What was scanned: a commit, or another name of a version" }),
);

export const CodePlacesSchema: Schema<CodePlaces> = Type.Object(
  {
    project: Type.String(),
    repository: Type.String(),
    at: Type.String({ description: "RFC 3339, in UTC" }),
    version,
    places: Type.Array(CodePlaceSchema),
    revision: Type.Integer({ minimum: 0 }),
  },
  closed,
);

export const CodePlacesDraftSchema: Schema<CodePlacesDraft> = Type.Object(
  { version, places: Type.Array(CodePlaceSchema, { maxItems: 2_000 }), reason: ReasonSchema["properties"].reason },
  closed,
);

export const PlaceInCodeSchema: Schema<PlaceInCode> = Type.Object({ repository: Type.String(), file, line }, closed);
