/*
 * Brings the kept tables of an experiment up to date, at the price of what arrived since.
 *
 *   new exposures ──> units that enter, units whose first exposure turned out to be an earlier one
 *   new events ──┬──> on the day a unit was last seen, or later: added to its totals ("step")
 *                └──> earlier than that: the unit is taken out as it was and brought in anew
 *
 * The first time every unit enters, and all its events are one step. Nothing goes through the days one by one: a metric's rows
 * of unit and day are put in order once, and what was there before each is a running sum over them.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { sumColumns } from "../../aggregate/added-sql.ts";
import { isFunnel, type Plan, type SumPlan, totalColumns, totalsOf } from "../../aggregate/plan.ts";
import { type AggregateRequest, OTHER_VALUES } from "../../aggregate/request.ts";
import { text } from "../sql.ts";
import { completionsOf, DAY_MS, entriesOf, eventsOf, totals } from "./events-sql.ts";
import { changeColumns, groupColumns, increments, segmentColumns } from "./increments-sql.ts";
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
  await connection.run(`create or replace temp table first_seen as ${enrolled(request, arrivedUnits(request, span))}`);
  await connection.run(`create or replace table ${tables.known} (segment INTEGER, value VARCHAR)`);
  await foldSegments(update);
  await connection.run(numberCells(tables, groups));
  await connection.run(`create or replace table ${tables.units} as ${inCells(tables, groups)}`);
  if (plan.sums.length === 0) return;
  await materialise(update, "happened", tables.units, span);
  await connection.run(
    `create or replace table ${tables.totals} as
      ${unitTotals(plan, `select * from happened union all ${entriesOf(plan.sums, tables.units)}`, tables.units)}`,
  );
  // What was there before the exposure is complete in the totals: of them, that is what units enter with.
  const before = new Set(plan.sums.flatMap(totalsOf).flatMap(({ column, among }) => (among === "pres" ? [column] : [])));
  const columns = changeColumns(plan.sums, (column) => ({
    old: "0.0::DOUBLE",
    added: before.has(column) ? column : "0.0::DOUBLE",
  }));
  const entered = `select cell, start_ms // ${DAY_MS} as day, true as is_first, ${columns} from ${tables.totals}`;
  await connection.run(`create or replace table ${tables.sums} as ${increments(entered, plan.sums)}`);
  await step(update, "select * from happened where hits <> 0", (column) => (before.has(column) ? `t.${column}` : "0"));
  await connection.run("drop table happened");
  await compact(update);
}

/** Takes in what arrived in a span of positions. */
export async function refresh(update: Update, span: Span): Promise<void> {
  const { connection, request, plan, tables } = update;
  await connection.run(
    `create or replace temp table met as
      select a.unit, a.key, least(a.lowest, k.lowest) as lowest, greatest(a.highest, k.highest) as highest,
        k.number as former, k.key is null or a.key < k.key as enters, a.lowest < k.lowest or a.highest > k.highest as sees_more
      from (${arrivedUnits(request, span)}) a left join ${tables.units} k using (unit)`,
  );
  await connection.run(`create or replace temp table entering as select * from met where enters`);
  // A variant more seen by somebody who stays where they are: only that is noted.
  await connection.run(
    `update ${tables.units} set lowest = m.lowest, highest = m.highest
      from (select * from met where sees_more and not enters) m where number = m.former`,
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
  await step(update, "select * from happened", (column) => `t.${column}`);
  await addUp(update, "select * from happened");
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
  await materialise(update, "undone", "leaving", await sinceOf(update, "leaving", span));
  const rows = unitDays("undone", "leaving", plan);
  await connection.run(`insert into ${tables.sums} ${increments(rows, plan.sums, -1)}`);
  await connection.run(`delete from ${tables.totals} where number in (select number from redone)`);
}

/** Puts units of new first exposures in the place of former ones; those are `coming` then. */
async function replaceUnits(update: Update, keys: string, former: string): Promise<void> {
  const { connection, request, tables } = update;
  await connection.run(
    `create or replace temp table first_seen as
      ${enrolled(request, `select unit, key, lowest, highest from ${keys}`)}`,
  );
  const groups = groupColumns(request.segments.length);
  await foldSegments(update);
  await connection.run(numberCells(tables, groups));
  await connection.run(`create or replace temp table coming as ${inCells(tables, groups)}`);
  await connection.run(`delete from ${tables.units} where number in (${former})`);
  await connection.run(`insert into ${tables.units} select * from coming`);
}

/**
 * Makes one of all values of a segment beyond the first hundred, of those first seen together the most common ones. What is known is
 * never forgotten, so that a unit that is brought in anew stays in its segment.
 */
async function foldSegments({ connection, request, tables: { known } }: Update): Promise<void> {
  for (const [index, column] of segmentColumns(request.segments.length).entries()) {
    const isKnown = `select value from ${known} where segment = ${index}`;
    await connection.run(
      `insert into ${known} select ${index}, ${column} from first_seen where ${column} not in (${isKnown}) group by ${column}
        order by count(*) desc, ${column} limit greatest(0, ${SEGMENT_VALUES_MAX} - (select count(*) from ${known} where segment = ${index}))`,
    );
    await connection.run(`update first_seen set ${column} = ${text(OTHER_VALUES)} where ${column} not in (${isKnown})`);
  }
}

const SEGMENT_VALUES_MAX = 100;

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
  await materialise(update, "done", "coming", await sinceOf(update, "coming", span));
  const rows = unitDays("done", "coming", plan);
  await connection.run(`insert into ${tables.sums} ${increments(rows, plan.sums)}`);
  await connection.run(
    `insert into ${tables.totals}
      ${unitTotals(plan, `select * from done union all ${entriesOf(plan.sums, "coming")}`, "coming")}`,
  );
}

/** Rows of the totals: units with all that some events come to. */
function unitTotals({ sums }: Plan, events: string, units: string): string {
  return `select number, u.cell, u.start_ms, t.* exclude (number)
    from (select number, max(day)::BIGINT as last_day, ${totals(sums)} from (${events}) group by number) t
    join ${units} u using (number)`;
}

/**
 * The span without what was made too early to count for any unit of a table. The moment of an event is that of its sender's
 * clock and at most the largest correction later, which keeps this exact and lets whole row groups be passed over.
 */
async function sinceOf({ connection, plan: { sums } }: Update, units: string, span: Span): Promise<Span> {
  const longest = Math.max(0, ...sums.map(({ query }) => query.covariateMs ?? 0));
  const reader = await connection.runAndReadAll(
    `select ((select min(start_ms) from ${units}) - (select greatest(0, max(clock_offset_ms)) from metric_events))::DOUBLE`,
  );
  const earliestMs = reader.getRows()[0]?.[0] as number | null;
  return earliestMs === null ? span : { ...span, madeFromMs: earliestMs - longest };
}

/** Brings the sums to what they are with some more events, of units that had `opening` and none on a later day. */
async function step({ connection, plan, tables }: Update, events: string, opening: (column: string) => string): Promise<void> {
  for (const sum of plan.sums) {
    const rows = hasOnce(sum) ? firstDays(sum, events, tables, opening) : runningDays(plan, sum, events, tables, opening);
    await connection.run(`insert into ${tables.sums} by name ${increments(rows, [sum])}`);
  }
}

/** Whether a unit is worth no more the second time: then its first day says all, and no rows need to be put in order. */
function hasOnce({ numerator, ceiling, hasCovariate }: SumPlan): boolean {
  return numerator.of === "events" && ceiling === 1 && !hasCovariate;
}

function firstDays(sum: SumPlan, events: string, { totals: kept }: KeptTables, opening: (column: string) => string): string {
  const columns = changeColumns([sum], (column) => ({ old: opening(column), added: "1.0::DOUBLE" }));
  return `select t.cell, d.day, false as is_first, ${columns}
    from (select number, min(day) as day from (${events}) where (hits & ${sum.numerator.bit}) <> 0 group by number) d
    join ${kept} t on t.number = d.number`;
}

function runningDays(
  plan: Plan,
  sum: SumPlan,
  events: string,
  { totals: kept }: KeptTables,
  opening: (column: string) => string,
): string {
  const columns = changeColumns([sum], (column) => ({
    old: `${opening(column)} + coalesce(sum(d.${column}) over earlier, 0)`,
    added: `d.${column}`,
  }));
  return `select t.cell, d.day, false as is_first, ${columns}
    from (${metricDays(plan, sum, events)}) d join ${kept} t on t.number = d.number
    window earlier as (partition by d.number order by d.day rows between unbounded preceding and 1 preceding)`;
}

/** What units did on each day that counts for one metric. */
function metricDays({ sums }: Plan, sum: SumPlan, events: string): string {
  const bits = sum.numerator.bit + (sum.denominator?.bit ?? 0);
  return `select number, day, ${totals(sums, [sum])} from (${events}) where ((hits | pres) & ${bits}) <> 0 group by number, day`;
}

/** Adds events to the totals of their units. */
async function addUp({ connection, plan, tables }: Update, events: string): Promise<void> {
  await connection.run(
    `update ${tables.totals} t set last_day = c.last_day, ${totalColumns(plan.sums)
      .map((column) => `${column} = t.${column} + c.${column}`)
      .join(", ")}
      from (select number, max(day) as last_day, ${totals(plan.sums)} from (${events}) group by number) c where t.number = c.number`,
  );
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
      select cell, day, ${columns.map((column) => `coalesce(sum(${column}), 0) as ${column}`).join(", ")} from ${tables.sums} group by cell, day`,
  );
  await connection.run(`create or replace table ${tables.sums} as select * from compacted`);
}
