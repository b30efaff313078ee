/* How questions become SQL, and rows lines: DuckDB writes the text itself, so that no row passes through JavaScript. */
import type { EventKind, EventQuery, LedgerQuery, RowFormat } from "../event-store.ts";
import { COLUMNS, type Column, FORMULA_START, isText } from "../formats.ts";
import { moment, text, type Where } from "./sql.ts";
import { ARM_TABLES } from "./tables.ts";

export const TABLE_OF: Readonly<Record<EventKind, string>> = { exposures: "exposures", metrics: "metric_events" };

/** The rows a query means. */
export function whereOf(query: EventQuery): Where {
  const { environments, oneUnitIn, fromMs, toMs } = query;
  const sql = ["project = ?"];
  const values = [query.project];
  for (const name of FILTERS[query.kind]) {
    const value = query[name];
    if (value === undefined) continue;
    sql.push(`${name} = ?`);
    values.push(value);
  }
  if (environments !== undefined) {
    sql.push(anyOf("environment", environments.length));
    values.push(...environments);
  }
  if (query.differs !== undefined) sql.push(query.differs ? "differs" : "not differs");
  if (oneUnitIn !== undefined) sql.push(`hash(unit) % ${Math.trunc(oneUnitIn)} = 0`);
  if (fromMs !== undefined) sql.push(`received_at >= ${moment(fromMs)}`);
  if (toMs !== undefined) sql.push(`received_at < ${moment(toMs)}`);
  return { sql: sql.join(" and "), values };
}

/**
 * Rows of a span in order of arrival, as one text: its bytes, the number of rows and the position of the last. Cells are made
 * as rows are scanned: there what repeats is still stored once, and a function of it is computed once per value, not per row.
 */
export function pageSql(query: { readonly kind: EventKind; readonly format: RowFormat }, where: Where, span: Span): string {
  const columns = COLUMNS[query.kind];
  const { cell, line } = LINES[query.format];
  const cells = columns.map((column, index) => `${cell(column)} as c${index}`);
  return `select encode(string_agg(${line(columns)}, '' order by nth)), count(*), max(nth)
    from (select position as nth, ${cells.join(", ")} from ${TABLE_OF[query.kind]} where ${within(span)} and ${where.sql}
      order by position limit ${span.limit})`;
}

/** Of the rows of a span: their number, the position of the last, and the bytes of their free-form column. */
export function weighSql(kind: EventKind, where: Where, span: Span): string {
  const free = kind === "exposures" ? "attributes" : "properties";
  return `select count(*)::DOUBLE, max(position)::DOUBLE, coalesce(sum(strlen(${free})), 0)::DOUBLE
    from (select position, ${free} from ${TABLE_OF[kind]} where ${within(span)} and ${where.sql}
      order by position limit ${span.limit})`;
}

/** Rows of a span in order of arrival, a value for each column: moments as microseconds, or as milliseconds. */
export function columnsSql(kind: EventKind, where: Where, span: Omit<Span, "limit">, moments: "us" | "ms"): string {
  const columns = COLUMNS[kind].map((column) => `${typed(column, moments)} as ${column.name}`);
  return `select ${columns.join(", ")} from ${TABLE_OF[kind]} where ${within(span)} and ${where.sql} order by position`;
}

/** The same from a file of lines, in the order of their cursors. */
export function pressSql(kind: EventKind, path: string, moments: "us" | "ms"): string {
  const columns = COLUMNS[kind].map((column) => `${ofLine(column, moments)} as ${column.name}`);
  const types = COLUMNS[kind].map(({ name, type }) => `${name}: '${LINE_TYPES[type]}'`);
  return `select ${columns.join(", ")} from read_json(${text(path)}, format = 'newline_delimited', columns = {${types.join(", ")}}) line
    order by line.cursor::BIGINT`;
}

/**
 * Of rows of `columnsSql` or `pressSql`: all texts of a column end to end, for each column that has any. To read them one by
 * one costs more than everything else about a row.
 */
export function textsSql(kind: EventKind, rows: string): string {
  const texts = COLUMNS[kind].filter(isText).map(({ name }) => `encode(string_agg(${name}, '' order by cursor::BIGINT))`);
  return `select ${texts.join(", ")} from (${rows})`;
}

/** Of the same rows, in their order: a text's length in bytes, and other values as they are. */
export function cellsSql(kind: EventKind, rows: string): string {
  const cells = COLUMNS[kind].map((column) => (isText(column) ? `strlen(${column.name})::INTEGER` : column.name));
  return `select ${cells.join(", ")} from (${rows}) order by cursor::BIGINT`;
}

/** In lines moments are text, and free-form objects too: what reads JSON would write them anew. */
const LINE_TYPES: Readonly<Record<Column["type"], string>> = {
  text: "VARCHAR",
  json: "VARCHAR",
  whole: "BIGINT",
  number: "DOUBLE",
  truth: "BOOLEAN",
  moment: "VARCHAR",
};

function ofLine({ name, type }: Column, moments: "us" | "ms"): string {
  if (type !== "moment") return `line.${name}`;
  const time = `replace(line.${name}, 'Z', '')::TIMESTAMP`;
  return moments === "us" ? `timezone('UTC', ${time})` : `epoch_ms(${time})`;
}

const within = ({ after, through }: Omit<Span, "limit">): string => `position > ${after} and position <= ${through}`;

function typed(column: Column, moments: "us" | "ms"): string {
  if (column.type !== "moment") return source(column);
  return moments === "us" ? `timezone('UTC', ${source(column)})` : `epoch_ms(${source(column)})`;
}

export interface Span {
  readonly after: number;
  readonly through: number;
  readonly limit: number;
}

/**
 * Rows of the ledger's tables whose instance was not heard since a moment. Takes the project, and once more per table. What is
 * left of an instance must still add up: reports are running totals, and half of what it stored would look like loss.
 */
export function silentSql(since: string): string {
  const heard = ARM_TABLES.map(
    (table) => `select environment, instance from ${table} where project = ? and received_at >= ${since}`,
  );
  return `project = ? and (environment, instance) not in (${heard.join(" union all ")})`;
}

export function ledgerSql(query: LedgerQuery): Where {
  const filters = ["project = ?"];
  const values = [query.project];
  for (const name of ["experiment", "release"] as const) {
    const value = query[name];
    if (value === undefined) continue;
    filters.push(`${name} = ?`);
    values.push(value);
  }
  if (query.environments !== undefined) {
    filters.push(anyOf("environment", query.environments.length));
    values.push(...query.environments);
  }
  const where = filters.join(" and ");
  const arm = "environment, instance, experiment, release, variant";
  return {
    sql: `select ${arm}, max(produced)::DOUBLE, max(dropped)::DOUBLE, sum(stored)::DOUBLE, sum(duplicates)::DOUBLE,
        sum(late)::DOUBLE from (
        select ${arm}, produced, dropped, 0 as stored, 0 as duplicates, 0 as late from arm_reports where ${where}
        union all select ${arm}, 0, 0, stored, 0, late from arm_stored where ${where}
        union all select ${arm}, 0, 0, 0, duplicates, 0 from arm_duplicates where ${where})
      group by ${arm} order by ${arm}`,
    values: [...values, ...values, ...values],
  };
}

const FILTERS: Readonly<Record<EventKind, readonly ("flag" | "experiment" | "release" | "variant" | "name" | "unit")[]>> = {
  exposures: ["flag", "experiment", "release", "variant", "unit"],
  metrics: ["name", "unit"],
};

/** Of an empty list nothing is any. */
function anyOf(column: string, values: number): string {
  return values === 0 ? "false" : `${column} in (${Array.from({ length: values }, () => "?").join(", ")})`;
}

/** How a format writes a cell, and joins the cells `c0`, `c1`... to a line. A cell that is null leaves its place empty. */
interface LineFormat {
  readonly cell: (column: Column) => string;
  readonly line: (columns: readonly Column[]) => string;
}

/** One `concat` of all pieces: a chain of `||` would copy the growing line once per column. */
const LINES: Readonly<Record<RowFormat, LineFormat>> = {
  ndjson: {
    cell: jsonCell,
    line: (columns) =>
      `concat(${columns.map(({ name }, at) => `'${at === 0 ? "{" : ","}"${name}":', c${at}`).join(", ")}, '}', chr(10))`,
  },
  csv: {
    cell: csvCell,
    line: (columns) => `concat(${columns.map((_, at) => `c${at}`).join(", ',', ")}, chr(13), chr(10))`,
  },
};

/** Columns that are made when they are asked for. */
const MADE: Readonly<Record<string, string>> = {
  id: "(instance || '-' || seq)",
  cursor: "position::VARCHAR",
};

/** Only these may be absent: looking whether one is costs as much as writing it. */
const NULLABLE: readonly string[] = ["rule", "experiment", "release", "differs", "attributes", "value", "properties"];

const source = ({ name }: Column): string => MADE[name] ?? name;

function jsonCell(column: Column): string {
  const cell = presentJsonCell(column);
  return NULLABLE.includes(column.name) ? `coalesce(${cell}, 'null')` : cell;
}

function presentJsonCell({ name, type }: Column): string {
  // An instance has no character that JSON would escape.
  if (name === "id") return `'"' || instance || '-' || seq || '"'`;
  if (name === "cursor") return `'"' || position || '"'`;
  if (type === "text") return `to_json(${name})::VARCHAR`;
  return type === "moment" ? `'"' || ${rfc3339(name)} || '"'` : `${name}::VARCHAR`;
}

/** Text is always quoted; what is absent is empty without quotes. */
function csvCell({ name, type }: Column): string {
  // What would make it a formula stands before the number.
  if (name === "id") return `'"' || ${harmless("instance || '-'")} || seq || '"'`;
  if (name === "cursor") return `'"' || position || '"'`;
  if (type === "text") return `'"' || ${harmless(name)} || '"'`;
  // An object: what begins with a brace is no formula.
  if (type === "json") return `'"' || replace(${name}, '"', '""') || '"'`;
  return type === "moment" ? rfc3339(name) : `${name}::VARCHAR`;
}

/** Of the ways to write this the one that is computed once per value: a `case` is asked for every row. */
function harmless(value: string): string {
  return `replace(regexp_replace(${value}, ${text(FORMULA_START)}, '''\\0'), '"', '""')`;
}

function rfc3339(value: string): string {
  return `strftime(${value}, '%Y-%m-%dT%H:%M:%S.%gZ')`;
}
