import { type FileOptions, type FileRow, type FileRows, UnreadableFile } from "./file-rows.ts";
import { textBytes, utf8Of } from "./utf8.ts";

/** Opens a file of one JSON object a line. Each line stands for itself: one that is broken costs itself alone. */
export async function openNdjson({ path }: FileOptions): Promise<FileRows> {
  for await (const row of rowsOf(path, 0)) {
    if (row.fault !== undefined) throw new UnreadableFile(row.fault.reason, { line: row.number });
    break;
  }
  return { columns: undefined, rows: (above) => rowsOf(path, above), close: () => undefined };
}

async function* rowsOf(path: string, above: number): AsyncGenerator<FileRow> {
  let number = 0;
  for await (const line of linesOf(path)) {
    number += 1;
    if (number <= above) continue;
    const row = line === undefined ? broken(number, `it is longer than ${LINE_BYTES_MAX} bytes`) : rowOf(number, line);
    if (row !== undefined) yield row;
  }
}

const LINE_BYTES_MAX = 1_048_576;

function rowOf(number: number, line: Buffer): FileRow | undefined {
  const text = utf8Of(line);
  if (text === undefined) return broken(number, "it is no UTF-8");
  if (text.trim() === "") return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return broken(number, `it is no JSON: ${error instanceof Error ? error.message.slice(0, 120) : "it is cut"}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return broken(number, "it is no JSON object");
  const object = value as Readonly<Record<string, unknown>>;
  return { number, cells: (column) => (Object.hasOwn(object, column) ? object[column] : undefined) };
}

function broken(number: number, reason: string): FileRow {
  return { number, fault: { field: "", reason } };
}

/** Lines without their ends; undefined for one that is too long. */
async function* linesOf(path: string): AsyncGenerator<Buffer | undefined> {
  let pieces: Buffer[] = [];
  let length = 0;
  const line = (): Buffer | undefined => {
    const whole = length > LINE_BYTES_MAX ? undefined : Buffer.concat(pieces);
    pieces = [];
    length = 0;
    return whole;
  };
  const grow = (piece: Buffer): void => {
    length += piece.length;
    // What is too long is counted and not kept.
    if (length <= LINE_BYTES_MAX) pieces.push(piece);
  };
  for await (const chunk of textBytes(path)) {
    let from = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, from)) {
      grow(chunk.subarray(from, end));
      yield line();
      from = end + 1;
    }
    if (from < chunk.length) grow(chunk.subarray(from));
  }
  if (length > 0) yield line();
}
