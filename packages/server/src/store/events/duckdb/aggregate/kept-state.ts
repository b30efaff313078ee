/*
 * What is kept of one experiment between two questions, so that the next one reads only what arrived since:
 *
 *   aggregate_<id>_cells    variants, epochs and segments that occur together, numbered: what all else is grouped by
 *   aggregate_<id>_units    a unit, its cell and moment                              exposures ──> first exposures
 *   aggregate_<id>_totals   a unit's running totals and the last day it did something
 *   aggregate_<id>_sums     sums over units by cell and day                          what is answered
 *
 * `aggregates` says up to which position of the store they go. They are made of nothing but stored events: thrown away, as
 * every deletion of events does, they are made again by the next question.
 */
import { createHash } from "node:crypto";
import type { DuckDBConnection } from "@duckdb/node-api";
import { planOf } from "../../aggregate/plan.ts";
import type { AggregateRequest } from "../../aggregate/request.ts";
import { text } from "../sql.ts";

export const AGGREGATES_TABLE =
  "create table if not exists aggregates (id VARCHAR, project VARCHAR, through BIGINT, used_at TIMESTAMP)";

export interface KeptTables {
  readonly id: string;
  readonly cells: string;
  readonly units: string;
  readonly totals: string;
  readonly sums: string;
}

/** Named by everything that decides what is in them. */
export function tablesFor(request: AggregateRequest): KeptTables {
  const { project, environment, experiment, fromMs, untilMs, segments, metrics } = request;
  const sums = planOf(metrics).sums.map(({ query }) => query);
  const text = JSON.stringify([FORMAT, project, environment, experiment, fromMs, untilMs, segments, sums]);
  const id = createHash("sha256").update(text).digest("hex").slice(0, 24);
  return {
    id,
    cells: `aggregate_${id}_cells`,
    units: `aggregate_${id}_units`,
    totals: `aggregate_${id}_totals`,
    sums: `aggregate_${id}_sums`,
  };
}

/** The position they go up to; absent when there are none. */
export async function keptThrough(connection: DuckDBConnection, { id }: KeptTables): Promise<number | undefined> {
  const reader = await connection.runAndReadAll(`select through::DOUBLE from aggregates where id = ${text(id)}`);
  return reader.getRows()[0]?.[0] as number | undefined;
}

export async function keep(connection: DuckDBConnection, { id }: KeptTables, project: string, through: number): Promise<void> {
  await connection.run(`delete from aggregates where id = ${text(id)}`);
  await connection.run(`insert into aggregates values (${text(id)}, ${text(project)}, ${through}, now()::TIMESTAMP)`);
}

/** Throws away what nobody asked for in so many days. */
export function forgetUnused(connection: DuckDBConnection): Promise<void> {
  return forget(connection, `used_at < now()::TIMESTAMP - interval ${UNUSED_DAYS} day`);
}

/** Throws away everything of a project: its events are no longer what the tables were made of. */
export function forgetProject(connection: DuckDBConnection, project: string): Promise<void> {
  return forget(connection, `project = ${text(project)}`);
}

async function forget(connection: DuckDBConnection, which: string): Promise<void> {
  const ids = (await connection.runAndReadAll(`select id from aggregates where ${which}`)).getRows().map(([id]) => String(id));
  for (const id of ids) {
    for (const table of ["cells", "units", "totals", "sums"])
      await connection.run(`drop table if exists aggregate_${id}_${table}`);
  }
  if (ids.length > 0) await connection.run(`delete from aggregates where id in (${ids.map(text).join(", ")})`);
}

/** Rises when the meaning of the tables changes. */
const FORMAT = 2;
const UNUSED_DAYS = 3;
