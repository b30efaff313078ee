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

/**
 * Rows with the segments of first exposures as `s0`, `s1`, ..., by their column `attributes`, which is text: a scalar's text, `''` where
 * there is none. Each step is a select of its own, so that what the next one asks several times is a column, not its text once
 * more: a server reads and prepares a statement for longer than it runs it, when that holds the same texts a hundred times.
 */
export function withSegments(rows: string, paths: readonly AttributePath[]): string {
  const values = paths.map((path, index) => {
    const [whole, nested] = [`r${index}`, `r${index}_${path.split(".").length}`];
    const said = path.includes(".") ? `if(${isThere(whole)}, ${asText(whole)}, ${asText(nested)})` : asText(whole);
    return `, ${said} as s${index}`;
  });
  const roots = paths.flatMap((path, index) => {
    const [root = path, ...others] = path.split(".");
    return [{ name: path, as: `r${index}` }, ...(others.length === 0 ? [] : [{ name: root, as: `r${index}_1` }])];
  });
  const nested = paths.reduce(
    (rests, path, index) =>
      path
        .split(".")
        .slice(1)
        .reduce((found, name, at) => withRests(found, `r${index}_${at + 1}`, [{ name, as: `r${index}_${at + 2}` }]), rests),
    roots.length === 0 ? rows : withRests(rows, "attributes", roots),
  );
  return `select * ${values.join("")} from (${nested})`;
}

/** Rows with the rests of members of one column's object. */
function withRests(rows: string, json: string, members: readonly { readonly name: string; readonly as: string }[]): string {
  const of = (name: string): string => `${json}_${name}`;
  const steps = [
    [`${plainOf(json)} as ${of("plain")}`],
    [`${charactersOf(of("plain"))} as ${of("characters")}`],
    [`${quotedOf(of("characters"))} as ${of("quoted")}`],
    [`${depthOf(of("characters"), of("quoted"))} as ${of("depth")}`],
    [`${endedOf(of("depth"))} as ${of("ended")}`],
    [`${coveredBy(json, of("characters"), of("depth"), of("ended"))} as ${of("covered")}`],
    members.map(({ name, as }) => `position(${of("covered")}, ${text(labelOf(name))}) as ${as}_at`),
    members.map(({ name, as }) => `${restFrom(json, `${as}_at`, name)} as ${as}`),
  ];
  return steps.reduce((found, columns) => `select *, ${columns.join(", ")} from (${found})`, rows);
}

/** A text from where the value of a member begins of the object it starts with; `''` where there is none. */
function restAt(json: string, name: string): string {
  const characters = charactersOf(plainOf(json));
  const depth = depthOf(characters, quotedOf(characters));
  const at = `position(${coveredBy(json, characters, depth, endedOf(depth))}, ${text(labelOf(name))})`;
  return restFrom(json, at, name);
}

function restFrom(json: string, at: string, name: string): string {
  const length = Buffer.byteLength(labelOf(name));
  return `if(${at} = 0 or substring(${json}, 1, 1) != '{', '', substring(${json}, ${at} + ${length}))`;
}

const labelOf = (name: string): string => `${JSON.stringify(name)}:`;

/** Two bytes that are escaped are no quotes. */
const plainOf = (json: string): string => `replaceAll(replaceAll(${json}, '\\\\\\\\', '__'), '\\\\"', '__')`;
const charactersOf = (plain: string): string => `extractAll(${plain}, '(?s).')`;
const quotedOf = (characters: string): string => `arrayCumSum(arrayMap(c -> toInt32(c = '"'), ${characters}))`;

function depthOf(characters: string, quoted: string): string {
  const step = "if(q % 2 = 1, 0, (c = '{') + (c = '[') - (c = '}') - (c = ']'))";
  return `arrayCumSum(arrayMap((c, q) -> toInt32(${step}), ${characters}, ${quoted}))`;
}

/** Where the depth was 0 the object was over: what follows is its parent's. */
const endedOf = (depth: string): string => `arrayCumSum(arrayMap(d -> toInt32(d <= 0), ${depth}))`;

/** The same text, as long as it was, with no quotes but those of the members of the object it starts with. */
function coveredBy(json: string, characters: string, depth: string, ended: string): string {
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
