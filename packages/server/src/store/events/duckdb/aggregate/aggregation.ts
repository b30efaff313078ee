import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { sumColumns } from "../../aggregate/added-sql.ts";
import { type Plan, planOf, type SumPlan } from "../../aggregate/plan.ts";
import {
  type Aggregate,
  type AggregateRequest,
  type ArmCell,
  type Group,
  METRICS_MAX,
  type OutcomeCell,
  type PairCell,
  type PairsRequest,
  type QuantileCell,
  type Scope,
} from "../../aggregate/request.ts";
import { armsSql, classesSql, clustersSql, ripeSql, sumsSql } from "./answer-sql.ts";
import { teachHash } from "./hash-function.ts";
import { forgetUnused, type KeptTables, keep, keptOf, tablesFor } from "./kept-state.ts";
import { pairStatements } from "./pairs-sql.ts";
import { build, refresh } from "./update.ts";

/** Answers from the kept tables, which are brought up to date first. To be run in a transaction of its own. */
export async function aggregate(connection: DuckDBConnection, request: AggregateRequest): Promise<Aggregate> {
  const plan = planOf(request.metrics);
  if (plan.sums.length > METRICS_MAX) throw new Error(`at most ${METRICS_MAX} metrics are computed side by side`);
  if ("holdout" in request.subject) teachHash(connection);
  const tables = tablesFor(request);
  const through = await highestPosition(connection);
  const kept = await keptOf(connection, tables, plan.sums.length > 0);
  const update = { connection, request, plan, tables };
  if (kept === undefined) await build(update, through);
  else if (kept.through < through) await refresh(update, { after: kept.through, through });
  const refreshes = kept === undefined ? 0 : kept.refreshes + (kept.through < through ? 1 : 0);
  await keep(connection, tables, request.project, { through, refreshes });
  await forgetUnused(connection);
  return {
    arms: (await rows(connection, armsSql(request, tables))).map(armOf),
    outcomes: await outcomesOf(connection, request, tables, plan),
    quantiles: await quantilesOf(connection, request, tables, plan, through),
  };
}

/** Cells of all pairs of experiments that share units. */
export async function pairs(connection: DuckDBConnection, request: PairsRequest): Promise<readonly PairCell[]> {
  const { preparation, answer } = pairStatements(request, await highestPosition(connection));
  for (const statement of preparation) await connection.run(statement);
  return (await rows(connection, answer)).map(([a, b, variantA, variantB, n, first, second]) => ({
    experiments: [a as number, b as number],
    variants: [variantA as string, variantB as string],
    n: n as number,
    first: first as number,
    second: second as number,
  }));
}

async function outcomesOf(
  connection: DuckDBConnection,
  request: AggregateRequest,
  tables: KeptTables,
  plan: Plan,
): Promise<OutcomeCell[]> {
  if (plan.sums.length === 0) return [];
  const all = (await rows(connection, sumsSql(request, tables, plan))).flatMap((row) => cellsOf(row, plan.sums, "all"));
  const ripe: OutcomeCell[] = [];
  const lengths = new Set(plan.sums.flatMap(({ query }) => query.window.toMs ?? []));
  for (const toMs of lengths) {
    const sums = plan.sums.filter(({ query }) => query.window.toMs === toMs);
    const found = await rows(connection, ripeSql(request, tables, sums, toMs));
    ripe.push(...found.flatMap((row) => cellsOf(row, sums, "ripe")));
  }
  return [...all, ...ripe];
}

/** A row holds the sums of all metrics side by side. */
function cellsOf(row: readonly DuckDBValue[], sums: readonly SumPlan[], scope: Scope): OutcomeCell[] {
  const [day, n] = [row[4] as number, row[5] as number];
  const cells: OutcomeCell[] = [];
  let at = 6;
  for (const plan of sums) {
    const columns = sumColumns(plan);
    const first = row.slice(at, at + columns.first.length) as number[];
    at += columns.first.length;
    const second = row.slice(at, at + columns.second.length) as number[];
    at += columns.second.length;
    const isEmpty = n === 0 && [...first, ...second].every((sum) => sum === 0);
    if (!isEmpty) cells.push({ metric: plan.query.key, scope, ...groupOf(row), day, n, first, second });
  }
  return cells;
}

async function quantilesOf(
  connection: DuckDBConnection,
  request: AggregateRequest,
  tables: KeptTables,
  { quantiles }: Plan,
  through: number,
): Promise<QuantileCell[]> {
  const cells: QuantileCell[] = [];
  for (const quantile of quantiles) {
    const values = new Map<string, { value: number; count: number }[]>();
    for (const row of await rows(connection, classesSql(request, tables, quantile, through))) {
      const [total, count] = [row[5] as number, row[6] as number];
      const key = JSON.stringify(groupOf(row));
      values.set(key, [...(values.get(key) ?? []), { value: total / count, count }]);
    }
    for (const row of await rows(connection, clustersSql(request, tables, quantile, through))) {
      const group = groupOf(row);
      const [n = 0, below = 0, events = 0, bb = 0, bd = 0, dd = 0] = row.slice(4) as number[];
      const classes = values.get(JSON.stringify(group)) ?? [];
      cells.push({ metric: quantile.query.key, ...group, values: classes, n, first: [below, events], second: [bb, bd, dd] });
    }
  }
  return cells;
}

function armOf(row: readonly DuckDBValue[]): ArmCell {
  return { ...groupOf(row), day: row[4] as number, units: row[5] as number, crossed: row[6] as number };
}

function groupOf([variant, epoch, segment, value]: readonly DuckDBValue[]): Group {
  const group = { variant: variant as string, epoch: epoch as number };
  return segment === -1 ? group : { ...group, segment: { index: segment as number, value: value as string } };
}

async function highestPosition(connection: DuckDBConnection): Promise<number> {
  const [row] = await rows(
    connection,
    `select greatest((select coalesce(max(position), 0) from exposures), (select coalesce(max(position), 0) from metric_events))::DOUBLE`,
  );
  return row?.[0] as number;
}

async function rows(connection: DuckDBConnection, sql: string): Promise<DuckDBValue[][]> {
  return (await connection.runAndReadAll(sql)).getRows();
}
