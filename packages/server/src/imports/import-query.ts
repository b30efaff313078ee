/* How a request says what its file means. */
import type { Schema } from "@belay/protocol/schemas";
import { type TSchema, Type } from "@sinclair/typebox";
import { KINDS, type Name } from "../exposures/pull-routes.ts";
import { ProblemError } from "../http/problem.ts";
import { readZone, type TimeUnit } from "./moments.ts";
import { FIELDS, type ImportField, type ImportFormat, type ImportPlan, placeByName } from "./plan.ts";
import { isFault, RowReader } from "./row.ts";

type Delimiter = "comma" | "semicolon" | "tab" | "pipe";

interface FixedQuery {
  readonly kind: Name;
  readonly environment: string;
  readonly zone?: string;
  readonly timeUnit?: TimeUnit;
  readonly delimiter?: Delimiter;
  readonly extra?: string | readonly string[];
  readonly reason?: string;
}

/** Besides these, `<field>=<column>` and `set.<field>=<value>` for every field of the kind. */
export type ImportQuery = FixedQuery & { readonly [name in ImportField | `set.${ImportField}`]?: string };

const ALL_FIELDS: readonly ImportField[] = [...new Set([...FIELDS.exposures, ...FIELDS.metrics])];

const column = Type.String({ minLength: 1, maxLength: 256 });
const value = Type.String({ minLength: 1, maxLength: 4_096 });
const oneOf = (names: readonly string[], description: string): TSchema =>
  Type.Union(
    names.map((name) => Type.Literal(name)),
    { description },
  );

const MAPPED = Object.fromEntries(
  ALL_FIELDS.flatMap((field) => [
    [field, Type.Optional(Type.String({ ...column, description: `Column of the ${field}; ${field} when absent` }))],
    [`set.${field}`, Type.Optional(Type.String({ ...value, description: `The ${field} of every row` }))],
  ]),
);

export const ImportQuerySchema: Schema<ImportQuery> = Type.Unsafe<ImportQuery>(
  Type.Object(
    {
      kind: oneOf(Object.keys(KINDS), "What the rows are. Assignments are exposures: a unit met an arm"),
      environment: Type.String({ minLength: 1, maxLength: 128, description: "Where the events belong" }),
      zone: Type.Optional(
        Type.String({ maxLength: 16, description: "Zone of times without one: UTC, or an offset such as +02:00" }),
      ),
      timeUnit: Type.Optional(oneOf(["s", "ms", "us"], "What times that are plain numbers count, from 1970 on")),
      delimiter: Type.Optional(oneOf(["comma", "semicolon", "tab", "pipe"], "Between the cells of a CSV; comma")),
      extra: Type.Optional(
        Type.Union([column, Type.Array(column, { maxItems: 64 })], {
          description: "Columns kept under their own names among the attributes or properties; may be given several times",
        }),
      ),
      reason: Type.Optional(Type.String({ maxLength: 1_000 })),
      ...MAPPED,
    },
    { additionalProperties: false },
  ),
);

/**
 * The plan a query means.
 *
 * @throws `unknown_field` for a field the kind does not have, `invalid_field` for a zone or a value that is none.
 */
export function planOf(query: ImportQuery, format: ImportFormat): ImportPlan {
  const kind = KINDS[query.kind];
  const { zone, timeUnit, delimiter = "comma", extra = [] } = query;
  refuseOthers(query, FIELDS[kind]);
  const zoneMinutes = zone === undefined ? undefined : readZone(zone);
  if (zone !== undefined && zoneMinutes === undefined) {
    throw new ProblemError("invalid_field", {
      field: "zone",
      received: zone,
      reason: "it is neither UTC nor an offset such as +02:00",
    });
  }
  const plan: ImportPlan = {
    kind,
    format,
    columns: pick(FIELDS[kind], (field) => query[field]),
    constants: pick(FIELDS[kind], (field) => query[`set.${field}`]),
    extra: typeof extra === "string" ? [extra] : [...extra],
    ...(zoneMinutes === undefined ? {} : { zoneMinutes }),
    ...(timeUnit === undefined ? {} : { timeUnit }),
    ...(format === "csv" ? { delimiter: DELIMITERS[delimiter] } : {}),
  };
  checkConstants(plan);
  return plan;
}

const DELIMITERS: Readonly<Record<Delimiter, string>> = { comma: ",", semicolon: ";", tab: "\t", pipe: "|" };

function refuseOthers(query: ImportQuery, allowed: readonly ImportField[]): void {
  for (const field of ALL_FIELDS) {
    if (allowed.includes(field)) continue;
    for (const name of [field, `set.${field}`] as const) {
      if (query[name] !== undefined) throw new ProblemError("unknown_field", { field: name, received: query[name], allowed });
    }
  }
}

function pick(
  fields: readonly ImportField[],
  saidOf: (field: ImportField) => string | undefined,
): { readonly [field in ImportField]?: string } {
  const picked: { [field in ImportField]?: string } = {};
  for (const field of fields) {
    const value = saidOf(field);
    if (value !== undefined) picked[field] = value;
  }
  return picked;
}

/** Values for every row are tried on one that is otherwise good: one that is wrong would reject them all. */
function checkConstants(plan: ImportPlan): void {
  const { constants } = plan;
  const places = placeByName({ ...plan, columns: {} });
  const hasSubject = constants.experiment !== undefined || constants.release !== undefined;
  const sample: { readonly [field: string]: unknown } = {
    unit: "unit",
    variant: "variant",
    name: "name",
    time: new Date(0),
    ...(hasSubject ? {} : { experiment: "experiment" }),
  };
  const reader = new RowReader({ ...plan, columns: {}, extra: [] }, places);
  const cells = (column: string): unknown => sample[column];
  const read = plan.kind === "exposures" ? reader.exposure(1, cells) : reader.metric(1, cells);
  if (!isFault(read)) return;
  const { field, received, reason } = read;
  throw new ProblemError("invalid_field", { field: `set.${field}`, reason, ...(received === undefined ? {} : { received }) });
}
