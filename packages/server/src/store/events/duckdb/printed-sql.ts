/* A query in DuckDB's words, for people: over Parquet files they pulled, since the database file is its process's alone. */
import type { EventQuery, PrintedSql } from "../event-store.ts";
import { text } from "./sql.ts";

/** @param files pulls or day exports of one kind of events of the query's project, with `*` in the name. */
export function printedSql(query: EventQuery, files: string): PrintedSql {
  return { dialect: "duckdb", sql: `select * from read_parquet(${text(files)})${where(query)} order by cursor::bigint` };
}

const COLUMNS_FILTERED = ["flag", "experiment", "release", "variant", "name", "unit"] as const;

function where({ environments, oneUnitIn, fromMs, toMs, ...query }: EventQuery): string {
  const conditions = COLUMNS_FILTERED.flatMap((column) => {
    const value = query[column];
    return value === undefined ? [] : [`${column} = ${text(value)}`];
  });
  if (environments !== undefined) conditions.unshift(`environment in (${environments.map(text).join(", ") || "null"})`);
  if (query.differs !== undefined) conditions.push(query.differs ? "differs" : "not differs");
  if (oneUnitIn !== undefined) conditions.push(`hash(unit) % ${Math.trunc(oneUnitIn)} = 0`);
  if (fromMs !== undefined) conditions.push(`received_at >= ${momentLiteral(fromMs)}`);
  if (toMs !== undefined) conditions.push(`received_at < ${momentLiteral(toMs)}`);
  return conditions.length === 0 ? "" : ` where ${conditions.join(" and ")}`;
}

function momentLiteral(ms: number): string {
  return `timestamptz '${new Date(ms).toISOString()}'`;
}
