import { sumColumns } from "../aggregate/added-sql.ts";
import { type Plan, planOf, type SumPlan } from "../aggregate/plan.ts";
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
} from "../aggregate/request.ts";
import { armsSql, classesSql, clustersSql, pairsSql, ripeSql, sumsSql } from "./aggregate-sql.ts";
import { type ClickHouseServer, type Manner, READING } from "./server.ts";
import type { Tables } from "./tables.ts";

/** Everything added up from the events themselves: nothing is kept between two questions. */
export async function aggregate(server: ClickHouseServer, tables: Tables, request: AggregateRequest): Promise<Aggregate> {
  const plan = planOf(request.metrics);
  if (plan.sums.length > METRICS_MAX) throw new Error(`at most ${METRICS_MAX} metrics are computed side by side`);
  const ask = (sql: string): Promise<Row[]> => server.rows<Row>(sql, AGGREGATING);
  const arms = marginal(await ask(armsSql(tables, request)), request, ["day"], ["units", "crossed"]);
  return {
    arms: arms.map(({ group, keys: [day = 0], sums: [units = 0, crossed = 0] }): ArmCell => ({ ...group, day, units, crossed })),
    outcomes: await outcomesOf(ask, tables, request, plan),
    quantiles: await quantilesOf(ask, tables, request, plan),
  };
}

export async function pairs(server: ClickHouseServer, tables: Tables, request: PairsRequest): Promise<readonly PairCell[]> {
  const rows = await server.rows<PairRow>(pairsSql(tables, request, planOf([request.metric])), AGGREGATING);
  return rows.map(({ a, b, va, vb, n, first, second }) => ({ experiments: [a, b], variants: [va, vb], n, first, second }));
}

type Row = Readonly<Record<string, string | number>>;
type Ask = (sql: string) => Promise<Row[]>;

interface PairRow {
  readonly a: number;
  readonly b: number;
  readonly va: string;
  readonly vb: string;
  readonly n: number;
  readonly first: number;
  readonly second: number;
}

const AGGREGATING: Manner = {
  settings: {
    ...READING.settings,
    max_query_size: "4000000",
    // Old versions push conditions into sub-selects that do not know the columns they are about.
    enable_optimize_predicate_expression: 0,
  },
  timeoutMs: 600_000,
};

async function outcomesOf(
  ask: Ask,
  tables: Tables,
  request: AggregateRequest,
  { sums, quantiles }: Plan,
): Promise<OutcomeCell[]> {
  if (sums.length === 0) return [];
  const cells = cellsOf(await ask(sumsSql(tables, request, { sums, quantiles })), request, sums, "all");
  for (const toMs of new Set(sums.flatMap(({ query }) => query.window.toMs ?? []))) {
    const ofLength = sums.filter(({ query }) => query.window.toMs === toMs);
    cells.push(...cellsOf(await ask(ripeSql(tables, request, ofLength, toMs)), request, ofLength, "ripe"));
  }
  return cells;
}

function cellsOf(rows: readonly Row[], request: AggregateRequest, sums: readonly SumPlan[], scope: Scope): OutcomeCell[] {
  return sums.flatMap((plan) => {
    const names = sumColumns(plan);
    return marginal(rows, request, ["day"], ["n", ...names.first, ...names.second]).flatMap(
      ({ group, keys: [day = 0], sums: all }) => {
        if (all.every((sum) => sum === 0)) return [];
        const [n = 0, ...values] = all;
        const first = values.slice(0, names.first.length);
        return [{ metric: plan.query.key, scope, ...group, day, n, first, second: values.slice(first.length) }];
      },
    );
  });
}

async function quantilesOf(ask: Ask, tables: Tables, request: AggregateRequest, { quantiles }: Plan): Promise<QuantileCell[]> {
  const cells: QuantileCell[] = [];
  for (const plan of quantiles) {
    const classes = marginal(await ask(classesSql(tables, request, plan)), request, ["class"], ["total", "count"]);
    const clusters = marginal(
      await ask(clustersSql(tables, request, plan)),
      request,
      [],
      ["n", "below", "events", "bb", "bd", "dd"],
    );
    for (const { group, sums } of clusters) {
      const [n = 0, below = 0, events = 0, bb = 0, bd = 0, dd = 0] = sums;
      const values = classes
        .filter((one) => JSON.stringify(one.group) === JSON.stringify(group))
        .map(({ sums: [total = 0, count = 0] }) => ({ value: total / count, count }));
      cells.push({ metric: plan.query.key, ...group, values, n, first: [below, events], second: [bb, bd, dd] });
    }
  }
  return cells;
}

interface MarginalRow {
  readonly group: Group;
  readonly keys: readonly number[];
  readonly sums: readonly number[];
}

/** Sums up rows by variant and epoch, and with each segment apart; in order. */
function marginal(
  rows: readonly Row[],
  { segments }: AggregateRequest,
  keys: readonly string[],
  sums: readonly string[],
): MarginalRow[] {
  const found = new Map<string, MarginalRow>();
  for (const row of rows) {
    const everybody = { variant: String(row["variant"]), epoch: Number(row["epoch"]) };
    const bySegment = segments.map((_, index) => ({ ...everybody, segment: { index, value: String(row[`s${index}`]) } }));
    const at = keys.map((key) => Number(row[key]));
    for (const group of [everybody, ...bySegment]) {
      const name = JSON.stringify([group, at]);
      const before = found.get(name)?.sums;
      found.set(name, { group, keys: at, sums: sums.map((sum, index) => Number(row[sum]) + (before?.[index] ?? 0)) });
    }
  }
  return [...found.values()].sort(inOrder);
}

function inOrder(a: MarginalRow, b: MarginalRow): number {
  const segment = ({ segment: of }: Group): readonly [number, string] => (of === undefined ? [-1, ""] : [of.index, of.value]);
  const [[indexA, valueA], [indexB, valueB]] = [segment(a.group), segment(b.group)];
  const texts =
    compare(a.group.variant, b.group.variant) || a.group.epoch - b.group.epoch || indexA - indexB || compare(valueA, valueB);
  return texts || a.keys.reduce((order, key, index) => order || key - (b.keys[index] ?? 0), 0);
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
