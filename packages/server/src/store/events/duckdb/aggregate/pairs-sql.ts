/*
 * Units of several experiments two by two. A unit's value in a pair counts from the later of its two first exposures, which is
 * its value in the experiment of that exposure: one value per unit and experiment serves all pairs.
 *
 *   exposures ──one pass──> members: a unit in an experiment ──> values: what members did   <──one pass── metric events
 *                                 └────────── by unit, each two ──────────┘ ──> cells
 */
import { type Plan, planOf } from "../../aggregate/plan.ts";
import type { PairsRequest } from "../../aggregate/request.ts";
import { text } from "../sql.ts";
import { eventsOf, totals } from "./events-sql.ts";
import { AT_MS, double, MS_OF_KEY, ORDER_KEY, POSITION_OF_KEY } from "./selection-sql.ts";

export function pairStatements(
  request: PairsRequest,
  through: number,
): { readonly preparation: readonly string[]; readonly answer: string } {
  const plan = planOf([request.metric]);
  const { project, environment } = request;
  return {
    preparation: [
      `create or replace temp table subjects as ${subjects(request)}`,
      `create or replace temp table members as ${members(request, through)}`,
      `create or replace temp table worth as
        select number, ${outcome(plan)} as y from (
          select number, ${totals(plan.sums)} from (${eventsOf({ project, environment, endsByUnit: true }, plan, "members", { after: 0, through })}) group by number)`,
    ],
    answer: cells(plan),
  };
}

/** The experiments with their places in the request. */
function subjects({ experiments }: PairsRequest): string {
  const rows = experiments.map(
    ({ key, isRelease = false, fromMs, untilMs }, index) =>
      `(${text(key)}, ${isRelease}, ${index}, ${Math.trunc(fromMs)}, ${untilMs === undefined ? "null" : Math.trunc(untilMs)})`,
  );
  const none = "select ''::VARCHAR, false, 0::INTEGER, 0::BIGINT, null::BIGINT where false";
  return `select * from (${rows.length === 0 ? none : `values ${rows.join(", ")}`}) t(key, is_release, experiment, from_ms, until_ms)`;
}

/** A row for each unit and experiment, numbered by the position of its first exposure there. */
function members({ project, environment, experiments }: PairsRequest, through: number): string {
  // An exposure is of one or the other.
  const isOf = experiments.some(({ isRelease }) => isRelease === true)
    ? "coalesce(e.release, e.experiment) = s.key and (e.release is not null) = s.is_release"
    : "e.experiment = s.key";
  const keys = `select e.unit, s.experiment, any_value(s.until_ms) as until_ms, min(${ORDER_KEY}) as key
    from exposures e join subjects s on ${isOf}
    where e.project = ${text(project)} and e.environment = ${text(environment)} and e.position <= ${through}
      and ${AT_MS} >= s.from_ms and (s.until_ms is null or ${AT_MS} < s.until_ms)
    group by e.unit, s.experiment`;
  return `select k.number, k.unit, k.experiment, e.variant, k.key, k.start_ms, k.until_ms
    from (select *, ${POSITION_OF_KEY} as number, ${MS_OF_KEY} as start_ms from (${keys})) k
    join exposures e on e.position = k.number`;
}

/** Units without an event have no row among what they are worth. */
function cells(plan: Plan): string {
  const none = outcome(plan, "0.0::DOUBLE");
  return `with valued as (select m.unit, m.experiment, m.variant, m.key, coalesce(w.y, ${none}) as y
      from members m left join worth w using (number)),
    joint as (select a.experiment as a, b.experiment as b, a.variant as va, b.variant as vb, case when a.key > b.key then a.y else b.y end as y
      from valued a join valued b on a.unit = b.unit and a.experiment < b.experiment)
    select a::DOUBLE, b::DOUBLE, va, vb, count(*)::DOUBLE, sum(y), sum(y * y) from joint group by all order by all`;
}

function outcome({ sums: [sum] }: Plan, total?: string): string {
  if (sum === undefined || sum.denominator !== undefined || sum.numerator.steps.length !== 1) {
    throw new Error("pairs are screened by one metric that is neither a mean, a ratio, a funnel nor a quantile");
  }
  const added = total ?? `a${sum.index}`;
  const value = sum.ceiling === undefined ? added : `least(${added}, ${double(sum.ceiling)})`;
  return sum.query.shift === undefined ? value : `${value} - ${double(sum.query.shift)}`;
}
