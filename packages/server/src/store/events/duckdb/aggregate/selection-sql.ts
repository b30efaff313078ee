/* Which metric events count, and what their numbers are: questions about JSON of which nothing is coerced. */
import type { AttributePath, EventSelection, Json, PropertyFilter } from "@belay/protocol";
import { text } from "../sql.ts";

/** The moment of an event by its sender's clock; a clock that is wrong by minutes is set right, the network's delay is not. */
export const AT_MS: string = `(epoch_ms(time) + case when abs(clock_offset_ms) > 300000 then clock_offset_ms else 0 end)`;

/** Orders events of one unit: by their moment, then as they arrived. One number, so that a minimum is quick. */
export const ORDER_KEY: string = `(${AT_MS}::HUGEINT * 9007199254740992 + position)`;
export const POSITION_OF_KEY = "(key % 9007199254740992)::BIGINT";
export const MS_OF_KEY = "(key // 9007199254740992)::BIGINT";

/** Whether a metric event is meant. */
export function isSelected({ name, filters = [] }: EventSelection): string {
  return [`name = ${text(name)}`, ...filters.map(passes)].join(" and ");
}

/** The number of a selection's events; null where there is none. */
export function numberOf({ valueProperty }: EventSelection): string {
  return valueProperty === undefined ? "value" : number(`properties`, pointer([valueProperty]));
}

/**
 * The segment of a first exposure: an attribute as text, `""` where it is missing or neither text, number nor boolean. As the
 * SDKs read them: a name with dots is itself before it is a path.
 */
export function segmentOf(path: AttributePath): string {
  const whole = scalarText(pointer([path]));
  if (!path.includes(".")) return `coalesce(${whole}, '')`;
  const nested = scalarText(pointer(path.split(".")));
  return `coalesce(case when ${typeAt("attributes", pointer([path]))} in ${MISSING} then ${nested} else ${whole} end, '')`;
}

function passes({ property, op, value }: PropertyFilter): string {
  const at = pointer([property]);
  const isThere = `${typeAt("properties", at)} not in ${MISSING}`;
  if (op === "exists") return value === true ? isThere : `not (${isThere})`;
  if (op === "in") return `(${(Array.isArray(value) ? value : []).map((one: Json) => equals(at, one)).join(" or ") || "false"})`;
  return typeof value === "number" ? `coalesce(${number("properties", at)} ${COMPARISON[op]} ${double(value)}, false)` : "false";
}

function equals(at: string, value: Json): string {
  const type = typeAt("properties", at);
  if (typeof value === "string") return `(${type} = 'VARCHAR' and (properties->>${at}) = ${text(value)})`;
  if (typeof value === "boolean") return `(${type} = 'BOOLEAN' and (properties->>${at}) = '${value}')`;
  return typeof value === "number" ? `coalesce(${number("properties", at)} = ${double(value)}, false)` : "false";
}

const COMPARISON = { lt: "<", lte: "<=", gt: ">", gte: ">=" } as const;
const NUMBERS = "('BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE')";
const MISSING = "('NULL', '')";

const typeAt = (column: string, at: string): string => `coalesce(json_type(${column}, ${at}), '')`;
const number = (column: string, at: string): string =>
  `(case when ${typeAt(column, at)} in ${NUMBERS} then (${column}->>${at})::DOUBLE end)`;
const scalarText = (at: string): string =>
  `case when ${typeAt("attributes", at)} in ('VARCHAR', 'BOOLEAN', 'BIGINT', 'UBIGINT', 'HUGEINT', 'DOUBLE') then attributes->>${at} end`;

/** A JSON pointer, RFC 6901: names may hold anything. */
function pointer(names: readonly string[]): string {
  return text(names.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join(""));
}

/** Every digit of it: a literal with a point would be a DECIMAL. */
export function double(value: number): string {
  return `${text(String(value))}::DOUBLE`;
}
