import type { ImportFormat } from "../plan.ts";
import type { Cells, RowFault } from "../row.ts";

/** A row of a file, or why it is none. */
export interface FileRow {
  /** From 1; the header of a CSV is not counted. Of NDJSON it is the line. */
  readonly number: number;
  readonly cells?: Cells;
  readonly fault?: RowFault;
}

/** A file as rows. */
export interface FileRows {
  /** Undefined where each row names its own. */
  readonly columns: readonly string[] | undefined;
  /** All rows above a number, in order. @throws UnreadableFile */
  readonly rows: (above: number) => AsyncIterable<FileRow>;
  readonly close: () => void;
}

export interface FileOptions {
  readonly path: string;
  /** Of CSV: what stands between cells. */
  readonly delimiter?: string;
  /** Columns that are asked for; others need not be read. */
  readonly wanted: readonly string[];
  /** The one of them that holds the time, and the zone of times without one; absent: such times are refused. */
  readonly timeColumn?: string | undefined;
  readonly zoneMinutes?: number | undefined;
}

/** The file as a whole cannot be read, or not from some row on. */
export class UnreadableFile extends Error {
  constructor(reason: string, place: { readonly row?: number; readonly line?: number } = {}) {
    const { row, line } = place;
    const where = [row === undefined ? "" : `row ${row}`, line === undefined ? "" : `line ${line}`].filter((part) => part !== "");
    super(where.length === 0 ? reason : `${where.join(", ")}: ${reason}`);
    this.name = "UnreadableFile";
  }
}

/** Opens a file. @throws UnreadableFile when its beginning is not that of its format. */
export async function openFile(format: ImportFormat, options: FileOptions): Promise<FileRows> {
  if (format === "csv") return (await import("./csv-rows.ts")).openCsv(options);
  if (format === "ndjson") return (await import("./ndjson-rows.ts")).openNdjson(options);
  return (await import("./parquet-rows.ts")).openParquet(options);
}
