/*
 * Sums over units that add up over days. A unit's totals go from `o_` by `d_` to the new ones; its value goes from v to v', and
 * what it adds is v' - v to a sum and (v' - v) w' + v (w' - w) to a sum of products. A unit that enters has no v yet.
 */
import { type SumPlan, totalsOf } from "../../aggregate/plan.ts";
import { type Variable, variablesOf } from "../../aggregate/request.ts";
import { double } from "./selection-sql.ts";

/**
 * Increments by cell and day, of rows with `cell`, `day`, `is_first`, `o_*` and `d_*`. With sign -1 they take out what the same
 * rows brought in.
 */
export function increments(rows: string, sums: readonly SumPlan[], sign: 1 | -1 = 1): string {
  return `select cell, day, ${sign} * sum(case when is_first then 1 else 0 end)::DOUBLE as n,
      ${sums.flatMap((plan) => sumsOf(plan).map(({ sql, column }) => `${sign} * sum(${sql}) as ${column}`)).join(", ")}
    from (select r.cell, r.day, r.is_first, ${sums.flatMap(variableColumns).join(", ")} from (${rows}) r)
    group by cell, day`;
}

/** Rows of the increments table for one metric: names of its sums, in the order of an `OutcomeCell`. */
export function sumColumns(plan: SumPlan): { readonly first: readonly string[]; readonly second: readonly string[] } {
  const variables = variablesOf(plan.query);
  const at = plan.index;
  return {
    first: variables.map((_, j) => `f${at}_${j}`),
    second: variables.flatMap((_, j) => variables.slice(j).map((_unused, k) => `q${at}_${j}_${j + k}`)),
  };
}

export const groupColumns = (segments: number): readonly string[] => ["variant", "epoch", ...segmentColumns(segments)];
export const segmentColumns = (segments: number): readonly string[] =>
  Array.from({ length: segments }, (_, index) => `s${index}`);

function sumsOf(plan: SumPlan): { readonly sql: string; readonly column: string }[] {
  const variables = variablesOf(plan.query);
  const [after, before] = [(j: number): string => `n${plan.index}_${j}`, (j: number): string => `b${plan.index}_${j}`];
  const { first, second } = sumColumns(plan);
  const products = variables.flatMap((_, j) =>
    variables.slice(j).map((_unused, step) => {
      const k = j + step;
      return `(${after(j)} - ${before(j)}) * ${after(k)} + ${before(j)} * (${after(k)} - ${before(k)})`;
    }),
  );
  return [
    ...variables.map((_, j) => ({ sql: `${after(j)} - ${before(j)}`, column: first[j] ?? "" })),
    ...products.map((sql, at) => ({ sql, column: second[at] ?? "" })),
  ];
}

function variableColumns(plan: SumPlan): string[] {
  return variablesOf(plan.query).flatMap((variable, j) => {
    const value = (total: (column: string) => string): string => valueSql(plan, variable, total);
    return [
      `${value((column) => `(r.o_${column} + r.d_${column})`)} as n${plan.index}_${j}`,
      `case when r.is_first then 0 else ${value((column) => `r.o_${column}`)} end as b${plan.index}_${j}`,
    ];
  });
}

function valueSql(plan: SumPlan, variable: Variable, total: (column: string) => string): string {
  const { index, ceiling, query } = plan;
  const cut = (sum: string): string => (ceiling === undefined ? sum : `least(${sum}, ${double(ceiling)})`);
  const shifted = (value: string): string => (query.shift === undefined ? value : `(${value} - ${double(query.shift)})`);
  switch (variable) {
    case "value":
      return shifted(cut(total(`a${index}`)));
    case "denominator":
      return total(`b${index}`);
    case "before":
      return shifted(cut(total(`x${index}`)));
    case "denominatorBefore":
      return total(`w${index}`);
    case "unseenBefore":
      return `case when ${total(`p${index}`)} = 0 then 1.0::DOUBLE else 0.0::DOUBLE end`;
  }
}

/** The columns rows of increments are made of: before and added. */
export function changeColumns(
  sums: readonly SumPlan[],
  change: (column: string) => { readonly old: string; readonly added: string },
): string {
  return sums
    .flatMap(totalsOf)
    .flatMap((column) => {
      const { old, added } = change(column);
      return [`${old} as o_${column}`, `${added} as d_${column}`];
    })
    .join(", ");
}
