import type { DocumentFormat, EventKind, PullFormat, RowFormat } from "./event-store.ts";

/**
 * A column of a pull. Text may be empty or strange; a moment is RFC 3339 in UTC, or a timestamp in UTC; JSON is written as it
 * was received, as text where the format has types. `whole` numbers are 64-bit integers there, `number`s doubles.
 */
export interface Column {
  readonly name: string;
  readonly type: "text" | "whole" | "number" | "truth" | "moment" | "json";
}

const column = (type: Column["type"], ...names: string[]): Column[] => names.map((name) => ({ name, type }));

/**
 * The columns of each kind, in the order they are written. `time` is the sender's clock and `received_at` this server's:
 * nothing is corrected, `clock_offset_ms` says what a correction would add. `cursor` resumes a pull after its row.
 */
export const COLUMNS: Readonly<Record<EventKind, readonly Column[]>> = {
  exposures: [
    ...column("text", "id"),
    ...column("moment", "time", "received_at"),
    ...column("text", "project", "environment"),
    ...column("whole", "revision"),
    ...column("text", "flag", "variant", "rule", "experiment", "release", "unit"),
    ...column("truth", "differs"),
    ...column("json", "attributes"),
    ...column("text", "sdk", "instance"),
    ...column("whole", "seq", "epoch", "clock_offset_ms"),
    ...column("text", "cursor"),
  ],
  metrics: [
    ...column("text", "id"),
    ...column("moment", "time", "received_at"),
    ...column("text", "project", "environment", "name", "unit"),
    ...column("number", "value"),
    ...column("json", "properties"),
    ...column("text", "sdk", "instance"),
    ...column("whole", "seq", "clock_offset_ms"),
    ...column("text", "cursor"),
  ],
};

/** Is it text where the format has types? */
export function isText({ type }: Column): boolean {
  return type === "text" || type === "json";
}

export function isDocument(format: PullFormat): format is DocumentFormat {
  return format === "parquet" || format === "arrow";
}

/** What stands before the rows. */
export function headerOf(kind: EventKind, format: RowFormat): Uint8Array | undefined {
  if (format === "ndjson") return undefined;
  return Buffer.from(`${COLUMNS[kind].map(({ name }) => name).join(",")}\r\n`);
}

/**
 * Where a cell that a spreadsheet would run as a formula begins, also behind blanks and in full-width forms. Such a cell
 * gets an apostrophe in CSV; NDJSON is exact. The syntax is RE2's.
 */
export const FORMULA_START: string = String.raw`^[\s\x{00}\x{A0}\x{FEFF}\x{3000}]*[=+\-@\x{2212}\x{FF1D}\x{FF0B}\x{FF0D}\x{FF20}]|^[\t\r]`;
