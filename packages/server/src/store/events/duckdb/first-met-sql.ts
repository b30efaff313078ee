/*
 * First exposures, kept as events come, for people who write SQL: one row per unit and arm. First is by the moment that analysis
 * goes by, not by arrival: imported history that is older than what was there comes before it.
 *
 *   events loaded ──> first_met_fresh ──now and then──> first_met_settled      only what is earlier than the row there
 *                            └───────────────┬─────────────────┘
 *                                  first_exposures, a view: the earliest of both
 */
import { ORDER_KEY } from "./aggregate/selection-sql.ts";
import { moment } from "./sql.ts";

const ARM = "project, environment, kind, key, epoch, unit, variant";
const SUBJECT = "case when experiment is null then 'release' else 'experiment' end as kind, coalesce(experiment, release) as key";

/** The earliest exposure of each unit and arm among some rows of `exposures`. */
export function firstMet(exposures: string): string {
  return earliest(
    `select project, environment, ${SUBJECT}, epoch, unit, variant, position, time, received_at, clock_offset_ms, differs from ${exposures}`,
  );
}

/**
 * Folds fresh rows into the settled ones. A load only adds to the fresh ones, however many units there are; the join with all
 * of them is paid once in many loads.
 */
export const SETTLE_FIRST_MET: readonly string[] = [
  `insert into first_met_settled by name
    select fresh.* exclude (at_key) from (select *, ${ORDER_KEY} as at_key from (${earliest("select * from first_met_fresh")})) fresh
    anti join (select ${ARM}, ${ORDER_KEY} as at_key from first_met_settled) settled
      on ${ARM.split(", ")
        .map((column) => `fresh.${column} = settled.${column}`)
        .join(" and ")} and settled.at_key <= fresh.at_key`,
  "delete from first_met_fresh",
];

/**
 * Before exposures received earlier than a moment go: units that met their arm again later keep it, from then on. Takes the
 * project twice.
 */
export function outliving(sinceMs: number): string {
  const arm = ARM.split(", ").slice(1).join(", ");
  const since = moment(sinceMs);
  return `insert into first_met_fresh by name
    select * from (${firstMet(`(select * from exposures where project = ? and received_at >= ${since})`)}) later
    semi join (select ${arm} from (select * from first_met_settled union all select * from first_met_fresh)
      where project = ? and received_at < ${since}) gone using (${arm})`;
}

function earliest(rows: string): string {
  // A struct: a minimum by itself would pass over rows of which it is not known whether they differ.
  const met = ["position", "time", "received_at", "clock_offset_ms", "differs"].map((column) => `${column}: ${column}`);
  return `select * exclude (met), unnest(met) from (
    select ${ARM}, arg_min({${met.join(", ")}}, ${ORDER_KEY}) as met from (${rows}) group by ${ARM})`;
}
