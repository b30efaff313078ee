import type { EventSelection, Json, PropertyFilter } from "@belay/protocol";

/** A metric event as a pull writes it. */
export interface MetricRow {
  readonly time: string;
  readonly unit: string;
  readonly value?: number | null;
  readonly properties?: { readonly [name: string]: Json } | null;
}

/** Does a selection, by its filters, take an event of its name? */
export function passes({ filters = [] }: EventSelection, { properties }: Pick<MetricRow, "properties">): boolean {
  return filters.every((filter) => holds(filter, properties ?? {}));
}

/** The value a selection reads; `undefined` where there is no number. */
export function readValue(
  { valueProperty }: EventSelection,
  { value, properties }: Pick<MetricRow, "value" | "properties">,
): number | undefined {
  const read = valueProperty === undefined ? value : own(properties ?? {}, valueProperty);
  return typeof read === "number" ? read : undefined;
}

/** A missing property, or one of another type, never matches. */
function holds({ property, op, value }: PropertyFilter, properties: { readonly [name: string]: Json }): boolean {
  const has = own(properties, property);
  if (op === "exists") return (has !== undefined && has !== null) === value;
  if (op === "in") return Array.isArray(value) && value.some((one) => one === has);
  if (typeof has !== "number" || typeof value !== "number") return false;
  return COMPARE[op](has, value);
}

const COMPARE: Readonly<Record<"lt" | "lte" | "gt" | "gte", (a: number, b: number) => boolean>> = {
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
};

function own(properties: { readonly [name: string]: Json }, name: string): Json | undefined {
  return Object.hasOwn(properties, name) ? properties[name] : undefined;
}
