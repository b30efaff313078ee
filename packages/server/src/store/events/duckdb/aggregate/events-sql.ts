/* What units did: the metric events that count, and their sums. */
import { isFunnel, type Plan, type Side, type SumPlan, sidesOf, type Total, totalsOf } from "../../aggregate/plan.ts";
import type { AggregateRequest, MetricQuery } from "../../aggregate/request.ts";
import { moment, text } from "../sql.ts";
import { AT_MS, isSelected, MS_OF_KEY, numberOf, ORDER_KEY } from "./selection-sql.ts";
import type { Span } from "./units-sql.ts";

export const DAY_MS = 86_400_000;

export interface Source extends Pick<AggregateRequest, "project" | "environment" | "untilMs"> {
  /** Each unit has its own end, `until_ms`, or none. */
  readonly endsByUnit?: boolean;
}

/**
 * Events of the units in a table, as rows of `number`, `day`, the bits of the sides they count on after the exposure (`hits`)
 * and before it (`pres`), whether they may be a funnel's step (`steps`), and their numbers (`v0`...). What happened before the
 * exposure is dated with it.
 */
export function eventsOf(source: Source, { sums }: Plan, units: string, span: Span): string {
  const plain = sums.filter((plan) => !isFunnel(plan));
  const numbers = numbersOf(sums);
  const bits = (when: (plan: SumPlan) => string | undefined): string =>
    sidesOf(plain)
      .flatMap(({ plan, side }) => {
        const condition = when(plan);
        return condition === undefined
          ? []
          : [`case when ${countsOn(side, numbers)} and ${condition} then ${side.bit} else 0 end`];
      })
      .join(" + ") || "0";
  const steps = sums
    .filter(isFunnel)
    .map((plan) => `(${isAnyOf(plan.numerator.steps.map(isSelected))} and ${isWithin(plan.query)})`);
  return `select number, case when age >= 0 then at_ms else start_ms end // ${DAY_MS} as day, hits, pres, steps, ${numbers.map((_, i) => `v${i}`).join(", ")}
    from (select *, (${bits(({ query }) => isWithin(query))})::BIGINT as hits,
        (${bits(({ query, hasCovariate }) => (hasCovariate ? isBefore(query) : undefined))})::BIGINT as pres,
        ${steps.length === 0 ? "false" : isAnyOf(steps)} as steps
      from (${aged(
        source,
        units,
        span,
        sums.flatMap(({ numerator, denominator }) => [...numerator.steps, ...(denominator?.steps ?? [])]).map(({ name }) => name),
        numbers,
      )}))
    where hits <> 0 or pres <> 0 or steps`;
}

/** Completions of a funnel by the units in a table, rows as of `eventsOf`: a unit completes it once, by its earliest chain. */
export function completionsOf(source: Source, plan: SumPlan, sums: readonly SumPlan[], units: string, span: Span): string {
  const { steps, bit } = plan.numerator;
  const events = aged(
    source,
    units,
    span,
    steps.map(({ name }) => name),
    [],
  );
  const within = `select number, key, ${steps.map((step, i) => `(${isSelected(step)}) as is${i}`).join(", ")} from (${events}) where ${isWithin(plan.query)}`;
  const chain = steps
    .map((_, i) =>
      i === 0
        ? `c0 as (select number, min(key) as key from steps_taken where is0 group by number)`
        : `c${i} as (select s.number, min(s.key) as key from steps_taken s join c${i - 1} c on s.number = c.number and s.key > c.key where is${i} group by s.number)`,
    )
    .join(", ");
  return `with steps_taken as materialized (${within}), ${chain}
    select number, ${MS_OF_KEY} // ${DAY_MS} as day, ${bit}::BIGINT as hits, 0::BIGINT as pres, true as steps,
      ${numbersOf(sums)
        .map((_, i) => `null::DOUBLE as v${i}`)
        .join(", ")} from c${steps.length - 1}`;
}

/** Rows that bring units in: nothing happened yet, on the day of their exposure. */
export function entriesOf(sums: readonly SumPlan[], units: string): string {
  return `select number, start_ms // ${DAY_MS} as day, 0::BIGINT as hits, 0::BIGINT as pres, false as steps,
    ${numbersOf(sums)
      .map((_, i) => `null::DOUBLE as v${i}`)
      .join(", ")} from ${units}`;
}

/** Sums of rows of `eventsOf`, which were read for some sums, one column a running total; of all those sums or of a few. */
export function totals(sums: readonly SumPlan[], few: readonly SumPlan[] = sums): string {
  const numbers = numbersOf(sums);
  const sum = ({ column, among, bits, valuesOf }: Total): string => {
    const counts = `filter (where (${among} & ${bits}) <> 0)`;
    const added =
      valuesOf === undefined ? `count(*) ${counts}` : `coalesce(sum(v${numberIndex(valuesOf, numbers)}) ${counts}, 0)`;
    return `(${added})::DOUBLE as ${column}`;
  };
  return few.flatMap(totalsOf).map(sum).join(", ");
}

/** Metric events of the units in a table, with `at_ms`, `age` and `start_ms`. */
export function aged(source: Source, units: string, span: Span, names: readonly string[], numbers: readonly string[]): string {
  const { project, environment, untilMs, endsByUnit = false } = source;
  const ends = [
    ...(untilMs === undefined ? [] : [` and ${AT_MS} < ${Math.trunc(untilMs)}`]),
    ...(endsByUnit ? [` and (u.until_ms is null or ${AT_MS} < u.until_ms)`] : []),
  ];
  const since = span.madeFromMs === undefined ? "" : ` and time >= ${moment(span.madeFromMs)}`;
  const list = [...new Set(names)].map(text).join(", ");
  return `select u.number, u.start_ms, ${AT_MS} as at_ms, at_ms - u.start_ms as age, ${ORDER_KEY} as key, name, properties, value
      ${numbers.map((sql, i) => `, ${sql} as v${i}`).join("")}
    from metric_events m join ${units} u on m.unit = u.unit
    where m.project = ${text(project)} and m.environment = ${text(environment)} and ${list === "" ? "false" : `name in (${list})`}
      and m.position > ${span.after} and m.position <= ${span.through}${ends.join("")}${since}`;
}

export function isWithin({ window: { fromMs, toMs } }: Pick<MetricQuery, "window">): string {
  return `age >= ${Math.max(0, Math.trunc(fromMs))}${toMs === undefined ? "" : ` and age < ${Math.trunc(toMs)}`}`;
}

function isBefore({ covariateMs = 0 }: MetricQuery): string {
  return `age < 0 and age >= ${-Math.trunc(covariateMs)}`;
}

function countsOn(side: Side, numbers: readonly string[]): string {
  const [events] = side.steps;
  if (events === undefined) return "false";
  const selected = `(${isSelected(events)})`;
  return side.of === "events" ? selected : `(${selected} and v${numberIndex(side, numbers)} is not null)`;
}

/** The different ways in which numbers are read. Never none, so that every row has one. */
function numbersOf(sums: readonly SumPlan[]): readonly string[] {
  const read = sidesOf(sums).flatMap(({ side }) => (side.of === "events" ? [] : side.steps.map(numberOf)));
  return [...new Set(read.length === 0 ? ["value"] : read)];
}

function numberIndex({ steps: [events] }: Side, numbers: readonly string[]): number {
  return events === undefined ? 0 : numbers.indexOf(numberOf(events));
}

const isAnyOf = (conditions: readonly string[]): string => `(${conditions.join(" or ")})`;
