/*
 * What a unit adds to sums that add up over days, in the words that the engines' SQL shares. Its totals go from old ones to new
 * ones, its value from v to v': that adds v' - v to a sum, and (v' - v) w' + v (w' - w) to a sum of products.
 */
import type { SumPlan } from "./plan.ts";
import { type Variable, variablesOf } from "./request.ts";

/** What the engines say differently. */
export interface Words {
  /** A literal. */
  readonly double: (value: number) => string;
  /** 1 where a number is 0, else 0. */
  readonly isZero: (number: string) => string;
}

/** Names of a metric's sums, in the order of an `OutcomeCell`. */
export function sumColumns({ query, index }: SumPlan): { readonly first: readonly string[]; readonly second: readonly string[] } {
  const variables = variablesOf(query);
  return {
    first: variables.map((_, j) => `f${index}_${j}`),
    second: variables.flatMap((_, j) => variables.slice(j).map((_unused, step) => `q${index}_${j}_${j + step}`)),
  };
}

/** What each row adds to each of them: of `n<metric>_<variable>`, the new value, and `b...`, the one before. */
export function addedBy(plan: SumPlan): readonly { readonly column: string; readonly sql: string }[] {
  const { first, second } = sumColumns(plan);
  const after = (j: number): string => `n${plan.index}_${j}`;
  const before = (j: number): string => `b${plan.index}_${j}`;
  const step = (j: number): string => `${after(j)} - ${before(j)}`;
  const products = first.flatMap((_, j) =>
    first.slice(j).map((_unused, further) => `(${step(j)}) * ${after(j + further)} + ${before(j)} * (${step(j + further)})`),
  );
  return [
    ...first.map((column, j) => ({ column, sql: step(j) })),
    ...products.map((sql, at) => ({ column: second[at] ?? "", sql })),
  ];
}

/** A variable of a unit. @param total one of the unit's totals by its name. */
export function unitValue(
  { index, ceiling, query }: SumPlan,
  variable: Variable,
  total: (name: string) => string,
  { double, isZero }: Words,
): string {
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
      return isZero(total(`p${index}`));
  }
}
