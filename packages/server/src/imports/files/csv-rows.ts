import { pipeline, Readable } from "node:stream";
import { CsvError, type Info, type Options, parse } from "csv-parse";
import { type FileOptions, type FileRow, type FileRows, UnreadableFile } from "./file-rows.ts";
import { textBytes, utf8Of } from "./utf8.ts";

/**
 * Opens a CSV with a header. Quotes that do not fit leave no way to know where the next row begins, so they end the
 * reading; a row of another width, or one that is no UTF-8, costs itself alone.
 */
export async function openCsv({ path, delimiter = "," }: FileOptions): Promise<FileRows> {
  const columns = await headerOf(path, delimiter);
  const places = new Map(columns.map((column, index) => [column, index]));
  return { columns, rows: (above) => rowsOf(path, delimiter, places, above), close: () => undefined };
}

const CSV: Options = {
  // One character a byte: what is no UTF-8 is found in each cell instead of being replaced.
  encoding: "latin1",
  record_delimiter: ["\r\n", "\n", "\r"],
  relax_column_count: true,
  skip_empty_lines: true,
  max_record_size: 1_048_576,
  info: true,
};

interface Parsed {
  readonly record: readonly string[];
  readonly info: Info;
}

async function headerOf(path: string, delimiter: string): Promise<readonly string[]> {
  for await (const { record } of recordsOf(path, { ...CSV, delimiter })) {
    const columns = record.map((name) => textOf(name.trim()));
    if (!columns.every((name) => name !== undefined)) throw new UnreadableFile("its header is no UTF-8");
    const twice = columns.find((name, index) => columns.indexOf(name) !== index);
    if (twice !== undefined) throw new UnreadableFile(`its header has the column ${JSON.stringify(twice)} twice`);
    return columns;
  }
  throw new UnreadableFile("it is empty");
}

async function* rowsOf(
  path: string,
  delimiter: string,
  places: ReadonlyMap<string, number>,
  above: number,
): AsyncGenerator<FileRow> {
  let number = -1;
  for await (const { record, info } of recordsOf(path, { ...CSV, delimiter })) {
    number += 1;
    if (number > above) yield rowOf(number, record, info.lines, places);
  }
}

function rowOf(number: number, record: readonly string[], line: number, places: ReadonlyMap<string, number>): FileRow {
  if (record.length !== places.size) {
    const reason = `it has ${record.length} cells and the header ${places.size} (line ${line})`;
    return { number, fault: { field: "", reason } };
  }
  for (const [column, index] of places) {
    if (textOf(record[index] ?? "") !== undefined) continue;
    return { number, fault: { field: "", column, reason: `it is no UTF-8 (line ${line})` } };
  }
  return { number, cells: (column) => textOf(record[places.get(column) ?? -1] ?? "") };
}

async function* recordsOf(path: string, options: Options): AsyncGenerator<Parsed> {
  const parser = parse(options);
  // What goes wrong in it is thrown by the parser, too.
  pipeline(Readable.from(textBytes(path)), parser, () => undefined);
  let rows = -1;
  try {
    for await (const parsed of parser as AsyncIterable<Parsed>) {
      rows += 1;
      yield parsed;
    }
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = error["lines"] as unknown;
    throw new UnreadableFile(reasonOf(error), { row: rows + 1, ...(typeof line === "number" ? { line } : {}) });
  }
}

function reasonOf({ code }: CsvError): string {
  if (code === "CSV_MAX_RECORD_SIZE") return "it is longer than 1 MiB; is a quote before it never closed?";
  if (code === "CSV_QUOTE_NOT_CLOSED") return "a quote is opened and never closed";
  return "a quote stands inside a cell; write it twice, and quotes around the cell";
}

const BEYOND_ASCII = /[\x80-\xff]/;

/** The text of a cell read one character a byte; undefined where it is no UTF-8. */
function textOf(cell: string): string | undefined {
  return BEYOND_ASCII.test(cell) ? utf8Of(Buffer.from(cell, "latin1")) : cell;
}
