/*
 * What is kept of one experiment between two questions, so that the next one reads only what arrived since:
 *
 *   aggregate_<id>_known    values of segments that are told apart, a hundred of each: an attribute may be a name of everybody
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

export const AGGREGATES_TABLE: readonly string[] = [
  "create table if not exists aggregates (id VARCHAR, project VARCHAR, through BIGINT, used_at TIMESTAMP)",
  "alter table aggregates add column if not exists refreshes INTEGER default 0",
];

export interface KeptTables {
  readonly id: string;
  readonly known: string;
  readonly cells: string;
  readonly units: string;
  readonly totals: string;
  readonly sums: string;
}

/** Named by everything that decides what is in them. */
export function tablesFor(request: AggregateRequest): KeptTables {
  const { project, environment, subject, fromMs, untilMs, segments, metrics } = request;
  const sums = planOf(metrics).sums.map(({ query }) => query);
  const text = JSON.stringify([FORMAT, project, environment, subject, fromMs, untilMs, segments, sums]);
  const id = createHash("sha256").update(text).digest("hex").slice(0, 24);
  return {
    id,
    known: `aggregate_${id}_known`,
    cells: `aggregate_${id}_cells`,
    units: `aggregate_${id}_units`,
    totals: `aggregate_${id}_totals`,
    sums: `aggregate_${id}_sums`,
  };
}

export interface Kept {
  /** The position they go up to. */
  readonly through: number;
  /** How often they were brought up to date since they were made from the beginning. */
  readonly refreshes: number;
}

/** What is kept, while it may be built upon; absent: it is to be made from the beginning. */
export async function keptOf(connection: DuckDBConnection, tables: KeptTables, hasSums: boolean): Promise<Kept | undefined> {
  const sql = `select through::DOUBLE, refreshes::DOUBLE from aggregates where id = ${text(tables.id)}`;
  const [row] = (await connection.runAndReadAll(sql)).getRows();
  if (row === undefined) return undefined;
  const kept = { through: row[0] as number, refreshes: row[1] as number };
  return kept.refreshes < REFRESHES_MAX && (!hasSums || (await isWhole(connection, tables))) ? kept : undefined;
}

export async function keep(
  connection: DuckDBConnection,
  { id }: KeptTables,
  project: string,
  { through, refreshes }: Kept,
): Promise<void> {
  await connection.run(`delete from aggregates where id = ${text(id)}`);
  await connection.run(
    `insert into aggregates (id, project, through, used_at, refreshes)
      values (${text(id)}, ${text(project)}, ${through}, now()::TIMESTAMP, ${refreshes})`,
  );
}

/** Is every unit in the sums once? What takes units out and brings them in again must leave that true. */
async function isWhole(connection: DuckDBConnection, { units, totals, sums }: KeptTables): Promise<boolean> {
  const reader = await connection.runAndReadAll(
    `select (select coalesce(sum(n), 0) from ${sums}) = (select count(*) from ${units})
      and (select count(*) from ${totals}) = (select count(*) from ${units})`,
  );
  return reader.getRows()[0]?.[0] === true;
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
    for (const table of ["known", "cells", "units", "totals", "sums"])
      await connection.run(`drop table if exists aggregate_${id}_${table}`);
  }
  if (ids.length > 0) await connection.run(`delete from aggregates where id in (${ids.map(text).join(", ")})`);
}

/** Rises when the meaning of the tables changes. */
const FORMAT = 5;
/** Each refresh rounds sums once more, by some 1e-16 of them: after so many they are made anew, far from 1e-12. */
const REFRESHES_MAX = 1_000;
const UNUSED_DAYS = 3;
