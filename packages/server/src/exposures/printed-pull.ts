/* A pull in words that others understand: a command line, and SQL over files that were pulled before. */
import type { EventQuery, PullFormat } from "../store/events/index.ts";
import { FORMATS } from "./pull-formats.ts";
import type { FilterQuery } from "./pull-query.ts";

export interface PrintedPull {
  /** For a POSIX shell; the token is read from `BELAY_TOKEN`. */
  readonly curl: string;
  /** For DuckDB, in a folder of Parquet pulls or day exports of the project. */
  readonly sql: string;
}

/** What pulls of a project's events are called: `default-exposures`. */
export function fileStem(project: string, name: string): string {
  return `${project}-${name}`;
}

/** @param name as in the path: `exposures` or `metric-events`. @param origin scheme, host and port of this server. */
export function printPull(
  name: string,
  origin: string,
  query: EventQuery,
  filters: FilterQuery,
  format: PullFormat,
): PrintedPull {
  const stem = fileStem(query.project, name);
  const parameters = new URLSearchParams(Object.entries({ ...filters, format }));
  const url = `${origin}/api/v1/projects/${encodeURIComponent(query.project)}/${name}?${parameters.toString()}`;
  return {
    // Nothing in an encoded address ends the quotes around it.
    curl: `curl -fsS -H "authorization: Bearer $BELAY_TOKEN" -o ${stem}.${FORMATS[format].extension} '${url}'`,
    sql: `select * from read_parquet(${literal(`${stem}*.parquet`)})${where(query)} order by cursor::bigint`,
  };
}

const COLUMNS_FILTERED = ["flag", "experiment", "release", "variant", "name", "unit"] as const;

function where({ environments, fromMs, toMs, ...query }: EventQuery): string {
  const conditions = COLUMNS_FILTERED.flatMap((column) => {
    const value = query[column];
    return value === undefined ? [] : [`${column} = ${literal(value)}`];
  });
  if (environments !== undefined) conditions.unshift(`environment in (${environments.map(literal).join(", ") || "null"})`);
  if (query.differs !== undefined) conditions.push(query.differs ? "differs" : "not differs");
  if (fromMs !== undefined) conditions.push(`received_at >= ${momentLiteral(fromMs)}`);
  if (toMs !== undefined) conditions.push(`received_at < ${momentLiteral(toMs)}`);
  return conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function momentLiteral(ms: number): string {
  return `timestamptz '${new Date(ms).toISOString()}'`;
}
