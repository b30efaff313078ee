/* Columns as DuckDB gives them, as an Arrow IPC stream. */
import type { DuckDBValue } from "@duckdb/node-api";
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
import type { Column } from "../formats.ts";

/** A whole stream of one record batch: schema, batch, end. `values` holds a list per column. */
export function arrowStream(columns: readonly Column[], values: readonly (readonly DuckDBValue[])[]): Uint8Array {
  const fields = columns.map(({ name, type }) => new Field(name, TYPES[type], true));
  const children = columns.map(({ type }, index) => dataOf(TYPES[type], values[index] ?? []));
  const length = values[0]?.length ?? 0;
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

function dataOf(type: DataType, values: readonly DuckDBValue[]): Data {
  const { nullBitmap, nullCount } = nullsOf(values);
  const common = { length: values.length, nullCount, nullBitmap };
  if (type instanceof Utf8) return makeData({ type, ...common, ...textsOf(values as readonly (string | null)[]) });
  if (type instanceof Float64) {
    return makeData({ type, ...common, data: Float64Array.from(values as readonly number[], (value) => value ?? 0) });
  }
  if (type instanceof Bool) return makeData({ type, ...common, data: bitsOf(values, (value) => value === true) });
  const whole = BigInt64Array.from(values as readonly bigint[], (value) => value ?? 0n);
  return makeData({ type: type as Int64, ...common, data: whole });
}

/** Which values there are, as bits, and how many there are not. */
function nullsOf(values: readonly DuckDBValue[]): { nullBitmap: Uint8Array; nullCount: number } {
  const nullCount = values.reduce<number>((count, value) => count + Number(value === null), 0);
  return { nullBitmap: bitsOf(values, (value) => value !== null), nullCount };
}

/** One bit per value, lowest first. */
function bitsOf(values: readonly DuckDBValue[], isSet: (value: DuckDBValue | undefined) => boolean): Uint8Array {
  const bits = new Uint8Array(Math.ceil(values.length / 8));
  for (let index = 0; index < values.length; index += 1) {
    if (isSet(values[index])) bits[index >> 3] = (bits[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bits;
}

/** All texts end to end, and where each begins. */
function textsOf(values: readonly (string | null)[]): { data: Uint8Array; valueOffsets: Int32Array } {
  const valueOffsets = new Int32Array(values.length + 1);
  let end = 0;
  for (let index = 0; index < values.length; index += 1) {
    end += Buffer.byteLength(values[index] ?? "");
    valueOffsets[index + 1] = end;
  }
  return { data: Buffer.from(values.join("")), valueOffsets };
}
