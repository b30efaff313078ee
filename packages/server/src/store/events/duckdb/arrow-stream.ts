/* Columns as DuckDB gives them, as an Arrow IPC stream. */
import type { DuckDBBlobValue, DuckDBValue } from "@duckdb/node-api";
import {
  Bool,
  type Data,
  type DataType,
  Field,
  Float64,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMillisecond,
  Utf8,
} from "apache-arrow";
import { type Column, isText } from "../formats.ts";

/**
 * A whole stream of one record batch: schema, batch, end.
 *
 * @param cells a list per column: values, of text their lengths in bytes. @param texts per column of text all its texts end to
 * end, null where there are none.
 */
export function arrowStream(
  columns: readonly Column[],
  cells: readonly (readonly DuckDBValue[])[],
  texts: readonly (DuckDBBlobValue | null)[],
): Uint8Array {
  const fields = columns.map(({ name, type }) => new Field(name, TYPES[type], true));
  const ends = texts.values();
  const children = columns.map((column, index) => {
    const values = cells[index] ?? [];
    return isText(column)
      ? textsOf(values as readonly (number | null)[], ends.next().value?.bytes)
      : valuesOf(TYPES[column.type], values);
  });
  const length = cells[0]?.length ?? 0;
  const batch = new RecordBatch(new Schema(fields), makeData({ type: new Struct(fields), length, nullCount: 0, children }));
  return RecordBatchStreamWriter.writeAll([batch]).toUint8Array(true);
}

const TYPES: Readonly<Record<Column["type"], DataType>> = {
  text: new Utf8(),
  json: new Utf8(),
  whole: new Int64(),
  number: new Float64(),
  truth: new Bool(),
  moment: new TimestampMillisecond("UTC"),
};

function valuesOf(type: DataType, values: readonly DuckDBValue[]): Data {
  const common = { length: values.length, ...nullsOf(values) };
  if (type instanceof Bool) return makeData({ type, ...common, data: bitsOf(values, (value) => value === true) });
  if (type instanceof Float64) return makeData({ type, ...common, data: filled(new Float64Array(values.length), values) });
  return makeData({ type: type as Int64, ...common, data: filled(new BigInt64Array(values.length), values) });
}

/** Where there is no value it stays 0. A loop: `from` with a function goes through an iterator, ten times slower. */
function filled<T extends Float64Array | BigInt64Array>(data: T, values: readonly DuckDBValue[]): T {
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (value !== null && value !== undefined) data[index] = value as T[number];
  }
  return data;
}

/** Texts that lie end to end already: what is left to say is where each begins. */
function textsOf(lengths: readonly (number | null)[], data: Uint8Array = new Uint8Array(0)): Data {
  const valueOffsets = new Int32Array(lengths.length + 1);
  let end = 0;
  for (let index = 0; index < lengths.length; index += 1) {
    end += lengths[index] ?? 0;
    valueOffsets[index + 1] = end;
  }
  return makeData({ type: new Utf8(), length: lengths.length, ...nullsOf(lengths), data, valueOffsets });
}

/** Which values there are, as bits, and how many there are not; without one missing nothing is said. */
function nullsOf(values: readonly DuckDBValue[]): { nullBitmap?: Uint8Array; nullCount: number } {
  let nullCount = 0;
  for (const value of values) if (value === null) nullCount += 1;
  return nullCount === 0 ? { nullCount } : { nullBitmap: bitsOf(values, (value) => value !== null), nullCount };
}

/** One bit per value, lowest first. */
function bitsOf(values: readonly DuckDBValue[], isSet: (value: DuckDBValue | undefined) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (let index = 0; index < values.length; index += 1) {
    if (isSet(values[index])) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bits;
}
