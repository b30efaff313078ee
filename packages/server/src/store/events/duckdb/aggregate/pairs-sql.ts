/*
 * Units of several experiments two by two. A unit's value in a pair counts from the later of its two first exposures, which is
 * its value in the experiment of that exposure: one value per unit and experiment serves all pairs.
 */
import { type Plan, planOf } from "../../aggregate/plan.ts";
import type { PairsRequest } from "../../aggregate/request.ts";
import { text } from "../sql.ts";
import { entriesOf, eventsOf, totals } from "./events-sql.ts";
import { double, MS_OF_KEY, POSITION_OF_KEY } from "./selection-sql.ts";
import { arrivedUnits } from "./units-sql.ts";

export function pairStatements(
  request: PairsRequest,
  through: number,
): { readonly preparation: readonly string[]; readonly answer: string } {
  const plan = planOf([request.metric]);
  const preparation = [
    "create or replace temp table members (unit VARCHAR, experiment INTEGER, variant VARCHAR, key HUGEINT, y DOUBLE)",
  ];
  request.experiments.forEach((experiment, index) => {
    preparation.push(...memberStatements(request, plan, { ...experiment, index }, through));
  });
  return { preparation, answer: CELLS };
}

interface Member {
  readonly index: number;
  readonly key: string;
  readonly fromMs: number;
  readonly untilMs?: number;
}

function memberStatements({ project, environment }: PairsRequest, plan: Plan, member: Member, through: number): string[] {
  const { index, key, fromMs, untilMs } = member;
  const subject = { project, environment, subject: { experiment: key }, fromMs, ...(untilMs === undefined ? {} : { untilMs }) };
  const span = { after: 0, through };
  const keys = arrivedUnits(subject, span);
  const events = eventsOf(subject, plan, "joining", span);
  return [
    `create or replace temp table joining as
      select (row_number() over ())::INTEGER as number, e.unit, e.variant, k.key, ${MS_OF_KEY} as start_ms
      from (${keys}) k join exposures e on e.position = ${POSITION_OF_KEY} and e.unit = k.unit
      where e.experiment = ${text(key)}`,
    `insert into members select j.unit, ${index}, j.variant, j.key, ${outcome(plan)}
      from joining j join (
        select number, ${totals(plan.sums)} from (${events} union all ${entriesOf(plan.sums, "joining")}) group by number) t
      on t.number = j.number`,
  ];
}

function outcome({ sums: [sum] }: Plan): string {
  if (sum === undefined || sum.denominator !== undefined || sum.numerator.steps.length !== 1) {
    throw new Error("pairs are screened by one metric that is neither a mean, a ratio, a funnel nor a quantile");
  }
  const value = sum.ceiling === undefined ? "t.a0" : `least(t.a0, ${double(sum.ceiling)})`;
  return sum.query.shift === undefined ? value : `${value} - ${double(sum.query.shift)}`;
}

const CELLS = `select a.experiment::DOUBLE, b.experiment::DOUBLE, a.variant, b.variant, count(*)::DOUBLE,
    sum(case when a.key > b.key then a.y else b.y end), sum(case when a.key > b.key then a.y * a.y else b.y * b.y end)
  from members a join members b on a.unit = b.unit and a.experiment < b.experiment
  group by all order by all`;
