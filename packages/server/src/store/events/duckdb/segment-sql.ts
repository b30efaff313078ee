/* How a segment of the spool becomes rows: its frames by column, unnested. */
import { IMPORT_SDK, LATE_MS } from "../engine.ts";
import { firstMet } from "./first-met-sql.ts";
import { text } from "./sql.ts";

/** The frames of some segments as a temporary table, one row each. */
export function readFrames(paths: readonly string[]): string {
  return `create or replace temp table frames as select unnest(frame)
    from read_json([${paths.map(text).join(", ")}], format = 'newline_delimited', columns = {frame: '${FRAME}'})`;
}

/** Their exposures as a temporary table, numbered above `base`. */
export function readExposures(base: number): string {
  return `create or replace temp table arrived as
    select ${eventColumns("exposures", base, "position + unnest(range(len(exposures.seq)))")},
      unnest(exposures.revision) as revision, unnest(exposures.flag) as flag, unnest(exposures.variant) as variant,
      unnest(exposures.rule) as rule, unnest(exposures.experiment) as experiment, unnest(exposures.release) as release,
      unnest(exposures.epoch) as epoch, unnest(exposures.attributes) as attributes, unnest(exposures.differs) as differs
    from frames where exposures is not null`;
}

const METRICS = (base: number): string => `insert into metric_events by name
    select ${eventColumns("metrics", base, "position + coalesce(len(exposures.seq), 0) + unnest(range(len(metrics.seq)))")},
      unnest(metrics.name) as name, unnest(metrics.value) as value, unnest(metrics.properties) as properties
    from frames where metrics is not null`;

/** Fills the tables from the two temporary ones. */
export function fillTables(base: number): readonly string[] {
  return [
    "insert into exposures by name select * from arrived",
    METRICS(base),
    `insert into first_met_fresh by name ${firstMet("arrived")}`,
    `insert into evaluation_counts by name
      select project, environment, flag, variant, minute, sum(evaluations) as evaluations from (
        select project, environment, date_trunc('minute', make_timestamp_ms(receivedAtMs)) as minute,
          unnest(counts.flag) as flag, unnest(counts.variant) as variant, unnest(counts.count) as evaluations
        from frames where counts is not null) group by all`,
    `insert into arm_reports by name
      select ${ARM("ledger")}, unnest(ledger.produced) as produced, unnest(ledger.dropped) as dropped
      from frames where ledger is not null`,
    `insert into arm_stored by name
      select project, environment, instance, experiment, release, variant, max(received_at) as received_at, count(*) as stored,
        count(*) filter (sdk <> ${text(IMPORT_SDK)} and epoch_ms(received_at) - clock_offset_ms - epoch_ms(time) > ${LATE_MS}) as late
      from arrived group by all`,
    `insert into arm_duplicates by name
      select ${ARM("duplicates")}, unnest(duplicates.count) as duplicates from frames where duplicates is not null`,
  ];
}

/** Adds up what was stored of each arm of an instance. */
export const SETTLE_ARM_STORED: readonly string[] = [
  `create or replace temp table summed as
    select project, environment, instance, experiment, release, variant, max(received_at) as received_at,
      sum(stored)::BIGINT as stored, sum(late)::BIGINT as late
    from arm_stored group by all`,
  "delete from arm_stored",
  "insert into arm_stored by name select * from summed",
];

/** Keeps the last report of each arm of an instance: they are running totals. */
export const SETTLE_ARM_REPORTS: readonly string[] = [
  `create or replace temp table last_reports as
    select project, environment, instance, experiment, release, variant, max(received_at) as received_at,
      max(produced) as produced, max(dropped) as dropped
    from arm_reports group by all`,
  "delete from arm_reports",
  "insert into arm_reports by name select * from last_reports",
];

const COMMON = "sdk VARCHAR, instance VARCHAR, project VARCHAR, environment VARCHAR, batchId VARCHAR";
const EXPOSURES = `STRUCT(seq BIGINT[], timeMs BIGINT[], flag VARCHAR[], variant VARCHAR[], rule VARCHAR[], experiment VARCHAR[],
  release VARCHAR[], epoch BIGINT[], revision BIGINT[], unit VARCHAR[], differs BOOLEAN[], attributes VARCHAR[])`;
const METRIC_EVENTS =
  "STRUCT(seq BIGINT[], timeMs BIGINT[], name VARCHAR[], unit VARCHAR[], value DOUBLE[], properties VARCHAR[])";
const ARMS = "experiment VARCHAR[], release VARCHAR[], variant VARCHAR[]";
const FRAME = `STRUCT(position BIGINT, ${COMMON}, receivedAtMs BIGINT, clockOffsetMs BIGINT, exposures ${EXPOSURES},
  metrics ${METRIC_EVENTS}, counts STRUCT(flag VARCHAR[], variant VARCHAR[], count BIGINT[]),
  ledger STRUCT(${ARMS}, produced BIGINT[], dropped BIGINT[]), duplicates STRUCT(${ARMS}, count BIGINT[]))`;

const ARM = (list: string): string => `project, environment, instance, unnest(${list}.experiment) as experiment,
  unnest(${list}.release) as release, unnest(${list}.variant) as variant, make_timestamp_ms(receivedAtMs) as received_at`;

function eventColumns(list: string, base: number, position: string): string {
  return `${base} + ${position} as position, make_timestamp_ms(unnest(${list}.timeMs)) as time,
      make_timestamp_ms(receivedAtMs) as received_at, project, environment, sdk, instance, unnest(${list}.seq) as seq,
      clockOffsetMs as clock_offset_ms, unnest(${list}.unit) as unit`;
}
