import { Type } from "@sinclair/typebox";
import type { Condition, Draw, FlagKind, FlagMetadata, FlagTest, FlagType, Operator, Part, Test, Tracks } from "../flag.ts";
import type { Json } from "../json.ts";
import { KEY_PATTERN } from "../names.ts";
import { closed } from "./fields.ts";
import { reference, type Schema } from "./schema.ts";

/** Any JSON value. */
export const JsonSchema: Schema<Json> = Type.Unsafe<Json>(Type.Unknown({ description: "Any JSON value" }));

/** A key people choose. */
export const KeySchema: Schema<string> = Type.String({ pattern: KEY_PATTERN, "x-error": "invalid_key" });

const AttributePathSchema: Schema<string> = Type.String({ minLength: 1, maxLength: 256 });

export const FlagTypeSchema: Schema<FlagType> = oneOf(["boolean", "string", "number", "object"]);

/** Names that answers use for what Belay says of itself (OFREP, OpenFeature): nobody's metadata may say otherwise. */
const OWN_NAMES = ["flagSetId", "version", "contextId", "ruleId", "experiment", "release", "epoch", "unit"];

export const FlagMetadataSchema: Schema<FlagMetadata> = Type.Record(
  Type.String({ pattern: `^(?!(?:${OWN_NAMES.join("|")})$).{1,128}$` }),
  Type.Union([Type.String({ maxLength: 1_000 }), Type.Number(), Type.Boolean()]),
  { maxProperties: 50, description: `Told with every answer. Names other than ${OWN_NAMES.join(", ")}`, ...closed },
);

export const FlagKindSchema: Schema<FlagKind> = oneOf(["release", "experiment", "operational", "permission"]);

const OPERATORS: readonly Operator[] = [
  "in",
  "contains",
  "startsWith",
  "endsWith",
  "matches",
  "lt",
  "lte",
  "gt",
  "gte",
  "before",
  "after",
  "semverEq",
  "semverLt",
  "semverLte",
  "semverGt",
  "semverGte",
  "exists",
  "cidr",
];

const OperatorSchema: Schema<Operator> = oneOf(OPERATORS, { "x-error": "unknown_operator" });

const PpmSchema: Schema<number> = Type.Integer({ minimum: 0, maximum: 1_000_000, "x-error": "invalid_range" });

export const DrawSchema: Schema<Draw> = Type.Object(
  {
    space: Type.String({ minLength: 1, maxLength: 160 }),
    in: Type.Array(Type.Tuple([PpmSchema, PpmSchema], { "x-error": "invalid_range" }), { maxItems: 1_000 }),
  },
  closed,
);

const TestSchema: Schema<Test> = Type.Object({ attribute: AttributePathSchema, op: OperatorSchema, value: JsonSchema }, closed);

export const FlagTestSchema: Schema<FlagTest> = Type.Object(
  { flag: KeySchema, variants: Type.Array(KeySchema, { maxItems: 1_000 }) },
  closed,
);

const nested: Schema<Condition> = reference<Condition>("Condition");

/** A condition; it refers to itself under the id `Condition`, so a validator needs it among its references. */
export const ConditionSchema: Schema<Condition> = Type.Unsafe<Condition>(
  Type.Union(
    [
      Type.Object({ all: Type.Array(nested) }, closed),
      Type.Object({ any: Type.Array(nested) }, closed),
      Type.Object({ not: nested }, closed),
      Type.Object({ segment: KeySchema }, closed),
      Type.Object({ draw: DrawSchema }, closed),
      FlagTestSchema,
      TestSchema,
    ],
    { $id: "Condition" },
  ),
);

const epoch = Type.Optional(Type.Integer({ minimum: 0 }));

export const TracksSchema: Schema<Tracks> = Type.Unsafe<Tracks>(
  Type.Union([Type.Object({ experiment: KeySchema, epoch }, closed), Type.Object({ release: KeySchema, epoch }, closed)]),
);

export const PartSchema: Schema<Part> = Type.Unsafe<Part>(
  Type.Object(
    { variant: KeySchema, draws: Type.Array(DrawSchema, { maxItems: 16 }), tracks: Type.Optional(TracksSchema) },
    closed,
  ),
);

/** One of some texts. */
export function oneOf<T extends string>(texts: readonly T[], options: { readonly [keyword: string]: unknown } = {}): Schema<T> {
  return Type.Unsafe<T>(Type.Union(texts.map((text) => Type.Literal(text)) as never, { ...options, "x-one-of": texts }));
}
