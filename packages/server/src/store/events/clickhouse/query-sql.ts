/* How questions become SQL. */
import type { PageRequest } from "../engine.ts";
import type { EventKind, EventQuery, LedgerQuery } from "../event-store.ts";
import { type Escaping, type LineFormat, linesOf } from "./row-text.ts";
import { anyOf, receivedBefore, receivedSince, text, whole } from "./sql.ts";
import type { TableName, Tables } from "./tables.ts";

/** A page of lines, of those too that a document is made of. */
export type LinesRequest = Omit<PageRequest, "format"> & { readonly format: LineFormat };

export const TABLE_OF: Readonly<Record<EventKind, TableName>> = { exposures: "exposures", metrics: "metric_events" };

/** Where the rows of a query lie: one row of `n`, `first` and `last`. */
export function extentSql(tables: Tables, query: EventQuery): string {
  return `select toFloat64(count()) as n, toFloat64(min(position)) as first, toFloat64(max(position)) as last
    from ${tables.name(TABLE_OF[query.kind])} where ${whereOf(query)}`;
}

/**
 * A page as one row of binary: how many rows, the position of the last, whether there are characters that need every escape,
 * and the lines as one text. To be run on one thread, which keeps the lines in order.
 */
export function pageSql(tables: Tables, request: LinesRequest, escaping: Escaping): string {
  const rows = `select * from ${tables.name(TABLE_OF[request.kind])}
    where position > ${whole(request.after)} and position <= ${whole(request.through)} and ${whereOf(request)}
    order by position limit ${whole(request.limit)}`;
  return `select toUInt64(count()), max(position), toUInt8(max(is_rare)), arrayStringConcat(groupArray(line), '')
    from (${linesOf(request.kind, request.format, escaping, rows)}) format RowBinary`;
}

/** Lines of the ledger; of an experiment and a release the absent one is empty. */
export function ledgerSql(tables: Tables, query: LedgerQuery): string {
  const where = [`project = ${text(query.project)}`];
  for (const name of ["experiment", "release"] as const) {
    const value = query[name];
    if (value !== undefined) where.push(`${name} = ${text(value)}`);
  }
  if (query.environments !== undefined) where.push(anyOf("environment", query.environments));
  const of = where.join(" and ");
  const none = "toUInt64(0)";
  const from = (table: TableName, values: readonly string[]): string => {
    const totals = values.map((value, index) => `${value} as of_${TOTALS[index]}`);
    return `select ${ARM}, ${totals.join(", ")} from ${tables.name(table)} where ${of}`;
  };
  const [produced, dropped, ...summed] = TOTALS;
  const totals = [
    ...[produced, dropped].map((name) => `toFloat64(max(of_${name})) as ${name}`),
    ...summed.map((name) => `toFloat64(sum(of_${name})) as ${name}`),
  ];
  return `select ${ARM}, ${totals.join(", ")} from (
      ${from("arm_reports", ["produced", "dropped", none, none, none])}
      union all ${from("arm_stored", [none, none, "stored", none, "late"])}
      union all ${from("arm_duplicates", [none, none, none, "duplicates", none])})
    group by ${ARM} order by ${ARM}`;
}

const ARM = "environment, instance, experiment, release, variant";
const TOTALS = ["produced", "dropped", "stored", "duplicates", "late"] as const;

const FILTERS: Readonly<Record<EventKind, readonly ("flag" | "experiment" | "release" | "variant" | "name" | "unit")[]>> = {
  exposures: ["flag", "experiment", "release", "variant", "unit"],
  metrics: ["name", "unit"],
};

/** The rows a query means. */
export function whereOf(query: EventQuery): string {
  const where = [`project = ${text(query.project)}`];
  for (const name of FILTERS[query.kind]) {
    const value = query[name];
    if (value !== undefined) where.push(`${name} = ${text(value)}`);
  }
  if (query.environments !== undefined) where.push(anyOf("environment", query.environments));
  if (query.differs !== undefined) where.push(`differs = ${Number(query.differs)}`);
  if (query.oneUnitIn !== undefined) where.push(`murmurHash3_32(unit) % ${whole(query.oneUnitIn)} = 0`);
  if (query.fromMs !== undefined) where.push(receivedSince(query.fromMs));
  if (query.toMs !== undefined) where.push(receivedBefore(query.toMs));
  return where.join(" and ");
}
