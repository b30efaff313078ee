/* What is read out of the kept tables: by everybody, and by each segment for itself. */
import { sumColumns } from "../../aggregate/added-sql.ts";
import type { Plan, QuantilePlan, SumPlan } from "../../aggregate/plan.ts";
import type { AggregateRequest } from "../../aggregate/request.ts";
import { aged, DAY_MS, isWithin } from "./events-sql.ts";
import { changeColumns, increments, segmentColumns } from "./increments-sql.ts";
import type { KeptTables } from "./kept-state.ts";
import { double, isSelected, numberOf } from "./selection-sql.ts";

/** Rows of variant, epoch, segment index (-1: everybody), its value, day, units, crossed. */
export function armsSql(request: AggregateRequest, tables: KeptTables): string {
  const counts = `select cell, start_ms // ${DAY_MS} as day, count(*)::DOUBLE as units,
    count(case when lowest <> highest then 1 end)::DOUBLE as crossed from ${tables.units} group by cell, day`;
  return marginal(counts, ["day"], ["units", "crossed"], request, tables);
}

/** Rows of variant, epoch, segment index, value, day, n, and the sums of all metrics. */
export function sumsSql(request: AggregateRequest, tables: KeptTables, plan: Plan): string {
  return marginal(`select * from ${tables.sums}`, ["day"], ["n", ...sumNames(plan.sums)], request, tables);
}

/** The same of units whose window of some length is over, for the metrics of that length. */
export function ripeSql(request: AggregateRequest, tables: KeptTables, sums: readonly SumPlan[], toMs: number): string {
  const { asOfMs, untilMs } = request;
  const over = Math.trunc(Math.min(asOfMs, untilMs ?? asOfMs));
  const length = Math.trunc(toMs);
  const columns = changeColumns(sums, (column) => ({ old: "0.0::DOUBLE", added: column }));
  const rows = `select cell, (start_ms + ${length}) // ${DAY_MS} as day, true as is_first, ${columns}
    from ${tables.totals} where start_ms + ${length} <= ${over}`;
  return marginal(increments(rows, sums), ["day"], ["n", ...sumNames(sums)], request, tables);
}

/** Rows of variant, epoch, segment index, value, class of values, their sum and count. */
export function classesSql(request: AggregateRequest, tables: KeptTables, plan: QuantilePlan, through: number): string {
  const classed = `select cell, ${CLASS} as class, sum(v)::DOUBLE as total, count(*)::DOUBLE as count
    from (${valuesSql(request, tables, plan, through)}) group by cell, class`;
  return marginal(classed, ["class"], ["total", "count"], request, tables);
}

/** Rows of variant, epoch, segment index, value, and of units their number and sums of [below, events]. */
export function clustersSql(request: AggregateRequest, tables: KeptTables, plan: QuantilePlan, through: number): string {
  const clusters = `with happened as materialized (${valuesSql(request, tables, plan, through)}),
      cut as (select quantile_disc(v, ${double(plan.quantile)}) as at from happened),
      clusters as (select cell, number, count(case when v < cut.at then 1 end)::DOUBLE as b, count(*)::DOUBLE as d
        from happened, cut group by cell, number)
    select cell, count(*)::DOUBLE as n, sum(b) as below, sum(d) as events, sum(b * b) as bb, sum(b * d) as bd,
      sum(d * d) as dd from clusters group by cell`;
  return marginal(clusters, [], ["n", "below", "events", "bb", "bd", "dd"], request, tables);
}

const sumNames = (sums: readonly SumPlan[]): string[] =>
  sums.flatMap((plan) => [...sumColumns(plan).first, ...sumColumns(plan).second]);

/** Classes of values half a percent wide, by sign and logarithm. */
const CLASS = "case when v = 0 then 0 else sign(v) * (1000000 + floor(ln(abs(v)) * 200)) end";

function valuesSql(request: AggregateRequest, { units }: KeptTables, { query, events }: QuantilePlan, through: number): string {
  const happened = aged(request, units, { after: 0, through }, [events.name], [numberOf(events)]);
  return `select u.cell, u.number, v from
    (select number, v0 as v from (${happened}) where ${isSelected(events)} and ${isWithin(query)} and v0 is not null) e
    join ${units} u on u.number = e.number`;
}

/** Sums up rows of cells by variant and epoch, and with each segment apart. */
function marginal(
  rows: string,
  keys: readonly string[],
  sums: readonly string[],
  { segments: { length: segments } }: AggregateRequest,
  { cells }: KeptTables,
): string {
  const base = ["variant", "epoch", ...keys];
  const sets = [base, ...segmentColumns(segments).map((column) => [...base, column])].map((set) => `(${set.join(", ")})`);
  const isGrouped = (column: string): string => `grouping(${column}) = 0`;
  const index = segmentColumns(segments)
    .map((column, at) => `when ${isGrouped(column)} then ${at}`)
    .join(" ");
  const value = segmentColumns(segments)
    .map((column) => `when ${isGrouped(column)} then ${column}`)
    .join(" ");
  return `select variant, epoch::DOUBLE, ${index === "" ? "-1" : `case ${index} else -1 end`} as segment,
      ${value === "" ? "''" : `case ${value} else '' end`} as value, ${[...keys.map((key) => `${key}::DOUBLE`), ...sums.map((sum) => `sum(${sum})::DOUBLE`)].join(", ")}
    from (${rows}) join ${cells} using (cell) group by grouping sets (${sets.join(", ")}) order by all`;
}
