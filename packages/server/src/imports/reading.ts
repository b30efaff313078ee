/* From a file to batches of events: what the reading process does, without the process. */
import type { Exposure, MetricEvent } from "@belay/protocol";
import { type FileRow, type FileRows, openFile } from "./files/file-rows.ts";
import { type ImportPlan, isMissing, type Places, placeByName, placeFields } from "./plan.ts";
import { isFault, type RowFault, RowReader } from "./row.ts";

/** Rows of a file as events and faults, in order. */
export interface RowBatch {
  /** Rows of the file up to and with the last one here. */
  readonly through: number;
  readonly rows: number;
  readonly exposures: readonly Exposure[];
  readonly metrics: readonly MetricEvent[];
  /** JSON text of each event's free-form object, in the same order. */
  readonly texts: readonly (string | undefined)[];
  readonly rejected: readonly RejectedRow[];
}

export interface RejectedRow extends RowFault {
  readonly row: number;
}

/** A file under a plan. */
export interface Reading {
  /** Reads everything once, so that a file that is broken somewhere is known to be before any of it counts. */
  readonly count: () => Promise<number>;
  readonly batches: (above: number) => AsyncIterable<RowBatch>;
  readonly close: () => void;
}

/** @throws UnreadableFile when the file is not what its format says, MissingColumnError when it lacks a column. */
export async function openReading(path: string, plan: ImportPlan): Promise<Reading> {
  const byName = placeByName(plan);
  const wanted = [...Object.values(byName), ...plan.extra];
  const { zoneMinutes, delimiter } = plan;
  const file = await openFile(plan.format, {
    path,
    wanted,
    timeColumn: byName.time,
    zoneMinutes,
    ...(delimiter === undefined ? {} : { delimiter }),
  });
  const places = file.columns === undefined ? byName : placed(plan, file.columns, file);
  const reader = new RowReader(plan, places);
  return { count: () => countRows(file), batches: (above) => batchesOf(file.rows(above), plan, reader), close: file.close };
}

/** The file has no column that the plan, or every event, needs. */
export class MissingColumnError extends Error {
  readonly field: string;
  readonly column: string;
  readonly columns: readonly string[];

  constructor(field: string, column: string, columns: readonly string[]) {
    super(`the file has no column ${JSON.stringify(column)}`);
    this.field = field;
    this.column = column;
    this.columns = columns;
  }
}

/** Rows of a batch; and events in characters, about, whichever is reached first. */
const BATCH_ROWS = 1_000;
const BATCH_CHARS = 1_000_000;

function placed(plan: ImportPlan, columns: readonly string[], { close }: FileRows): Places {
  const places = placeFields(plan, columns);
  if (!isMissing(places)) return places;
  close();
  throw new MissingColumnError(places.field, places.column, columns.slice(0, 100));
}

async function countRows(file: FileRows): Promise<number> {
  let rows = 0;
  for await (const _ of file.rows(0)) rows += 1;
  return rows;
}

async function* batchesOf(rows: AsyncIterable<FileRow>, plan: ImportPlan, reader: RowReader): AsyncGenerator<RowBatch> {
  let batch = new Batch();
  for await (const row of rows) {
    batch.add(row, plan, reader);
    if (batch.rows < BATCH_ROWS && batch.chars < BATCH_CHARS) continue;
    yield batch;
    batch = new Batch();
  }
  if (batch.rows > 0) yield batch;
}

class Batch implements RowBatch {
  readonly exposures: Exposure[] = [];
  readonly metrics: MetricEvent[] = [];
  readonly texts: (string | undefined)[] = [];
  readonly rejected: RejectedRow[] = [];
  through = 0;
  rows = 0;
  chars = 0;

  add({ number, cells, fault }: FileRow, { kind }: ImportPlan, reader: RowReader): void {
    this.through = number;
    this.rows += 1;
    if (cells === undefined) {
      this.rejected.push({ row: number, ...(fault ?? { field: "", reason: "it cannot be read" }) });
      return;
    }
    const read = kind === "exposures" ? reader.exposure(number, cells) : reader.metric(number, cells);
    if (isFault(read)) {
      this.rejected.push({ row: number, ...read });
      return;
    }
    if ("flag" in read.event) this.exposures.push(read.event);
    else this.metrics.push(read.event);
    this.texts.push(read.text);
    this.chars += read.event.unit.length + (read.text?.length ?? 0);
  }
}
