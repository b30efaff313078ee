import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { pipeline, Readable } from "node:stream";
import { stringify } from "csv-stringify";
import type { RejectedRow } from "./reading.ts";

export type RejectedFormat = "csv" | "ndjson";

/** The rejected rows of an import as a file; cells a spreadsheet would run as formulas are made harmless in CSV. */
export function rejectedRows(path: string, bytes: number, format: RejectedFormat): Readable {
  const lines = bytes === 0 ? Readable.from([]) : createReadStream(path, { end: bytes - 1 });
  if (format === "ndjson") return lines;
  const rows = stringify({ header: true, columns: [...COLUMNS], record_delimiter: "windows", escape_formulas: true });
  pipeline(Readable.from(rowsOf(lines)), rows, () => undefined);
  return rows;
}

const COLUMNS: readonly (keyof RejectedRow)[] = ["row", "field", "column", "received", "reason"];

async function* rowsOf(lines: Readable): AsyncGenerator<RejectedRow> {
  for await (const line of createInterface({ input: lines })) yield JSON.parse(line) as RejectedRow;
}
