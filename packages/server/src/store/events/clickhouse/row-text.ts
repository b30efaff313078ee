/*
 * How rows become lines: ClickHouse writes the text itself, so that no row passes through JavaScript. Old versions have no
 * function that writes JSON text, so it is made of replacements, once per line and not per column: until then a byte that
 * no UTF-8 text holds stands for the quotes of the line itself.
 */
import type { EventKind, RowFormat } from "../event-store.ts";
import { COLUMNS, type Column, FORMULA_START } from "../formats.ts";
import { text } from "./sql.ts";

/** `flat` is NDJSON whose free-form objects are their text, as columns of a document have them. */
export type LineFormat = RowFormat | "flat";

/** How much is escaped: control characters other than tab and line ends are so rare that rows are looked through for them. */
export type Escaping = "usual" | "every";

/**
 * A select of `position`, `line` and `is_rare` from another select, the rows of a kind. Where `is_rare` is 1 the line is right
 * only if `every` character was escaped.
 */
export function linesOf(kind: EventKind, format: LineFormat, escaping: Escaping, rows: string): string {
  const dated = `select *, ${DATE_OF_TIME} from (${rows})`;
  if (format === "csv") return csvLines(COLUMNS[kind], dated);
  return format === "flat" ? flatLines(COLUMNS[kind], escaping, dated) : jsonLines(COLUMNS[kind], escaping, dated);
}

const QUOTE = "'\\xff'";
const USUAL: readonly Replacement[] = [
  ["\\", "\\\\"],
  ['"', '\\"'],
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\r", "\\r"],
];
const RARE: readonly Replacement[] = [...Array(32).keys()]
  .map((code): Replacement => [String.fromCharCode(code), `\\u${code.toString(16).padStart(4, "0")}`])
  .filter(([character]) => !"\t\n\r".includes(character));

type Replacement = readonly [character: string, escape: string];

/** JSON columns are JSON already: the line is cut around the one there is. */
function jsonLines(columns: readonly Column[], escaping: Escaping, rows: string): string {
  const at = columns.findIndex(({ type }) => type === "json");
  const name = columns[at]?.name ?? "";
  const pieces = columns.map(jsonPiece);
  const head = `concat(${[...pieces.slice(0, at), `',', ${QUOTE}, '${name}', ${QUOTE}, ':'`].join(", ")})`;
  const tail = `concat(${[...pieces.slice(at + 1), "'}'"].join(", ")})`;
  const isRare = `match(concat(head, tail), ${RARE_ONE})`;
  return `select position, concat(${escaped("head", escaping)}, json, ${escaped("tail", escaping)}, '\\n') as line, ${isRare} as is_rare
    from (select position, ${head} as head, ${tail} as tail, ifNull(${name}, 'null') as json from (${rows}))`;
}

function flatLines(columns: readonly Column[], escaping: Escaping, rows: string): string {
  const flat = columns.map((column): Column => (column.type === "json" ? { ...column, type: "text" } : column));
  const whole = `concat(${[...flat.map(jsonPiece), "'}'"].join(", ")})`;
  return `select position, concat(${escaped("whole", escaping)}, '\\n') as line, match(whole, ${RARE_ONE}) as is_rare
    from (select position, ${whole} as whole from (${rows}))`;
}

const RARE_ONE = "'[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f]'";

function jsonPiece(column: Column, index: number): string {
  return `'${index === 0 ? "{" : ","}', ${QUOTE}, '${column.name}', ${QUOTE}, ':', ${jsonCell(column)}`;
}

function jsonCell(column: Column): string {
  const value = source(column);
  if (column.type === "text") return `ifNull(concat(${QUOTE}, ${value}, ${QUOTE}), 'null')`;
  if (column.type === "moment") return `${QUOTE}, ${moment(column)}, ${QUOTE}`;
  return `ifNull(${plain(column)}, 'null')`;
}

/** Numbers as they are, `true` and `false`; null where there is none. */
function plain(column: Column): string {
  const value = source(column);
  return column.type === "truth" ? `if(isNull(${value}), null, if(${value} = 1, 'true', 'false'))` : `toString(${value})`;
}

/** What JSON wants escaped, and last the quotes of the line itself. */
function escaped(part: string, escaping: Escaping): string {
  const replacements = escaping === "every" ? [...USUAL, ...RARE] : USUAL;
  const inner = replacements.reduce((value, [from, to]) => `replaceAll(${value}, ${text(from)}, ${text(to)})`, part);
  return `replaceAll(${inner}, ${QUOTE}, '"')`;
}

function csvLines(columns: readonly Column[], rows: string): string {
  const cells = columns.map((column) => csvCell(column)).join(", ',', ");
  return `select position, concat(${cells}, '\\r\\n') as line, 0 as is_rare from (${rows})`;
}

/** Text is always quoted; what is absent is empty without quotes. */
function csvCell(column: Column): string {
  const value = source(column);
  if (column.type === "moment") return moment(column);
  if (column.type !== "text" && column.type !== "json") return `ifNull(${plain(column)}, '')`;
  const start = `if(ifNull(match(${value}, ${text(FORMULA_START)}), 0), ${text("'")}, '')`;
  return `ifNull(concat('"', replaceAll(concat(${start}, ${value}), '"', '""'), '"'), '')`;
}

/** Columns that are made when they are asked for. */
const MADE: Readonly<Record<string, string>> = {
  id: "concat(instance, '-', toString(seq))",
  cursor: "toString(position)",
};

const source = ({ name }: Column): string => MADE[name] ?? name;

/** RFC 3339 of the two moments an event has. */
function moment({ name }: Column): string {
  if (name === "received_at") return `concat(replaceOne(toString(received_at), ' ', 'T'), '.', ${digits("received_ms", 3)}, 'Z')`;
  const clock = [
    digits("intDiv(of_day, 3600000)", 2),
    digits("intDiv(of_day, 60000) % 60", 2),
    digits("intDiv(of_day, 1000) % 60", 2),
  ];
  return `concat(toString(year), '-', ${digits("month", 2)}, '-', ${digits("day", 2)}, 'T', ${clock.join(", ':', ")},
    '.', ${digits("of_day % 1000", 3)}, 'Z')`;
}

function digits(value: string, count: number): string {
  return `substring(toString(${10 ** count} + ${value}), 2)`;
}

/**
 * The civil date of `time_ms`, whose year may be beyond those of any date type old versions have: days counted from 1 March
 * of the year 0, in eras of 400 years. Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
 */
const DATE_OF_TIME = `time_ms % 86400000 as of_day, intDiv(time_ms, 86400000) + 719468 as days, days % 146097 as era_day,
  intDiv(era_day - intDiv(era_day, 1460) + intDiv(era_day, 36524) - intDiv(era_day, 146096), 365) as era_year,
  era_day - (365 * era_year + intDiv(era_year, 4) - intDiv(era_year, 100)) as year_day,
  intDiv(5 * year_day + 2, 153) as shifted_month, year_day - intDiv(153 * shifted_month + 2, 5) + 1 as day,
  if(shifted_month < 10, shifted_month + 3, shifted_month - 9) as month,
  era_year + intDiv(days, 146097) * 400 + (month <= 2) as year`;
