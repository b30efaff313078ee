import type { Admin } from "@belay/testkit";
import { csvReader } from "./csv.ts";

/** What the proofs read of a pulled exposure. */
export interface PulledExposure {
  readonly id: string;
  readonly unit: string;
  readonly flag: string;
  readonly variant: string;
  readonly experiment: string;
}

/** What the proofs read of a pulled metric event. */
export interface PulledMetric {
  readonly id: string;
  readonly unit: string;
  readonly name: string;
  readonly value: number;
}

/** The exposures of an experiment as NDJSON: one JSON document a line. */
export async function exposuresAsNdjson(admin: Admin, query: string): Promise<PulledExposure[]> {
  const rows: PulledExposure[] = [];
  for await (const line of lines(await admin.pull(`/projects/default/exposures?${query}`, "application/x-ndjson"))) {
    rows.push(exposureOf(JSON.parse(line)));
  }
  return rows;
}

/** The same in pieces of `limit` rows, each going on after the cursor of the row before it, as an interrupted pull would. */
export async function exposuresInPieces(admin: Admin, query: string, limit: number): Promise<PulledExposure[]> {
  const rows: PulledExposure[] = [];
  let cursor: string | undefined;
  do {
    const from: string = cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const path = `/projects/default/exposures?${query}&limit=${limit}${from}`;
    cursor = undefined;
    for await (const line of lines(await admin.pull(path, "application/x-ndjson"))) {
      const row = JSON.parse(line);
      rows.push(exposureOf(row));
      cursor = row.cursor;
    }
  } while (cursor !== undefined);
  return rows;
}

/** The same as CSV, by the names in its first row. */
export async function exposuresAsCsv(admin: Admin, query: string): Promise<PulledExposure[]> {
  const reader = csvReader();
  const rows: string[][] = [];
  for await (const piece of await admin.pull(`/projects/default/exposures?${query}`, "text/csv")) {
    for (const row of reader.read(piece)) rows.push(row);
  }
  rows.push(...reader.end());
  const [header = [], ...body] = rows;
  return body.map((row) => exposureOf(Object.fromEntries(header.map((name, index) => [name, row[index] ?? ""]))));
}

/** The metric events of an environment as NDJSON. */
export async function metricEvents(admin: Admin, query: string): Promise<PulledMetric[]> {
  const rows: PulledMetric[] = [];
  for await (const line of lines(await admin.pull(`/projects/default/metric-events?${query}`, "application/x-ndjson"))) {
    const { id, unit, name, value } = JSON.parse(line);
    rows.push({ id, unit, name, value });
  }
  return rows;
}

function exposureOf({ id, unit, flag, variant, experiment }: Record<string, unknown>): PulledExposure {
  return { id: String(id), unit: String(unit), flag: String(flag), variant: String(variant), experiment: String(experiment) };
}

async function* lines(pieces: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = "";
  for await (const piece of pieces) {
    const parts = (rest + piece).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) if (line !== "") yield line;
  }
  if (rest !== "") yield rest;
}
