/* What an import means: which field of an event comes from which column, or is the same for all rows. */
import type { EventKind } from "../store/events/index.ts";
import type { TimeRules } from "./moments.ts";

export type ImportFormat = "csv" | "ndjson" | "parquet";

/** The fields of an event that a file can give, by kind, those that every row must have first. */
export const FIELDS: Readonly<Record<EventKind, readonly ImportField[]>> = {
  exposures: ["unit", "variant", "time", "flag", "experiment", "release", "epoch", "revision", "rule", "differs", "attributes"],
  metrics: ["unit", "name", "time", "value", "properties"],
};

const REQUIRED: Readonly<Record<EventKind, readonly ImportField[]>> = {
  exposures: ["unit", "variant", "time"],
  metrics: ["unit", "name", "time"],
};

export type ImportField =
  | "unit"
  | "variant"
  | "time"
  | "flag"
  | "experiment"
  | "release"
  | "epoch"
  | "revision"
  | "rule"
  | "differs"
  | "attributes"
  | "name"
  | "value"
  | "properties";

/** Everything that decides how rows become events; two imports of one file under one plan are the same import. */
export interface ImportPlan extends TimeRules {
  readonly kind: EventKind;
  readonly format: ImportFormat;
  /** Columns that were named for a field. A field that is not here is looked for under its own name. */
  readonly columns: { readonly [field in ImportField]?: string };
  /** What is the same in every row; it goes before any column. */
  readonly constants: { readonly [field in ImportField]?: string };
  /** What stands between the cells of a CSV; a comma when absent. */
  readonly delimiter?: string;
  /** Columns kept, under their own names, among the attributes or properties. */
  readonly extra: readonly string[];
}

/** A column that is asked for and that the file does not have. */
export interface MissingColumn {
  readonly field: string;
  readonly column: string;
}

/** The column of each field in a file whose columns are known. */
export type Places = { readonly [field in ImportField]?: string };

/** Where the fields are in a file with these columns; or the first column that is missing. */
export function placeFields(plan: ImportPlan, columns: readonly string[]): Places | MissingColumn {
  const places: { [field in ImportField]?: string } = {};
  for (const field of FIELDS[plan.kind]) {
    if (plan.constants[field] !== undefined) continue;
    const column = plan.columns[field] ?? field;
    if (columns.includes(column)) places[field] = column;
    else if (plan.columns[field] !== undefined || REQUIRED[plan.kind].includes(field)) return { field, column };
  }
  const missing = plan.extra.find((column) => !columns.includes(column));
  return missing === undefined ? places : { field: "extra", column: missing };
}

/** Where the fields are in rows that each name their own columns. */
export function placeByName(plan: ImportPlan): Places {
  const fields = FIELDS[plan.kind].filter((field) => plan.constants[field] === undefined);
  return Object.fromEntries(fields.map((field) => [field, plan.columns[field] ?? field]));
}

export function isMissing(placed: Places | MissingColumn): placed is MissingColumn {
  return "column" in placed && "field" in placed;
}
