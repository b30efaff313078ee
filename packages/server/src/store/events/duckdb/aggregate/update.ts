/*
 * Brings the kept tables of an experiment up to date, at the price of what arrived since.
 *
 *   new exposures ──> units that enter, units whose first exposure turned out to be an earlier one
 *   new events ──┬──> on the day a unit was last seen, or later: added to its totals ("step")
 *                └──> earlier than that: the unit is taken out as it was and brought in anew
 *
 * The first time every unit enters: a build is that same work, day by day from the first.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { isFunnel, type Plan } from "../../aggregate/plan.ts";
import type { AggregateRequest } from "../../aggregate/request.ts";
import { columnsOf, completionsOf, entriesOf, eventsOf, totals } from "./events-sql.ts";
import { changeColumns, groupColumns, increments, segmentColumns, sumColumns } from "./increments-sql.ts";
import type { KeptTables } from "./kept-state.ts";
import { arrivedUnits, enrolled, type Span } from "./units-sql.ts";

export interface Update {
  readonly connection: DuckDBConnection;
  readonly request: AggregateRequest;
  readonly plan: Plan;
  readonly tables: KeptTables;
}

/** Makes the tables from all events up to a position. */
export async function build(update: Update, through: number): Promise<void> {
  const { connection, request, plan, tables } = update;
  const span = { after: 0, through };
  const groups = groupColumns(request.segments.length);
  await connection.run(
    `create or replace table ${tables.cells} (cell INTEGER, variant VARCHAR, epoch BIGINT
      ${segmentColumns(request.segments.length)
        .map((column) => `, ${column} VARCHAR`)
        .join("")})`,
  );
  await connection.run(
    `create or replace temp table first_seen as ${enrolled(arrivedUnits(request, span), request.segments, 0)}`,
  );
  await connection.run(numberCells(tables, groups));
  await connection.run(`create or replace table ${tables.units} as ${inCells(tables, groups)}`);
  if (plan.sums.length === 0) return;
  await materialise(update, "happened", tables.units, span);
  const entries = `select * from happened where hits = 0 union all ${entriesOf(plan.sums, tables.units)}`;
  await connection.run(
    `create or replace table ${tables.totals} as
      select number, u.cell, u.start_ms, t.* exclude (number) from (
        select number, min(day)::BIGINT as last_day, ${totals(plan.sums)} from (${entries}) group by number) t
      join ${tables.units} u using (number)`,
  );
  const columns = changeColumns(plan.sums, (column) => ({ old: "0.0::DOUBLE", added: column }));
  await connection.run(
    `create or replace table ${tables.sums} as
      ${increments(`select cell, last_day as day, true as is_first, ${columns} from ${tables.totals}`, plan.sums)}`,
  );
  await step(update, "select * from happened where hits <> 0");
  await compact(update);
}

/** Takes in what arrived in a span of positions. */
export async function refresh(update: Update, span: Span): Promise<void> {
  const { connection, request, plan, tables } = update;
  await connection.run(`create or replace temp table arrived_units as ${arrivedUnits(request, span)}`);
  await connection.run(
    `create or replace temp table entering as
      select a.unit, a.key, least(a.lowest, k.lowest) as lowest, greatest(a.highest, k.highest) as highest, k.number as former
      from arrived_units a left join ${tables.units} k using (unit) where k.key is null or a.key < k.key`,
  );
  // A variant more seen by somebody who stays where they are: only that is noted.
  await connection.run(
    `update ${tables.units} set lowest = least(lowest, a.low), highest = greatest(highest, a.high)
      from (select unit as who, lowest as low, highest as high from arrived_units) a
      where unit = a.who and (a.low < lowest or a.high > highest)`,
  );
  if (plan.sums.length === 0) return replaceUnits(update, "entering", "select former from entering where former is not null");
  await materialise(update, "happened", tables.units, span);
  await connection.run(
    `create or replace temp table redone as
      select distinct number from (
        select former as number from entering where former is not null
        union all
        select h.number from happened h join ${tables.totals} t on t.number = h.number
          where h.steps or h.day < t.last_day)`,
  );
  await connection.run(
    `create or replace temp table reentering as
      select unit, key, lowest, highest from entering
      union all
      select unit, key, lowest, highest from ${tables.units}
        where number in (select number from redone) and unit not in (select unit from entering)`,
  );
  await takeOut(update, { after: 0, through: span.after });
  await connection.run("delete from happened where number in (select number from redone)");
  await replaceUnits(update, "reentering", "select number from redone");
  await step(update, "select * from happened");
  await bringIn(update, { after: 0, through: span.through });
  await compact(update);
}

/** The events of units as a temporary table, completed funnels among them. */
async function materialise({ connection, request, plan }: Update, name: string, units: string, span: Span): Promise<void> {
  await connection.run(`create or replace temp table ${name} as ${eventsOf(request, plan, units, span)}`);
  // A completion is looked for in everything a unit did: only where all of it is in the span.
  if (span.after > 0) return;
  for (const funnel of plan.sums.filter(isFunnel)) {
    await connection.run(`insert into ${name} ${completionsOf(request, funnel, plan.sums, units, span)}`);
  }
  await connection.run(`delete from ${name} where hits = 0 and pres = 0`);
}

/** Takes what the redone units brought in back out of the sums; they are still as they were. */
async function takeOut(update: Update, span: Span): Promise<void> {
  const { connection, plan, tables } = update;
  await connection.run(
    `create or replace temp table leaving as select * from ${tables.units} where number in (select number from redone)`,
  );
  await materialise(update, "undone", "leaving", span);
  const rows = unitDays("undone", "leaving", plan);
  await connection.run(`insert into ${tables.sums} ${increments(rows, plan.sums, -1)}`);
  await connection.run(`delete from ${tables.totals} where number in (select number from redone)`);
}

/** Puts units of new first exposures in the place of former ones; those are `coming` then. */
async function replaceUnits({ connection, request, tables }: Update, keys: string, former: string): Promise<void> {
  const base = await connection.runAndReadAll(`select coalesce(max(number), 0)::DOUBLE from ${tables.units}`);
  await connection.run(
    `create or replace temp table first_seen as
      ${enrolled(`select unit, key, lowest, highest from ${keys}`, request.segments, base.getRows()[0]?.[0] as number)}`,
  );
  const groups = groupColumns(request.segments.length);
  await connection.run(numberCells(tables, groups));
  await connection.run(`create or replace temp table coming as ${inCells(tables, groups)}`);
  await connection.run(`delete from ${tables.units} where number in (${former})`);
  await connection.run(`insert into ${tables.units} select * from coming`);
}

/** Gives numbers to the groups of the units first seen that have none yet. */
function numberCells({ cells }: KeptTables, groups: readonly string[]): string {
  return `insert into ${cells} select (select coalesce(max(cell), 0) from ${cells}) + row_number() over (), ${groups.join(", ")}
    from (select distinct ${groups.join(", ")} from first_seen) anti join ${cells} using (${groups.join(", ")})`;
}

function inCells({ cells }: KeptTables, groups: readonly string[]): string {
  return `select number, unit, cell, key, start_ms, lowest, highest from first_seen join ${cells} using (${groups.join(", ")})`;
}

/** Brings in units with all they ever did. */
async function bringIn(update: Update, span: Span): Promise<void> {
  const { connection, plan, tables } = update;
  await materialise(update, "done", "coming", span);
  const rows = unitDays("done", "coming", plan);
  await connection.run(`insert into ${tables.sums} ${increments(rows, plan.sums)}`);
  await connection.run(
    `insert into ${tables.totals}
      select number, u.cell, u.start_ms, t.* exclude (number) from (
        select number, max(day)::BIGINT as last_day, ${totals(plan.sums)}
        from (select * from done union all ${entriesOf(plan.sums, "coming")}) group by number) t
      join coming u using (number)`,
  );
}

/** Adds events to the totals of units that are there, day by day: no event is of a day before the last of its unit. */
async function step({ connection, plan, tables }: Update, events: string): Promise<void> {
  const columns = columnsOf(plan.sums);
  const days = await connection.runAndReadAll(`select distinct day::DOUBLE from (${events}) order by 1`);
  for (const [day] of days.getRows()) {
    const changed = changeColumns(plan.sums, (column) => ({ old: `t.${column}`, added: `d.${column}` }));
    await connection.run(
      `create or replace temp table changes as
        select d.number, t.cell, d.day, false as is_first, ${changed}
        from (select number, day, ${totals(plan.sums)} from (${events}) where day = ${Number(day)} group by number, day) d
        join ${tables.totals} t on t.number = d.number`,
    );
    await connection.run(`insert into ${tables.sums} ${increments("select * from changes", plan.sums)}`);
    await connection.run(
      `update ${tables.totals} t set last_day = c.day, ${columns.map((column) => `${column} = c.o_${column} + c.d_${column}`).join(", ")}
        from changes c where t.number = c.number`,
    );
  }
}

/** Rows for `increments` of units with all they did: their days in order, each with what was there before it. */
function unitDays(events: string, units: string, { sums }: Plan): string {
  const before = "(partition by number order by day rows between unbounded preceding and 1 preceding)";
  const columns = changeColumns(sums, (column) => ({ old: `coalesce(sum(${column}) over ${before}, 0)`, added: column }));
  return `select u.cell, d.* from (
    select number, day, row_number() over (partition by number order by day) = 1 as is_first, ${columns}
    from (select number, day, ${totals(sums)} from (select * from ${events} union all ${entriesOf(sums, units)}) group by number, day)
    ) d join ${units} u using (number)`;
}

/** Adds up the rows of the sums that are about the same. */
async function compact({ connection, plan, tables }: Update): Promise<void> {
  const columns = ["n", ...plan.sums.flatMap((sum) => [...sumColumns(sum).first, ...sumColumns(sum).second])];
  await connection.run(
    `create or replace temp table compacted as
      select cell, day, ${columns.map((column) => `sum(${column}) as ${column}`).join(", ")} from ${tables.sums} group by cell, day`,
  );
  await connection.run(`create or replace table ${tables.sums} as select * from compacted`);
}
