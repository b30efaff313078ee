/* Sums over units that add up over days, by the rules of `added-sql.ts`. A unit that enters has no value yet. */
import { addedBy, unitValue, type Words } from "../../aggregate/added-sql.ts";
import { type SumPlan, totalColumns } from "../../aggregate/plan.ts";
import { variablesOf } from "../../aggregate/request.ts";
import { double } from "./selection-sql.ts";

/**
 * Increments by cell and day, of rows with `cell`, `day`, `is_first`, `o_*` and `d_*`. With sign -1 they take out what the same
 * rows brought in.
 */
export function increments(rows: string, sums: readonly SumPlan[], sign: 1 | -1 = 1): string {
  return `select cell, day, ${sign} * sum(case when is_first then 1 else 0 end)::DOUBLE as n,
      ${sums.flatMap((plan) => addedBy(plan).map(({ sql, column }) => `${sign} * sum(${sql}) as ${column}`)).join(", ")}
    from (select r.cell, r.day, r.is_first, ${sums.flatMap(variableColumns).join(", ")} from (${rows}) r)
    group by cell, day`;
}

export const groupColumns = (segments: number): readonly string[] => ["variant", "epoch", ...segmentColumns(segments)];
export const segmentColumns = (segments: number): readonly string[] =>
  Array.from({ length: segments }, (_, index) => `s${index}`);

function variableColumns(plan: SumPlan): string[] {
  return variablesOf(plan.query).flatMap((variable, j) => {
    const value = (total: (column: string) => string): string => unitValue(plan, variable, total, WORDS);
    return [
      `${value((column) => `(r.o_${column} + r.d_${column})`)} as n${plan.index}_${j}`,
      `case when r.is_first then 0 else ${value((column) => `r.o_${column}`)} end as b${plan.index}_${j}`,
    ];
  });
}

const WORDS: Words = { double, isZero: (number) => `case when ${number} = 0 then 1.0::DOUBLE else 0.0::DOUBLE end` };

/** The columns rows of increments are made of: before and added. */
export function changeColumns(
  sums: readonly SumPlan[],
  change: (column: string) => { readonly old: string; readonly added: string },
): string {
  return totalColumns(sums)
    .flatMap((column) => {
      const { old, added } = change(column);
      return [`${old} as o_${column}`, `${added} as d_${column}`];
    })
    .join(", ");
}
