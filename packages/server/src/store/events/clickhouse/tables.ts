/*
 * What ClickHouse holds. Events are sorted by project and arrival, so that a page of a pull is a range of the primary key,
 * and partitioned by the day they arrived (UTC), so that old ones go a day at a time.
 *
 *   spool segments ─> arrived (of the session) ─┬─> exposures, metric_events           every event, once
 *                                               ├─> evaluation_counts_loaded           evaluations per flag, variant, minute
 *                                               └─> arm_{reports,stored,duplicates}    what the ledger is made from
 *                                                   load_fences                        what an attempt given up may not add
 *
 * On a cluster each table is two: `<name>_local` on every server, replicated within its shard, and `<name>` over all shards.
 * What one unit did lies on one shard. Only types and functions of the common subset are used: see `sql.ts`.
 */
import { ORDER_KEY } from "./aggregate-sql.ts";
import { anyOf, identifier, text } from "./sql.ts";

export interface Place {
  readonly database: string;
  /** Name of the cluster, as the servers' `remote_servers` has it; absent for a server that stands alone. */
  readonly cluster?: string;
}

export type TableName =
  | "exposures"
  | "metric_events"
  | "evaluation_counts_loaded"
  | "arm_reports"
  | "arm_stored"
  | "arm_duplicates"
  | "load_fences";

/** Names of the tables and views of one place, as statements write them. */
export class Tables {
  readonly database: string;
  readonly #database: string;
  readonly #cluster: string | undefined;

  /** @throws Error when a name cannot be one. */
  constructor({ database, cluster }: Place) {
    this.database = database;
    this.#database = identifier(database);
    this.#cluster = cluster === undefined ? undefined : identifier(cluster);
  }

  get isCluster(): boolean {
    return this.#cluster !== undefined;
  }

  /** Where rows are read and added. */
  name(table: TableName): string {
    return `${this.#database}.${table}`;
  }

  /** Where rows are changed and partitions dropped: the stored table, on every server of the cluster. */
  stored(table: TableName): string {
    return this.isCluster ? `${this.#database}.${table}_local${this.#onCluster}` : this.name(table);
  }

  /** The servers' lists of what they still do to tables: of one replica a shard on a cluster. */
  get mutations(): string {
    return this.#cluster === undefined ? "system.mutations" : `cluster(${this.#cluster}, system.mutations)`;
  }

  /** What must be run, in order, where the tables are not there yet; nothing that is there is touched. */
  get creation(): readonly string[] {
    const database = `create database if not exists ${this.#database}${this.#onCluster}`;
    return [database, ...TABLES.flatMap((table) => this.#creationOf(table))];
  }

  /**
   * What then adds views, brings those and the tables of an earlier version up to date, and counts what lacks it, as `n`. Counted
   * before any of it is run: on a cluster statements are only queued, and done in order.
   */
  get additions(): readonly Addition[] {
    const columns = this.#addedColumns.map(({ name, column, type }) => ({
      missing: this.#lacking(name, column),
      statement: `alter table ${this.#database}.${name}${this.#onCluster} add column ${column} ${type}`,
    }));
    const outdated = REPLACED.map(({ view: { name }, column }) => ({
      missing: this.#lacking(name, column),
      statement: `drop table if exists ${this.#database}.${name}${this.#onCluster}`,
    }));
    // After the columns they show: a view that is there already is looked through all the same.
    const views = VIEWS.map((view) => ({
      missing: `select toFloat64(count() = 0) as n from ${this.#called(view.name)}${
        view.since === undefined ? "" : ` and name in (select table from ${this.#columns(view.since)})`
      }`,
      statement: this.#view(view),
    }));
    return [...columns, ...outdated, ...views];
  }

  /** Counts what a server has of all this, as `n`; whole when it is `size`. Then nothing need be created or added. */
  get countOfExisting(): string {
    const names = [
      ...TABLES.flatMap(({ name }) => (this.isCluster ? [name, `${name}_local`] : [name])),
      ...VIEWS.map(({ name }) => name),
    ];
    const columns = [...this.#addedColumns, ...REPLACED.map(({ view: { name }, column }) => ({ name, column }))].map(
      ({ name, column }) => `select table from ${this.#columns(column)} and table = ${text(name)}`,
    );
    return `select toFloat64(count()) as n from (
      select name from system.tables where database = ${text(this.database)} and ${anyOf("name", names)}
      union all ${columns.join(" union all ")})`;
  }

  get size(): number {
    return TABLES.length * (this.isCluster ? 2 : 1) + VIEWS.length + this.#addedColumns.length + REPLACED.length;
  }

  get #onCluster(): string {
    return this.#cluster === undefined ? "" : ` on cluster ${this.#cluster}`;
  }

  get #addedColumns(): readonly { readonly name: string; readonly column: string; readonly type: string }[] {
    return ADDED.flatMap(({ table, ...added }) =>
      (this.isCluster ? [`${table}_local`, table] : [table]).map((name) => ({ name, ...added })),
    );
  }

  /** Counts the table or view of a name, as `n`, if it is there and has no such column. */
  #lacking(name: string, column: string): string {
    return `select toFloat64(count()) as n from ${this.#called(name)} and name not in (select table from ${this.#columns(column)})`;
  }

  #called(name: string): string {
    return `system.tables where database = ${text(this.database)} and name = ${text(name)}`;
  }

  #columns(name: string): string {
    return `system.columns where database = ${text(this.database)} and name = ${text(name)}`;
  }

  #creationOf({ name, columns, layout, replacing, shard }: Table): string[] {
    if (this.#cluster === undefined) {
      const engine = replacing === undefined ? "MergeTree" : `ReplacingMergeTree(${replacing})`;
      return [`create table if not exists ${this.name(name)} (${columns}) engine = ${engine} ${layout}`];
    }
    const path = `'/clickhouse/tables/{shard}/${this.database}/${name}', '{replica}'`;
    const engine =
      replacing === undefined ? `ReplicatedMergeTree(${path})` : `ReplicatedReplacingMergeTree(${path}, ${replacing})`;
    const over = `Distributed(${this.#cluster}, ${this.#database}, ${name}_local, cityHash64(${shard}))`;
    return [
      `create table if not exists ${this.stored(name)} (${columns}) engine = ${engine} ${layout}`,
      `create table if not exists ${this.name(name)}${this.#onCluster} (${columns}) engine = ${over}`,
    ];
  }

  #view({ name, select }: View): string {
    return `create view if not exists ${this.#database}.${name}${this.#onCluster} as ${select((table) => this.name(table))}`;
  }
}

interface Addition {
  readonly missing: string;
  readonly statement: string;
}

interface Table {
  readonly name: TableName;
  readonly columns: string;
  readonly layout: string;
  /** Of rows with the same key the one is kept that has the most of this. */
  readonly replacing?: string;
  /** Rows that are equal in this lie on one shard. */
  readonly shard: string;
}

interface View {
  readonly name: string;
  /** A column that the view of an earlier version lacks: that one is made anew. */
  readonly since?: string;
  readonly select: (name: (table: TableName) => string) => string;
}

/** `time_ms` is exact, for every year a client's clock may show; `time` is for people, and ends in 2106 as its type does. */
const EVENT_COLUMNS = `position UInt64, received_at DateTime('UTC'), received_ms UInt16, time_ms UInt64, project String,
  environment String, sdk String, instance String, seq UInt64, clock_offset_ms Int64, unit String,
  time DateTime('UTC') alias toDateTime(least(intDiv(time_ms, 1000), 4294967295), 'UTC')`;

const BY_ARRIVAL = "partition by toDate(received_at) order by (project, position)";

/** An absent experiment or release is empty here: keys are never empty, and what is sorted by cannot be null. */
const ARM_COLUMNS = `project String, environment String, instance String, experiment String, release String, variant String,
  received_at DateTime('UTC'), received_ms UInt16`;

const ARM = "project, environment, instance, experiment, release, variant";

const TABLES: readonly Table[] = [
  {
    name: "exposures",
    columns: `${EVENT_COLUMNS}, revision UInt64, flag String, variant String, rule Nullable(String),
      experiment Nullable(String), release Nullable(String), epoch UInt64, attributes Nullable(String),
      differs Nullable(UInt8)`,
    layout: BY_ARRIVAL,
    shard: "unit",
  },
  {
    name: "metric_events",
    columns: `${EVENT_COLUMNS}, name String, value Nullable(Float64), properties Nullable(String)`,
    layout: BY_ARRIVAL,
    shard: "unit",
  },
  // Sorted by the segment they came from: it is what tells that they are there already.
  {
    name: "evaluation_counts_loaded",
    columns: `spool String, segment UInt64, project String, environment String, flag String, variant Nullable(String),
      minute DateTime('UTC'), evaluations UInt64`,
    layout: "partition by toDate(minute) order by (spool, segment)",
    shard: "spool",
  },
  // Counted as they come: erasing a unit and forgetting old rows must not look like loss.
  {
    name: "arm_stored",
    columns: `spool String, segment UInt64, ${ARM_COLUMNS}, stored UInt64, late UInt64`,
    layout: "partition by toDate(received_at) order by (spool, segment)",
    shard: "spool",
  },
  {
    name: "arm_duplicates",
    columns: `spool String, segment UInt64, ${ARM_COLUMNS}, duplicates UInt64`,
    layout: "partition by toDate(received_at) order by (spool, segment)",
    shard: "spool",
  },
  // Running totals: the largest is the last, and the same one twice is the same.
  {
    name: "arm_reports",
    columns: `${ARM_COLUMNS}, produced UInt64, dropped UInt64, total UInt64`,
    layout: `partition by toDate(received_at) order by (${ARM})`,
    replacing: "total",
    shard: "instance",
  },
  {
    name: "load_fences",
    columns: "spool String, attempt UInt64, written_at DateTime('UTC')",
    layout: "order by (spool, attempt)",
    shard: "spool",
  },
];

/** Old versions know no `add column if not exists`. */
const ADDED: readonly { readonly table: TableName; readonly column: string; readonly type: string }[] = [
  { table: "exposures", column: "differs", type: "Nullable(UInt8)" },
];

/** A minimum passes over rows where there is no value: while it is looked for there has to be one. */
const UNKNOWN = 2;

const VIEWS: readonly View[] = [
  {
    name: "evaluation_counts",
    select: (name) => `select project, environment, flag, variant, minute, sum(evaluations) as evaluations
      from ${name("evaluation_counts_loaded")} group by project, environment, flag, variant, minute`,
  },
  // One row per unit and epoch: what its earliest exposure said, by the clock analysis goes by, and whether variants differ.
  {
    name: "first_exposures",
    since: "first_differs",
    select: (name) => `select project, environment, kind, key, epoch, unit, argMin(variant, order_key) as first_variant,
        argMin(position, order_key) as first_position, argMin(time_ms, order_key) as first_time_ms,
        argMin(received_at, order_key) as first_received_at,
        nullIf(argMin(ifNull(differs, ${UNKNOWN}), order_key), ${UNKNOWN}) as first_differs, uniqExact(variant) > 1 as is_crossed
      from (select project, environment, if(isNull(experiment), 'release', 'experiment') as kind, ifNull(experiment, release) as key,
          epoch, unit, variant, position, time_ms, received_at, differs, ${ORDER_KEY} as order_key from ${name("exposures")})
      group by project, environment, kind, key, epoch, unit`,
  },
];

const REPLACED = VIEWS.flatMap((view) => (view.since === undefined ? [] : [{ view, column: view.since }]));

/** Tables that hold what one unit did: the events themselves. */
export const UNIT_TABLES: readonly TableName[] = ["exposures", "metric_events"];

/** Tables whose rows grow old, with how old rows of a project are told. */
export const AGING_TABLES: readonly TableName[] = ["exposures", "metric_events", "evaluation_counts_loaded"];

/** What the ledger is made from: an instance's rows go together, once it was not heard for so long. */
export const ARM_TABLES: readonly TableName[] = ["arm_reports", "arm_stored", "arm_duplicates"];
