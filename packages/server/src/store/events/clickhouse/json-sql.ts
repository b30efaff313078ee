/*
 * Values out of JSON text in the common subset, where no function reads JSON properly: `visitParam...` takes the first name that
 * fits, however deep, and ends the whole server where the text ends early. So the quotes of everything below an object's own
 * members are covered up, the name is looked for in what is left to see, and its value cut out by a pattern.
 */
import type { AttributePath, EventSelection, Json, PropertyFilter } from "@belay/protocol";
import { text } from "./sql.ts";

/** Whether a metric event is meant. */
export function isSelected({ name, filters = [] }: EventSelection): string {
  return `(${[`name = ${text(name)}`, ...filters.map(passes)].join(" and ")})`;
}

/** The number of a selection's events; null where there is none. */
export function numberOf({ valueProperty }: EventSelection): string {
  return valueProperty === undefined ? "value" : asNumber(restAt("ifNull(properties, '')", valueProperty));
}

/** The segment of a first exposure whose `attributes` are text: as text, `''` where there is none that is a scalar. */
export function segmentOf(path: AttributePath): string {
  const whole = restAt("attributes", path);
  if (!path.includes(".")) return asText(whole);
  const nested = path.split(".").reduce((json, name) => restAt(json, name), "attributes");
  return `if(${isThere(whole)}, ${asText(whole)}, ${asText(nested)})`;
}

/** A text from where the value of a member begins of the object it starts with; `''` where there is none. */
function restAt(json: string, name: string): string {
  const label = `${JSON.stringify(name)}:`;
  const at = `position(${covered(json)}, ${text(label)})`;
  return `if(${at} = 0 or substring(${json}, 1, 1) != '{', '', substring(${json}, ${at} + ${Buffer.byteLength(label)}))`;
}

/** The same text, as long as it was, with no quotes but those of the members of the object it starts with. */
function covered(json: string): string {
  // Two bytes that are escaped are no quotes.
  const plain = `replaceAll(replaceAll(${json}, '\\\\\\\\', '__'), '\\\\"', '__')`;
  const characters = `extractAll(${plain}, '(?s).')`;
  const quoted = `arrayCumSum(arrayMap(c -> toInt32(c = '"'), ${characters}))`;
  const step = "if(q % 2 = 1, 0, (c = '{') + (c = '[') - (c = '}') - (c = ']'))";
  const depth = `arrayCumSum(arrayMap((c, q) -> toInt32(${step}), ${characters}, ${quoted}))`;
  // Where it was 0 the object was over: what follows is its parent's.
  const ended = `arrayCumSum(arrayMap(d -> toInt32(d <= 0), ${depth}))`;
  const seen = `arrayMap((c, d, e) -> if((d != 1 or e > 0) and c = '"', '_', c), ${characters}, ${depth}, ${ended})`;
  return `if(match(substring(${json}, 2), '[{\\\\[]|\\\\}.'), arrayStringConcat(${seen}, ''), ${json})`;
}

function passes({ property, op, value }: PropertyFilter): string {
  const rest = restAt("ifNull(properties, '')", property);
  if (op === "exists") return value === true ? isThere(rest) : `not ${isThere(rest)}`;
  if (op === "in") return `(${(Array.isArray(value) ? value : []).map((one: Json) => equals(rest, one)).join(" or ") || "0"})`;
  return typeof value === "number" ? `ifNull(${asNumber(rest)} ${COMPARISON[op]} ${double(value)}, 0)` : "0";
}

function equals(rest: string, value: Json): string {
  if (typeof value === "number") return `ifNull(${asNumber(rest)} = ${double(value)}, 0)`;
  return typeof value === "string" || typeof value === "boolean" ? `${scalar(rest)} = ${text(JSON.stringify(value))}` : "0";
}

const COMPARISON = { lt: "<", lte: "<=", gt: ">", gte: ">=" } as const;

/** Nothing but null begins with an n. */
const isThere = (rest: string): string => `match(${rest}, '^[^n]')`;
const scalar = (rest: string): string => `extract(${rest}, '^("(?:[^"\\\\\\\\]|\\\\\\\\.)*"|[^][{},"]+)')`;
const asNumber = (rest: string): string => `if(match(${rest}, '^-?[0-9]'), toFloat64OrNull(${scalar(rest)}), null)`;

function asText(rest: string): string {
  const quoted = `if(${rest} like '"%', ${scalar(rest)}, '""')`;
  const said = `visitParamExtractString(concat('{"v":', ${quoted}, '}'), 'v')`;
  return `multiIf(${rest} like '"%', ${said}, ${isThere(rest)}, ${scalar(rest)}, '')`;
}

/** A number as it is: also one that is not whole. */
export function double(value: number): string {
  return `toFloat64(${text(String(value))})`;
}
