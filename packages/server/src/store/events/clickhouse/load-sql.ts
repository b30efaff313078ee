/*
 * How segments become rows. Their frames go, by column as they are, into a temporary table of the session; one statement per
 * table spreads them from there. Each is exact however often it is run, also when an earlier run of it comes to an end late:
 *
 *   fence      an attempt that was given up adds nothing once a later one has put up its fence
 *   not there  rows that are there already are not added: events by position, the others by their segment
 *   one block  all rows of a day are one part, there or not, and the same one again: replicas know it by its checksum
 */
import type { ClickHouseSettings } from "@clickhouse/client";
import { IMPORT_SDK, LATE_MS } from "../engine.ts";
import { text, whole } from "./sql.ts";
import type { TableName, Tables } from "./tables.ts";

/** What an attempt found in its segments. */
export interface Arrived {
  readonly lines: number;
  readonly exposures: number;
  readonly metrics: number;
  readonly counts: number;
  readonly reports: number;
  readonly duplicates: number;
  /** Positions of the events, both among them: raised by the base. */
  readonly first: number;
  readonly last: number;
  readonly firstSegment: number;
  readonly lastSegment: number;
}

export interface Filling {
  readonly table: TableName;
  readonly sql: string;
}

interface Source {
  readonly spool: string;
  readonly attempt: number;
  readonly base: number;
}

const ARM_LISTS = "experiment Array(Nullable(String)), release Array(Nullable(String)), variant Array(String)";

const columns = (prefix: string, list: string): string => list.replace(/(\w+) Array/g, `\`${prefix}.$1\` Array`);

/** Frames by column. The names are those of the frames' JSON, lists of a group with its name before. */
export const CREATE_ARRIVED: string = `create temporary table arrived (segment UInt64, position UInt64, project String,
  environment String, instance String, sdk String, receivedAtMs UInt64, clockOffsetMs Int64,
  ${columns(
    "exposures",
    `seq Array(UInt64), timeMs Array(UInt64), flag Array(String), variant Array(String), rule Array(Nullable(String)),
    experiment Array(Nullable(String)), release Array(Nullable(String)), epoch Array(UInt64), revision Array(UInt64),
    unit Array(String), differs Array(Nullable(UInt8)), attributes Array(Nullable(String))`,
  )},
  ${columns(
    "metrics",
    `seq Array(UInt64), timeMs Array(UInt64), name Array(String), unit Array(String), bits Array(Nullable(UInt64)),
    properties Array(Nullable(String))`,
  )},
  ${columns("counts", "flag Array(String), variant Array(Nullable(String)), count Array(UInt64)")},
  ${columns("ledger", `${ARM_LISTS}, produced Array(UInt64), dropped Array(UInt64)`)},
  ${columns("duplicates", `${ARM_LISTS}, count Array(UInt64)`)})`;

export const INSERT_ARRIVED = "insert into arrived format JSONEachRow";

/** A frame may come to hold more than is stored here. */
export const READ_FRAMES: ClickHouseSettings = { input_format_import_nested_json: 1, input_format_skip_unknown_fields: 1 };

export function sumUpArrived(base: number): string {
  const position = "position + length(exposures.seq) + length(metrics.seq)";
  return `select toFloat64(count()) as lines, toFloat64(sum(length(exposures.seq))) as exposures,
      toFloat64(sum(length(metrics.seq))) as metrics, toFloat64(sum(length(counts.flag))) as counts,
      toFloat64(sum(length(ledger.variant))) as reports, toFloat64(sum(length(duplicates.variant))) as duplicates,
      toFloat64(${whole(base)} + min(position)) as first, toFloat64(${whole(base)} + max(${position}) - 1) as last,
      toFloat64(min(segment)) as firstSegment, toFloat64(max(segment)) as lastSegment
    from arrived`;
}

/** One thread and blocks without a bound: all rows in one, in their order. */
export const IN_ONE_BLOCK: ClickHouseSettings = {
  max_threads: 1,
  min_insert_block_size_rows: "1000000000",
  min_insert_block_size_bytes: "1000000000000",
  insert_distributed_sync: 1,
};

/** The statements that spread what arrived, those with nothing to add left out. */
export function fillings(tables: Tables, source: Source, arrived: Arrived): readonly Filling[] {
  const fence = `(select max(attempt) from ${tables.name("load_fences")} where spool = ${text(source.spool)})
    <= ${whole(source.attempt)}`;
  const spreads = [...eventSpreads(tables, source, arrived), ...totalSpreads(tables, source, arrived)];
  return spreads
    .filter(({ rows }) => rows > 0)
    .map(({ table, values, from, isNew, grouped = "" }) => ({
      table,
      sql: `insert into ${tables.name(table)} (${Object.keys(values).join(", ")})
        select ${Object.values(values).join(", ")} from arrived array join ${from}
        where ${[fence, ...isNew].join(" and ")} ${grouped}`,
    }));
}

/** How many events lie where those of an attempt belong: all of them when it is done. */
export function countLoaded(tables: Tables, { first, last }: Arrived): string {
  const among = (table: TableName): string =>
    `select count() as n from ${tables.name(table)} where position >= ${whole(first)} and position <= ${whole(last)}`;
  return `select toFloat64(sum(n)) as n from (${among("exposures")} union all ${among("metric_events")})`;
}

/** The highest position of all events. */
export function highestPosition(tables: Tables): string {
  const among = (table: TableName): string => `select max(position) as position from ${tables.name(table)}`;
  return `select toFloat64(max(position)) as n from (${among("exposures")} union all ${among("metric_events")})`;
}

/** One table's part: what its columns are made of, from which lists. */
interface Spread {
  readonly table: TableName;
  readonly rows: number;
  readonly values: Readonly<Record<string, string>>;
  readonly from: string;
  readonly isNew: readonly string[];
  readonly grouped?: string;
}

function eventSpreads(tables: Tables, { base }: Source, arrived: Arrived): Spread[] {
  const isNew = (table: TableName, position: string): string[] => [
    `${position} not in (select position from ${tables.name(table)}
      where position >= ${whole(arrived.first)} and position <= ${whole(arrived.last)})`,
  ];
  const exposure = `toUInt64(${whole(base)} + position + nth - 1)`;
  const metric = `toUInt64(${whole(base)} + position + length(exposures.seq) + nth - 1)`;
  const plain = (...names: string[]): Record<string, string> => Object.fromEntries(names.map((name) => [name, `of_${name}`]));
  return [
    {
      table: "exposures",
      rows: arrived.exposures,
      values: {
        ...eventValues(exposure),
        ...plain("revision", "flag", "variant", "rule", "experiment", "release", "epoch", "attributes", "differs"),
      },
      from: `arrayEnumerate(exposures.seq) as nth, ${lists("exposures", EXPOSURE_LISTS)}`,
      isNew: isNew("exposures", exposure),
    },
    {
      table: "metric_events",
      rows: arrived.metrics,
      values: {
        ...eventValues(metric),
        ...plain("name", "properties"),
        value: "if(isNull(of_bits), null, reinterpretAsFloat64(reinterpretAsString(assumeNotNull(of_bits))))",
      },
      from: `arrayEnumerate(metrics.seq) as nth, ${lists("metrics", METRIC_LISTS)}`,
      isNew: isNew("metric_events", metric),
    },
  ];
}

/** Sums per segment, whose number tells that they are there; reports need no such thing: the same total twice is the same. */
function totalSpreads(tables: Tables, { spool }: Source, arrived: Arrived): Spread[] {
  const isNew = (table: TableName): string[] => [
    `segment not in (select segment from ${tables.name(table)} where spool = ${text(spool)}
      and segment >= ${whole(arrived.firstSegment)} and segment <= ${whole(arrived.lastSegment)})`,
  ];
  const by = (...keys: string[]): string => `group by ${keys.join(", ")} order by ${keys.join(", ")}`;
  const ofSegment = { spool: text(spool), segment: "segment" };
  const minute = "toDateTime(intDiv(receivedAtMs, 60000) * 60, 'UTC')";
  const arm = ["project", "environment", "instance", "ifNull(of_experiment, '')", "ifNull(of_release, '')", "of_variant"];
  const [project = "", environment = "", instance = "", experiment = "", release = "", variant = ""] = arm;
  const received = {
    received_at: "toDateTime(intDiv(max(receivedAtMs), 1000), 'UTC')",
    received_ms: "max(receivedAtMs) % 1000",
  };
  return [
    {
      table: "evaluation_counts_loaded",
      rows: arrived.counts,
      values: {
        ...{ ...ofSegment, project, environment, flag: "of_flag", variant: "of_variant", minute },
        evaluations: "sum(of_count)",
      },
      from: lists("counts", ["flag", "variant", "count"]),
      isNew: isNew("evaluation_counts_loaded"),
      grouped: by("segment", project, environment, "of_flag", "of_variant", minute),
    },
    {
      table: "arm_stored",
      rows: arrived.exposures,
      values: {
        ...{ ...ofSegment, project, environment, instance, experiment, release, variant, ...received },
        stored: "count()",
        late: `countIf(sdk != ${text(IMPORT_SDK)} and toInt64(receivedAtMs) - clockOffsetMs - toInt64(of_timeMs) > ${LATE_MS})`,
      },
      from: lists("exposures", ["experiment", "release", "variant", "timeMs"]),
      isNew: isNew("arm_stored"),
      grouped: by("segment", ...arm),
    },
    {
      table: "arm_duplicates",
      rows: arrived.duplicates,
      values: {
        ...{ ...ofSegment, project, environment, instance, experiment, release, variant, ...received },
        duplicates: "sum(of_count)",
      },
      from: lists("duplicates", ["experiment", "release", "variant", "count"]),
      isNew: isNew("arm_duplicates"),
      grouped: by("segment", ...arm),
    },
    {
      table: "arm_reports",
      rows: arrived.reports,
      values: {
        ...{ project, environment, instance, experiment, release, variant, ...received },
        ...{ produced: "max(of_produced)", dropped: "max(of_dropped)", total: "max(of_produced) + max(of_dropped)" },
      },
      from: lists("ledger", ["experiment", "release", "variant", "produced", "dropped"]),
      isNew: [],
      grouped: by(...arm),
    },
  ];
}

function eventValues(position: string): Record<string, string> {
  return {
    position,
    received_at: "toDateTime(intDiv(receivedAtMs, 1000), 'UTC')",
    received_ms: "receivedAtMs % 1000",
    time_ms: "of_timeMs",
    project: "project",
    environment: "environment",
    sdk: "sdk",
    instance: "instance",
    seq: "of_seq",
    clock_offset_ms: "clockOffsetMs",
    unit: "of_unit",
  };
}

const EXPOSURE_LISTS: readonly string[] = [
  ...["seq", "timeMs", "flag", "variant", "rule", "experiment", "release", "epoch", "revision", "unit", "differs", "attributes"],
];
const METRIC_LISTS: readonly string[] = ["seq", "timeMs", "name", "unit", "bits", "properties"];

/** The lists of a group, one element of each a row: no name of theirs is that of a column beside them. */
function lists(group: string, names: readonly string[]): string {
  return names.map((name) => `${group}.${name} as of_${name}`).join(", ");
}
