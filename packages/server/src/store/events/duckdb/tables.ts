/*
 * What the DuckDB file holds. Rows are appended in the order of arrival and never updated, so that the ranges DuckDB keeps
 * per row group make `position` and `received_at` cheap to narrow by without an index. Times are UTC.
 *
 *   spool segment ──one transaction──> exposures, metric_events           every event, once
 *                                      evaluation_counts                  evaluations per flag, variant and minute
 *                                      arm_{reports,stored,duplicates}    what the ledger is made from
 *                                      first_met_{fresh,settled}          earliest exposure per unit and arm
 *                                      loaded_segments                    what must not be loaded again
 *   question about an experiment ──> aggregates, aggregate_<id>_{units,totals,sums}: see aggregate/kept-state.ts
 */
import { AGGREGATES_TABLE } from "./aggregate/kept-state.ts";
import { ORDER_KEY } from "./aggregate/selection-sql.ts";
import { firstMet } from "./first-met-sql.ts";

const EVENT_COLUMNS = `
  position BIGINT NOT NULL, time TIMESTAMP NOT NULL, received_at TIMESTAMP NOT NULL, project VARCHAR NOT NULL,
  environment VARCHAR NOT NULL, sdk VARCHAR NOT NULL, instance VARCHAR NOT NULL, seq BIGINT NOT NULL,
  clock_offset_ms BIGINT NOT NULL, unit VARCHAR NOT NULL`;

const ARM_COLUMNS =
  "project VARCHAR, environment VARCHAR, instance VARCHAR, experiment VARCHAR, release VARCHAR, variant VARCHAR";

/** Run at every start; nothing that is there is touched. */
export const TABLES: readonly string[] = [
  `create table if not exists exposures (${EVENT_COLUMNS}, revision BIGINT NOT NULL, flag VARCHAR NOT NULL,
     variant VARCHAR NOT NULL, rule VARCHAR, experiment VARCHAR, release VARCHAR, epoch BIGINT NOT NULL, attributes VARCHAR,
     differs BOOLEAN)`,
  "alter table exposures add column if not exists differs BOOLEAN",
  `create table if not exists metric_events (${EVENT_COLUMNS}, name VARCHAR NOT NULL, value DOUBLE, properties VARCHAR)`,
  `create table if not exists evaluation_counts (project VARCHAR, environment VARCHAR, flag VARCHAR, variant VARCHAR,
     minute TIMESTAMP, evaluations BIGINT)`,
  `create table if not exists arm_reports (${ARM_COLUMNS}, received_at TIMESTAMP, produced BIGINT, dropped BIGINT)`,
  // Counted as they come: erasing a unit and forgetting old rows must not look like loss.
  `create table if not exists arm_stored (${ARM_COLUMNS}, received_at TIMESTAMP, stored BIGINT, late BIGINT)`,
  `create table if not exists arm_duplicates (${ARM_COLUMNS}, received_at TIMESTAMP, duplicates BIGINT)`,
  // Made of what is there: a file of an earlier version, which went by arrival, has events and no such tables.
  `create table if not exists first_met_settled as ${firstMet("exposures")}`,
  "create table if not exists first_met_fresh as select * from first_met_settled limit 0",
  "drop table if exists first_exposures_settled",
  "drop table if exists first_exposures_fresh",
  // One row per unit and epoch: what its earliest exposure said, and whether it met another variant as well.
  `create or replace view first_exposures as
     select * exclude (met), unnest(met) from (
       select project, environment, kind, key, epoch, unit, count(distinct variant) > 1 as is_crossed,
         arg_min({variant: variant, position: position, time: time, received_at: received_at, differs: differs}, ${ORDER_KEY}) as met
       from (select * from first_met_settled union all select * from first_met_fresh)
       group by project, environment, kind, key, epoch, unit)`,
  "create table if not exists loaded_segments (spool VARCHAR, number BIGINT)",
  ...AGGREGATES_TABLE,
  // A spool counts arrivals from 1; what it adds to be above everything that was stored before it.
  "create table if not exists spools (spool VARCHAR, base BIGINT)",
];

/** Tables of the earliest exposure per unit and arm; those of one unit and arm may be several, the earliest of them counts. */
const FIRST_MET_TABLES: readonly string[] = ["first_met_settled", "first_met_fresh"];

/** Tables that hold what one unit did. */
export const UNIT_TABLES: readonly string[] = ["exposures", "metric_events", ...FIRST_MET_TABLES];

/** Tables whose rows grow old, with the column of their age. */
export const AGING_TABLES: readonly (readonly [table: string, moment: string])[] = [
  ...UNIT_TABLES.map((table) => [table, "received_at"] as const),
  ["evaluation_counts", "minute"],
];

/** What the ledger is made from: an instance's rows go together, once it was not heard for so long. */
export const ARM_TABLES: readonly string[] = ["arm_reports", "arm_stored", "arm_duplicates"];
