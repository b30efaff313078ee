/* How one row becomes one event, or a fault that names its field. */
import { EVENT_LIMITS, type Exposure, type Json, KEY_PATTERN, type MetricEvent } from "@belay/protocol";
import { jsonText } from "../exposures/event-check.ts";
import { readMoment } from "./moments.ts";
import type { ImportField, ImportPlan, Places } from "./plan.ts";

/** A value as its format has it: text in CSV, JSON's in NDJSON, Parquet's own types besides. Absent: undefined. */
export type Cell = unknown;

/** What is wrong with a row. `column` is absent when it is not about one. */
export interface RowFault {
  readonly field: string;
  readonly column?: string;
  readonly received?: string;
  readonly reason: string;
}

/** The event of a row, its free-form object as JSON text beside it. */
export interface RowEvent<T> {
  readonly event: T;
  readonly text: string | undefined;
}

/** Reads rows under one plan. @throws nothing: a row that cannot be read is a fault. */
export class RowReader {
  readonly #plan: ImportPlan;
  readonly #places: Places;

  constructor(plan: ImportPlan, places: Places) {
    this.#plan = plan;
    this.#places = places;
  }

  /** @param seq the row's number, from 1; with the import's instance it names the event for ever. */
  exposure(seq: number, cells: Cells): RowEvent<Exposure> | RowFault {
    return this.#guard((fields) => {
      const unit = fields.required("unit", textOf, EVENT_LIMITS.unitLength);
      const variant = fields.required("variant", textOf, EVENT_LIMITS.nameLength);
      const timeMs = fields.time();
      const experiment = fields.key("experiment");
      const release = fields.key("release");
      if ((experiment === undefined) === (release === undefined)) {
        throw fields.fault("experiment", undefined, "a row belongs to an experiment or to a release, to one of them");
      }
      const rule = fields.text("rule", EVENT_LIMITS.nameLength);
      const differs = fields.truth("differs");
      const event: Exposure = {
        seq,
        timeMs,
        flag: fields.key("flag") ?? experiment ?? release ?? "",
        variant,
        ...(rule === undefined ? {} : { rule }),
        ...(experiment === undefined ? {} : { experiment }),
        ...(release === undefined ? {} : { release }),
        epoch: fields.whole("epoch") ?? 0,
        revision: fields.whole("revision") ?? 0,
        unit,
        ...(differs === undefined ? {} : { differs }),
      };
      return { event, text: fields.object("attributes") };
    }, cells);
  }

  metric(seq: number, cells: Cells): RowEvent<MetricEvent> | RowFault {
    return this.#guard((fields) => {
      const unit = fields.required("unit", textOf, EVENT_LIMITS.unitLength);
      const name = fields.required("name", textOf, EVENT_LIMITS.nameLength);
      const timeMs = fields.time();
      const value = fields.number("value");
      const event: MetricEvent = { seq, timeMs, name, unit, ...(value === undefined ? {} : { value }) };
      return { event, text: fields.object("properties") };
    }, cells);
  }

  #guard<T>(read: (fields: Fields) => T, cells: Cells): T | RowFault {
    try {
      return read(new Fields(this.#plan, this.#places, cells));
    } catch (error) {
      if (error instanceof Fault) return error.fault;
      throw error;
    }
  }
}

export function isFault(read: RowEvent<unknown> | RowFault): read is RowFault {
  return "reason" in read;
}

/** The value in a column; undefined where the row has none. */
export type Cells = (column: string) => Cell;

/** What was received, as text fit to be shown. */
function shown(value: Cell): string {
  const text = typeof value === "string" ? value : (jsonish(value) ?? String(value));
  const cut = text.length <= SHOWN_LENGTH_MAX ? text : `${text.slice(0, SHOWN_LENGTH_MAX)}…`;
  // The cut may leave half of a surrogate pair, which is no UTF-8.
  return Buffer.from(cut).toString();
}

const SHOWN_LENGTH_MAX = 200;

class Fault extends Error {
  readonly fault: RowFault;
  constructor(fault: RowFault) {
    super(fault.reason);
    this.fault = fault;
  }
}

const KEY = new RegExp(KEY_PATTERN);
const NUMBER = /^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$/;

/** The fields of one row. */
class Fields {
  readonly #plan: ImportPlan;
  readonly #places: Places;
  readonly #cells: Cells;

  constructor(plan: ImportPlan, places: Places, cells: Cells) {
    this.#plan = plan;
    this.#places = places;
    this.#cells = cells;
  }

  required(field: ImportField, read: (value: Cell) => string | undefined, lengthMax: number): string {
    const value = this.#value(field);
    if (value === undefined) throw this.fault(field, undefined, "it is absent");
    const text = read(value);
    if (text === undefined) throw this.fault(field, value, "it is no text, nor a number that is exact");
    return this.#bounded(field, text, lengthMax);
  }

  text(field: ImportField, lengthMax: number): string | undefined {
    return this.#value(field) === undefined ? undefined : this.required(field, textOf, lengthMax);
  }

  key(field: ImportField): string | undefined {
    const text = this.text(field, 128);
    if (text === undefined || KEY.test(text)) return text;
    throw this.fault(field, text, "it is no key: 1-128 of A-Z a-z 0-9 . _ -");
  }

  time(): number {
    const value = this.#value("time");
    if (value === undefined) throw this.fault("time", undefined, "it is absent");
    const read = readMoment(value, this.#plan);
    if ("reason" in read) throw this.fault("time", value, read.reason);
    return read.ms;
  }

  /** Truth values count as 1 and 0. */
  number(field: ImportField): number | undefined {
    const value = this.#value(field);
    if (value === undefined) return undefined;
    const number = numberOf(value);
    if (number === undefined) throw this.fault(field, value, "it is no number such as 12.5, nor true or false");
    return number;
  }

  truth(field: ImportField): boolean | undefined {
    const number = this.number(field);
    if (number === undefined || number === 0 || number === 1) return number === undefined ? undefined : number === 1;
    throw this.fault(field, number, "it is neither true nor false");
  }

  whole(field: ImportField): number | undefined {
    const number = this.number(field);
    if (number === undefined || (Number.isSafeInteger(number) && number >= 0)) return number;
    throw this.fault(field, number, "it is no whole number from 0 on");
  }

  /** The free-form object: that of its own column, then the columns kept under their own names. As JSON text. */
  object(field: ImportField): string | undefined {
    const own = this.#value(field);
    const base = own === undefined ? undefined : objectOf(own);
    if (own !== undefined && base === undefined) throw this.fault(field, own, "it is no JSON object");
    if (base === undefined && this.#plan.extra.length === 0) return undefined;
    const entries: [string, Json][] = Object.entries(base ?? {});
    for (const column of this.#plan.extra) {
      const value = present(this.#cells(column));
      if (value !== undefined) entries.push([column, jsonOf(value)]);
    }
    const text = jsonText(Object.fromEntries(entries));
    if (text !== undefined) return text;
    const { attributesLength, attributesDepth } = EVENT_LIMITS;
    throw this.fault(field, undefined, `it is longer than ${attributesLength} characters or deeper than ${attributesDepth}`);
  }

  fault(field: ImportField, received: Cell, reason: string): Fault {
    const column = this.#places[field];
    return new Fault({
      field,
      ...(column === undefined ? {} : { column }),
      ...(received === undefined ? {} : { received: shown(received) }),
      reason,
    });
  }

  #value(field: ImportField): Cell {
    const constant = this.#plan.constants[field];
    if (constant !== undefined) return constant;
    const column = this.#places[field];
    return column === undefined ? undefined : present(this.#cells(column));
  }

  #bounded(field: ImportField, text: string, lengthMax: number): string {
    if (text.length <= lengthMax) return text;
    throw this.fault(field, text, `it is longer than ${lengthMax} characters`);
  }
}

/** An empty cell and a `null` hold nothing. */
function present(value: Cell): Cell {
  return value === null || value === "" ? undefined : value;
}

/** A number counts as its shortest decimal text, as it does for an SDK. */
function textOf(value: Cell): string | undefined {
  if (typeof value === "string") return value;
  // Beyond it several numbers of the file look the same here: two units would become one.
  const isExact = typeof value === "number" && Math.abs(value) <= Number.MAX_SAFE_INTEGER;
  return typeof value === "bigint" || isExact ? String(value) : undefined;
}

function numberOf(value: Cell): number | undefined {
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "bigint") return Number(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string") return undefined;
  const text = value.trim();
  if (/^(true|false)$/i.test(text)) return Number(text.toLowerCase() === "true");
  const number = NUMBER.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(number) ? number : undefined;
}

function objectOf(value: Cell): { readonly [name: string]: Json } | undefined {
  const parsed = typeof value === "string" ? parsedOf(value) : jsonOf(value);
  const isObject = typeof parsed === "object" && parsed !== null && !Array.isArray(parsed);
  return isObject ? (parsed as { readonly [name: string]: Json }) : undefined;
}

function parsedOf(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

/** Parquet's own types as JSON has them: whole numbers beyond a double's, and bytes, as text. */
function jsonOf(value: Cell): Json {
  const text = jsonish(value);
  return text === undefined ? null : (JSON.parse(text) as Json);
}

function jsonish(value: Cell): string | undefined {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "bigint" ? (Number.isSafeInteger(Number(inner)) ? Number(inner) : String(inner)) : inner,
  );
}
