/*
 * An experiment's sums in one statement, from the events themselves: nothing is kept. The common subset has no windows over rows:
 * a unit's days are lists, in order, and what was there before each is a running sum over the list.
 */
import { addedBy, unitValue, type Words } from "../aggregate/added-sql.ts";
import {
  isFunnel,
  type Plan,
  type QuantilePlan,
  type Side,
  type SumPlan,
  sidesOf,
  type Total,
  totalColumns,
  totalsOf,
} from "../aggregate/plan.ts";
import {
  type AggregateRequest,
  HELD_OUT,
  hashAtShare,
  type MetricQuery,
  type PairsRequest,
  type Placement,
  REST,
  type Variable,
  variablesOf,
} from "../aggregate/request.ts";
import { double, isSelected, numberOf, withSegments } from "./json-sql.ts";
import { text, whole } from "./sql.ts";
import type { Tables } from "./tables.ts";

const DAY_MS = 86_400_000;

/** Rows of variant, epoch, s0..., day, units, crossed. */
export function armsSql(tables: Tables, request: AggregateRequest): string {
  const groups = groupsOf(request);
  return `select ${groups.join(", ")}, ${float(`intDiv(start_ms, ${DAY_MS})`, "day")}, ${float("count()", "units")}, ${float("sum(is_crossed)", "crossed")}
    from (${unitsSql(tables, request)}) group by ${groups.join(", ")}, day`;
}

/** Rows of variant, epoch, s0..., day, n and the sums of all metrics, by the day of the event. */
export function sumsSql(tables: Tables, request: AggregateRequest, { sums }: Plan): string {
  const columns = totalColumns(sums);
  const groups = groupsOf(request);
  const days = `select unit, start_ms, ${groups.join(", ")}, day, ${totals(sums)} from (${happened(tables, request, sums)})
    group by unit, start_ms, ${groups.join(", ")}, day`;
  const inOrder = (column: string): string => `arraySort((v, d) -> d, groupArray(${column}), groupArray(day))`;
  const lists = `select ${groups.join(", ")}, arraySort(groupArray(day)) as days,
      ${columns.map((column) => `${inOrder(column)} as ld_${column}`).join(", ")},
      ${columns.map((column) => `arrayPopBack(arrayPushFront(arrayCumSum(${inOrder(column)}), toFloat64(0))) as lo_${column}`).join(", ")}
    from (${days}) group by unit, ${groups.join(", ")}`;
  const changes = `select ${groups.join(", ")}, of_day as day, nth = 1 as is_first,
      ${columns.map((column) => `o_${column}, d_${column}`).join(", ")}
    from (${lists}) array join days as of_day, arrayEnumerate(days) as nth,
      ${columns.map((column) => `lo_${column} as o_${column}, ld_${column} as d_${column}`).join(", ")}`;
  return increments(changes, groups, sums);
}

/** The same of units whose window of some length is over, by the day it ended. */
export function ripeSql(tables: Tables, request: AggregateRequest, sums: readonly SumPlan[], toMs: number): string {
  const groups = groupsOf(request);
  const over = Math.trunc(Math.min(request.asOfMs, request.untilMs ?? request.asOfMs));
  const units = `select unit, start_ms, ${groups.join(", ")}, ${totals(sums)} from (${happened(tables, request, sums)})
    where start_ms + ${whole(toMs)} <= ${over} group by unit, start_ms, ${groups.join(", ")}`;
  const columns = totalColumns(sums);
  const changes = `select ${groups.join(", ")}, intDiv(start_ms + ${whole(toMs)}, ${DAY_MS}) as day, 1 as is_first,
    ${columns.map((column) => `toFloat64(0) as o_${column}, ${column} as d_${column}`).join(", ")} from (${units})`;
  return increments(changes, groups, sums);
}

/** Rows of variant, epoch, s0..., class of values, their sum and count. */
export function classesSql(tables: Tables, request: AggregateRequest, plan: QuantilePlan): string {
  const groups = groupsOf(request);
  const class_ = "if(v = 0, 0, if(v > 0, 1, -1) * (1000000 + floor(log(abs(v)) * 200)))";
  return `select ${groups.join(", ")}, ${float(class_, "class")}, sum(v) as total, ${float("count()", "count")}
    from (${valuesSql(tables, request, plan)}) group by ${groups.join(", ")}, class`;
}

/** Rows of variant, epoch, s0..., and of units their number and sums of events below the quantile and of events. */
export function clustersSql(tables: Tables, request: AggregateRequest, plan: QuantilePlan): string {
  const groups = groupsOf(request);
  const values = valuesSql(tables, request, plan);
  const cut = `(select arrayElement(arraySort(groupArray(v)), toUInt64(greatest(1, ceil(count() * ${double(plan.quantile)})))) from (${values}))`;
  return `select ${groups.join(", ")}, ${float("count()", "n")}, sum(b) as below, sum(d) as events, sum(b * b) as bb, sum(b * d) as bd, sum(d * d) as dd
    from (select ${groups.join(", ")}, unit, ${float(`countIf(v < ${cut})`, "b")}, ${float("count()", "d")} from (${values})
      group by ${groups.join(", ")}, unit) group by ${groups.join(", ")}`;
}

/** Rows of the two experiments' indices, a variant in each, n, first, second. */
export function pairsSql(tables: Tables, request: PairsRequest, { sums }: Plan): string {
  const [sum] = sums;
  if (sum === undefined || sum.denominator !== undefined || isFunnel(sum)) {
    throw new Error("pairs are screened by one metric that is neither a mean, a ratio, a funnel nor a quantile");
  }
  const members = request.experiments.map(({ key, isRelease, fromMs, untilMs }, index) => {
    const subject = isRelease === true ? { release: key } : { experiment: key };
    const units = {
      ...{ project: request.project, environment: request.environment, subject, fromMs, segments: [] },
      ...(untilMs === undefined ? {} : { untilMs }),
    };
    return `select unit, ${index} as experiment, variant, start_key, ${variableSql(sum, "value", () => `a${sum.index}`)} as y
      from (select unit, variant, start_key, ${totals(sums)} from (${happened(tables, units, sums)}) group by unit, variant, start_key)`;
  });
  const lists = `select groupArray(experiment) as es, groupArray(variant) as vs, groupArray(start_key) as ks, groupArray(y) as ys
    from (${members.join(" union all ")}) group by unit`;
  const left = `select es, vs, ks, ys, i from (${lists}) array join arrayEnumerate(es) as i`;
  const both = `select es[i] as ea, es[j] as eb, vs[i] as va, vs[j] as vb, if(ks[i] > ks[j], ys[i], ys[j]) as later
    from (${left}) array join arrayEnumerate(es) as j where es[i] < es[j]`;
  return `select ${float("ea", "a")}, ${float("eb", "b")}, va, vb, ${float("count()", "n")}, sum(later) as first, sum(later * later) as second
    from (${both}) group by ea, eb, va, vb order by ea, eb, va, vb`;
}

type UnitsRequest = Pick<AggregateRequest, "project" | "environment" | "subject" | "fromMs" | "untilMs" | "segments">;

const groupsOf = ({ segments }: Pick<AggregateRequest, "segments">): readonly string[] => [
  "variant",
  "epoch",
  ...segments.map((_, index) => `s${index}`),
];

/** The moment of an event by its sender's clock; a clock that is wrong by minutes is set right, the network's delay is not. */
const AT_MS = "(toInt64(time_ms) + if(abs(clock_offset_ms) > 300000, clock_offset_ms, 0))";
/** Text that sorts as moment, then arrival: a minimum of pairs is no part of the common subset. */
const KEY_BASE = "10000000000000000";
export const ORDER_KEY: string = `concat(toString(${AT_MS} + ${KEY_BASE}), toString(position + ${KEY_BASE}))`;
const MS_OF_KEY = (key: string): string => `(toInt64(substring(${key}, 1, 17)) - ${KEY_BASE})`;

/** One row a unit: what its first exposure fixed. */
function unitsSql(tables: Tables, request: UnitsRequest): string {
  const { subject, segments } = request;
  if ("holdout" in subject) return placedSql(tables, request, subject.holdout);
  const is = "experiment" in subject ? `experiment = ${text(subject.experiment)}` : `release = ${text(subject.release)}`;
  const differs = subject.isTriggered === true ? " and ifNull(differs, 1) != 0" : "";
  const first = `select unit, argMin(of_variant, key) as variant, argMin(of_epoch, key) as epoch, argMin(of_attributes, key) as attributes,
      min(key) as start_key, uniqExact(of_variant) > 1 as is_crossed
    from (select unit, variant as of_variant, toFloat64(epoch) as of_epoch, ifNull(attributes, '') as of_attributes, ${ORDER_KEY} as key
      from ${tables.name("exposures")} where ${madeIn(request)} and ${is}${differs})
    group by unit`;
  const values = segments.map((_, index) => `, s${index}`).join("");
  return `select unit, variant, epoch, start_key, ${MS_OF_KEY("start_key")} as start_ms, is_crossed ${values}
    from (${withSegments(first, segments)})`;
}

/** The units of a holdout and all the rest, whatever they were seen by. */
function placedSql(tables: Tables, request: UnitsRequest, { salt, share }: Placement): string {
  const from = (table: "exposures" | "metric_events"): string =>
    `select unit, ${ORDER_KEY} as key from ${tables.name(table)} where ${madeIn(request)}`;
  const arm = `if(murmurHash3_32(concat(${text(salt)}, unit)) < ${hashAtShare(share)}, ${text(HELD_OUT)}, ${text(REST)})`;
  return `select unit, ${arm} as variant, toFloat64(0) as epoch, start_key, ${MS_OF_KEY("start_key")} as start_ms, 0 as is_crossed
      ${request.segments.map((_, index) => `, '' as s${index}`).join("")}
    from (select unit, min(key) as start_key from (${from("exposures")} union all ${from("metric_events")}) group by unit)`;
}

function madeIn({ project, environment, fromMs, untilMs }: UnitsRequest): string {
  return `project = ${text(project)} and environment = ${text(environment)} and ${AT_MS} >= ${Math.trunc(fromMs)}${before(untilMs)}`;
}

/**
 * Events of units with the bits of the sides they count on after the exposure and before it, dated no earlier than it; and one
 * row that brings each unit in.
 */
function happened(tables: Tables, request: UnitsRequest, sums: readonly SumPlan[]): string {
  const fields = `unit, start_ms, start_key, ${groupsOf(request).join(", ")}`;
  const numbers = numbersOf(sums);
  const plain = sums.filter((plan) => !isFunnel(plan));
  const none = numbers.map((_, i) => `cast(null as Nullable(Float64)) as v${i}`).join(", ");
  const bits = (when: (plan: SumPlan) => string | undefined): string =>
    sidesOf(plain)
      .flatMap(({ plan, side }) => {
        const condition = when(plan);
        return condition === undefined
          ? []
          : [`if(${countsOn(side, numbers)} and ${condition}, toUInt64(${side.bit}), toUInt64(0))`];
      })
      .join(" + ") || "toUInt64(0)";
  const names = plain.flatMap(({ numerator, denominator }) => [...numerator.steps, ...(denominator?.steps ?? [])]);
  const events = `select ${fields}, intDiv(greatest(at_ms, start_ms), ${DAY_MS}) as day, ${bits(({ query }) => isWithin(query))} as hits,
      ${bits(({ query, hasCovariate }) => (hasCovariate ? isBefore(query) : undefined))} as pres, ${numbers.map((_, i) => `v${i}`).join(", ")}
    from (${aged(
      tables,
      request,
      names.map(({ name }) => name),
      numbers.map((sql, i) => `${sql} as v${i}`),
    )})
    where hits != 0 or pres != 0`;
  const entries = `select ${fields}, intDiv(start_ms, ${DAY_MS}) as day, toUInt64(0) as hits, toUInt64(0) as pres, ${none}
    from (${unitsSql(tables, request)})`;
  const funnels = sums.filter(isFunnel).map((plan) => completions(tables, request, plan, { fields, none }));
  return [entries, events, ...funnels].join(" union all ");
}

/** A unit completes a funnel once, by its earliest chain of steps. */
function completions(
  tables: Tables,
  request: UnitsRequest,
  { query, numerator: { steps, bit } }: SumPlan,
  { fields, none }: { readonly fields: string; readonly none: string },
): string {
  const flags = steps.map((step, i) => `${isSelected(step)} as is${i}`);
  const taken = steps.map((_, i) => `groupArrayIf(key, is${i}) as k${i}`);
  const events = aged(
    tables,
    request,
    steps.map(({ name }) => name),
    [...flags, `${ORDER_KEY} as key`],
  );
  const units = `select ${fields}, ${taken.join(", ")} from (${events}) where ${isWithin(query)} group by ${fields}`;
  // The least of an empty list is the empty text, which is looked at first; and outside of the lambda, or old versions do not
  // see that the column is used.
  const keys = steps.map((_, i) => `k${i}`).join(", ");
  const chain = steps.slice(1).reduce((rows, _, i) => {
    const found = Array.from({ length: i + 1 }, (_unused, at) => `c${at}`).join(", ");
    const next = `if(c${i} = '', '', arrayReduce('min', arrayFilter(k -> k > c${i}, k${i + 1})))`;
    return `select ${fields}, ${keys}, ${found}, ${next} as c${i + 1} from (${rows})`;
  }, `select ${fields}, ${keys}, arrayReduce('min', k0) as c0 from (${units})`);
  const last = `c${steps.length - 1}`;
  return `select ${fields}, intDiv(${MS_OF_KEY(last)}, ${DAY_MS}) as day, toUInt64(${bit}) as hits, toUInt64(0) as pres, ${none}
    from (${chain}) where ${last} != ''`;
}

/** Metric events beside their units, with `at_ms` and `age`. */
function aged(tables: Tables, request: UnitsRequest, names: readonly string[], columns: readonly string[]): string {
  const { project, environment, untilMs } = request;
  const list = [...new Set(names)].map(text).join(", ");
  const units = groupsOf(request).join(", ");
  return `select *, at_ms - start_ms as age from (
      select unit, ${AT_MS} as at_ms, name, properties, ${columns.join(", ")} from ${tables.name("metric_events")}
      where project = ${text(project)} and environment = ${text(environment)} and ${list === "" ? "0" : `name in (${list})`}${before(untilMs)})
    global any inner join (select unit, start_ms, start_key, ${units} from (${unitsSql(tables, request)})) using unit`;
}

function valuesSql(tables: Tables, request: AggregateRequest, { query, events }: QuantilePlan): string {
  const columns = [`${numberOf(events)} as number`, `${isSelected(events)} as is_meant`];
  return `select ${groupsOf(request).join(", ")}, unit, assumeNotNull(number) as v
    from (${aged(tables, request, [events.name], columns)}) where is_meant and isNotNull(number) and ${isWithin(query)}`;
}

function totals(sums: readonly SumPlan[]): string {
  const numbers = numbersOf(sums);
  const sum = ({ column, among, bits, valuesOf }: Total): string => {
    const added = valuesOf === undefined ? "1" : `ifNull(v${numberIndex(valuesOf, numbers)}, 0)`;
    return `toFloat64(sumIf(${added}, bitAnd(${among}, toUInt64(${bits})) != 0)) as ${column}`;
  };
  return sums.flatMap(totalsOf).map(sum).join(", ");
}

/** By the rules of `added-sql.ts`. A unit that enters has no value yet. */
function increments(changes: string, groups: readonly string[], sums: readonly SumPlan[]): string {
  const variables = sums.flatMap((plan) =>
    variablesOf(plan.query).flatMap((variable, j) => [
      `${variableSql(plan, variable, (column) => `(o_${column} + d_${column})`)} as n${plan.index}_${j}`,
      `if(is_first, toFloat64(0), ${variableSql(plan, variable, (column) => `o_${column}`)}) as b${plan.index}_${j}`,
    ]),
  );
  const added = sums.flatMap((plan) => addedBy(plan).map(({ column, sql }) => `sum(${sql}) as ${column}`));
  return `select ${groups.join(", ")}, ${float("of_day", "day")}, ${float("sum(is_first)", "n")}, ${added.join(", ")}
    from (select ${groups.join(", ")}, day as of_day, is_first, ${variables.join(", ")} from (${changes})) group by ${groups.join(", ")}, of_day`;
}

function variableSql(plan: SumPlan, variable: Variable, total: (column: string) => string): string {
  return unitValue(plan, variable, total, WORDS);
}

const WORDS: Words = { double, isZero: (number) => `toFloat64(${number} = 0)` };

function countsOn(side: Side, numbers: readonly string[]): string {
  const [events] = side.steps;
  if (events === undefined) return "0";
  return side.of === "events" ? isSelected(events) : `(${isSelected(events)} and isNotNull(v${numberIndex(side, numbers)}))`;
}

function numbersOf(sums: readonly SumPlan[]): readonly string[] {
  const read = sidesOf(sums).flatMap(({ side }) => (side.of === "events" ? [] : side.steps.map(numberOf)));
  return [...new Set(read.length === 0 ? ["value"] : read)];
}

const numberIndex = ({ steps: [events] }: Side, numbers: readonly string[]): number =>
  events === undefined ? 0 : numbers.indexOf(numberOf(events));

function isWithin({ window: { fromMs, toMs } }: Pick<MetricQuery, "window">): string {
  return `age >= ${whole(Math.max(0, Math.trunc(fromMs)))}${toMs === undefined ? "" : ` and age < ${whole(Math.trunc(toMs))}`}`;
}

const isBefore = ({ covariateMs = 0 }: MetricQuery): string => `age < 0 and age >= -${whole(Math.trunc(covariateMs))}`;
const before = (untilMs: number | undefined): string => (untilMs === undefined ? "" : ` and ${AT_MS} < ${Math.trunc(untilMs)}`);
const float = (sql: string, name: string): string => `toFloat64(${sql}) as ${name}`;
