/**
 * The operators: what value each takes, and how it is asked. Rules that keep them small: a missing attribute, or one of
 * the wrong type, never matches; a list attribute matches if any element does; nothing is coerced.
 */
import type { EvaluationContext, Operator, Test } from "@belay/protocol";
import { attributeReader, firstRead, internalized, readAttribute, restRead } from "./attribute.ts";
import { type Cidr, inCidr, parseCidr } from "./cidr.ts";
import { type Defects, quotable } from "./defect.ts";
import { parseInstant } from "./instant.ts";
import { LIMITS } from "./limits.ts";
import type { CompiledTest, Operand, Pattern, Scalar } from "./program.ts";
import { compareSemver, parseSemver, type Semver } from "./semver.ts";

// By names of this module: an imported one is looked up at each call, and looked at whether it is there yet (see `hashAfter`).
const [read, compare] = [firstRead, compareSemver];

/** Makes a pattern of the linear-time engine; throws on one the engine lacks. */
export type PatternCompiler = (pattern: string) => Pattern;

/** Reads a rule's value for one operator; `undefined` once a defect has been noted. */
type OperandReader = (
  value: unknown,
  field: string,
  defects: Defects,
  pattern: PatternCompiler | undefined,
) => Operand | undefined;

/** Lists up to this length are compared one by one: cheaper than hashing a fresh string for a `Set`, or than calling one. */
const SHORT_LIST = 6;
/** A pattern is searched in at most so many characters of an attribute. */
const SEARCHED_LENGTH_MAX = 10_000;

// The numbers of the operators in a compiled test; `matchOne` switches on them.
const IN = 0;
const CONTAINS = 1;
const STARTS_WITH = 2;
const ENDS_WITH = 3;
const MATCHES = 4;
const LT = 5;
const LTE = 6;
const GT = 7;
const GTE = 8;
const BEFORE = 9;
const AFTER = 10;
/** All that compare versions: which of them, the operand says. */
const VERSION = 11;
const EXISTS = 12;
const CIDR = 13;
/** `in` with a list long enough for a set. */
const IN_SET = 14;

/** Which orders of a value to the wanted one are accepted: a bit each for before, equal and after. */
type Accepted = number;

const IS_BEFORE: Accepted = 0b001;
const IS_EQUAL: Accepted = 0b010;
const IS_AFTER: Accepted = 0b100;

/** A version with the orders to it that match: one number instead of a choice among five operators at every call. */
interface VersionOperand extends Semver {
  readonly accepted: Accepted;
}

const OPERATOR_TABLE: Readonly<Record<Operator, readonly [number: number, read: OperandReader]>> = {
  in: [IN, readScalars],
  contains: [CONTAINS, readTexts],
  startsWith: [STARTS_WITH, readTexts],
  endsWith: [ENDS_WITH, readTexts],
  matches: [MATCHES, readPatterns],
  lt: [LT, readOrdered],
  lte: [LTE, readOrdered],
  gt: [GT, readOrdered],
  gte: [GTE, readOrdered],
  before: [BEFORE, readInstant],
  after: [AFTER, readInstant],
  semverEq: [VERSION, versionReader(IS_EQUAL)],
  semverLt: [VERSION, versionReader(IS_BEFORE)],
  semverLte: [VERSION, versionReader(IS_BEFORE | IS_EQUAL)],
  semverGt: [VERSION, versionReader(IS_AFTER)],
  semverGte: [VERSION, versionReader(IS_AFTER | IS_EQUAL)],
  exists: [EXISTS, readBoolean],
  cidr: [CIDR, readBlocks],
};

/** Every operator's name. */
export const OPERATORS: readonly Operator[] = Object.keys(OPERATOR_TABLE) as Operator[];

/** Compiles a test; `undefined` once its defects have been noted. */
export function compileTest(
  source: { readonly [name: string]: unknown },
  field: string,
  defects: Defects,
  pattern: PatternCompiler | undefined,
): CompiledTest | undefined {
  const { attribute, op, value } = source;
  if (typeof attribute !== "string" || attribute === "") {
    defects.invalid(`${field}.attribute`, attribute, "it must be the path of an attribute");
    return undefined;
  }
  if (typeof op !== "string" || !Object.hasOwn(OPERATOR_TABLE, op)) {
    defects.add("unknown_operator", `${field}.op`, { received: quotable(op), allowed: OPERATORS });
    return undefined;
  }
  const [operator, read] = OPERATOR_TABLE[op as Operator];
  const operand = read(value, `${field}.value`, defects, pattern);
  const { path, steps, site } = attributeReader(attribute);
  // The definition itself is the source: a copy of every test would cost as much as its compiled form. The reader's fields
  // are named one by one: spread, they took ten times as long to compile.
  return operand === undefined
    ? undefined
    : {
        path,
        steps,
        site,
        operator: operand instanceof Set ? IN_SET : operator,
        operand,
        source: source as unknown as Test,
      };
}

/** Does the context answer the test with yes? */
export function matchTest(test: CompiledTest, context: EvaluationContext, isPlainContext: boolean): boolean {
  const value = readAttribute(test, context, isPlainContext);
  return typeof value === "string" ? matchOne(test, value) : matchOther(test, value);
}

/**
 * Does a plain object answer all tests with yes? The same as asking `matchTest` for each, for those who ask millions of times.
 *
 * The tests that most rules are made of are written out, in one function with a loop around: it is busy enough for V8 to
 * compile it before whoever calls it, and has then room of its own for all it inlines (see `hashAfter`). Asked test by test,
 * it was inlined in pieces, and what the room did not suffice for was called: a third more for three tests.
 */
export function allMatch(tests: readonly CompiledTest[], context: EvaluationContext): boolean {
  for (let i = 0; i < tests.length; i++) {
    const test = tests[i] as CompiledTest;
    const value = read(test, context, true);
    if (typeof value !== "string") {
      if (matchOther(test, restRead(test, context, value))) continue;
      return false;
    }
    switch (test.operator) {
      case IN: {
        const list = test.operand as readonly Scalar[];
        let at = 0;
        while (at < list.length && list[at] !== value) at++;
        if (at === list.length) return false;
        break;
      }
      case IN_SET:
        if (!(test.operand as ReadonlySet<unknown>).has(value)) return false;
        break;
      case ENDS_WITH: {
        const endings = test.operand as readonly string[];
        let at = 0;
        while (at < endings.length && !value.endsWith(endings[at] as string)) at++;
        if (at === endings.length) return false;
        break;
      }
      case VERSION: {
        const wanted = test.operand as VersionOperand;
        const order = compare(value, wanted);
        if (order === undefined || ((wanted.accepted >> (order + 1)) & 1) === 0) return false;
        break;
      }
      default:
        if (!matchOne(test, value)) return false;
    }
  }
  return true;
}

/** Of what is no text: nothing, or a list of which one element is enough. */
function matchOther(test: CompiledTest, value: unknown): boolean {
  if (test.operator === EXISTS) return (value !== undefined) === test.operand;
  if (value === undefined) return false;
  if (!Array.isArray(value)) return matchOne(test, value);
  for (const element of value) if (matchOne(test, element)) return true;
  return false;
}

function matchOne({ operator, operand }: CompiledTest, value: unknown): boolean {
  switch (operator) {
    case IN:
      return isOneOf(operand as readonly Scalar[], value);
    case IN_SET:
      return (operand as ReadonlySet<unknown>).has(value);
    case CONTAINS:
    case STARTS_WITH:
    case ENDS_WITH:
      return typeof value === "string" && matchText(operator, operand as readonly string[], value);
    case MATCHES:
      return typeof value === "string" && matchPatterns(operand as readonly Pattern[], value);
    case LT:
    case LTE:
    case GT:
    case GTE:
      return matchOrder(operator, operand as number | string, value);
    case BEFORE:
    case AFTER:
      return matchInstant(operator, operand as number, value);
    case CIDR:
      return typeof value === "string" && matchBlocks(operand as readonly Cidr[], value);
    case EXISTS:
      return operand === true;
    default:
      return typeof value === "string" && matchVersion(operand as VersionOperand, value);
  }
}

function isOneOf(list: readonly Scalar[], value: unknown): boolean {
  for (let i = 0; i < list.length; i++) if (list[i] === value) return true;
  return false;
}

function matchText(operator: number, wanted: readonly string[], text: string): boolean {
  if (operator === ENDS_WITH) return endsWithOne(wanted, text);
  for (let i = 0; i < wanted.length; i++) {
    const part = wanted[i] as string;
    if (operator === CONTAINS ? text.includes(part) : text.startsWith(part)) return true;
  }
  return false;
}

function endsWithOne(endings: readonly string[], text: string): boolean {
  for (let i = 0; i < endings.length; i++) if (text.endsWith(endings[i] as string)) return true;
  return false;
}

/** The engine is linear in the text; the cut bounds the constant too. */
function matchPatterns(patterns: readonly Pattern[], text: string): boolean {
  const searched = text.length > SEARCHED_LENGTH_MAX ? text.slice(0, SEARCHED_LENGTH_MAX) : text;
  return patterns.some((pattern) => pattern.test(searched));
}

/** Parsing the address once for each block would be wasted on one block, and lists of blocks are short. */
function matchBlocks(blocks: readonly Cidr[], text: string): boolean {
  return blocks.some((block) => inCidr(text, block));
}

/** Numbers compare with numbers, text with text by code point; anything else does not match. */
function matchOrder(operator: number, wanted: number | string, value: unknown): boolean {
  const accepted = ACCEPTED_BY[operator - LT] as Accepted;
  if (typeof value === "number" && typeof wanted === "number") {
    // NaN is in no order to anything.
    return !Number.isNaN(value) && accepts(accepted, orderOf(value, wanted));
  }
  return typeof value === "string" && typeof wanted === "string" && accepts(accepted, compareCodePoints(value, wanted));
}

/** Of `lt`, `lte`, `gt` and `gte`. */
const ACCEPTED_BY: readonly Accepted[] = [IS_BEFORE, IS_BEFORE | IS_EQUAL, IS_AFTER, IS_AFTER | IS_EQUAL];

function orderOf(a: number, b: number): -1 | 0 | 1 {
  return a < b ? -1 : a > b ? 1 : 0;
}

function accepts(accepted: Accepted, order: -1 | 0 | 1): boolean {
  return ((accepted >> (order + 1)) & 1) === 1;
}

function matchVersion(wanted: VersionOperand, text: string): boolean {
  const order = compareSemver(text, wanted);
  return order !== undefined && accepts(wanted.accepted, order);
}

function matchInstant(operator: number, wanted: number, value: unknown): boolean {
  const at = typeof value === "string" ? parseInstant(value) : value instanceof Date ? value.getTime() : undefined;
  if (at === undefined) return false;
  return operator === BEFORE ? at < wanted : at > wanted;
}

/**
 * UTF-16 order is code point order except that surrogates (U+D800-DFFF, standing for U+10000 and up) sort below
 * U+E000-FFFF; lifting them over that block mends it.
 */
function compareCodePoints(a: string, b: string): -1 | 0 | 1 {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (left !== right) return lifted(a, i) < lifted(b, i) ? -1 : 1;
  }
  return a.length < b.length ? -1 : a.length > b.length ? 1 : 0;
}

/** A lone surrogate is a code point of its own and stays where it is. */
function lifted(text: string, i: number): number {
  const unit = text.charCodeAt(i);
  if ((unit & 0xf800) !== 0xd800) return unit;
  const isPaired = unit < 0xdc00 ? (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00 : (text.charCodeAt(i - 1) & 0xfc00) === 0xd800;
  return isPaired ? unit + 0x10000 : unit;
}

function readScalars(value: unknown, field: string, defects: Defects): Operand | undefined {
  const list = readList(value, field, defects, "a text, a number or a boolean, or a list of them", isScalar);
  const own = list?.map((element) => (typeof element === "string" ? internalized(element) : element));
  return own !== undefined && own.length > SHORT_LIST ? new Set(own) : own;
}

function readTexts(value: unknown, field: string, defects: Defects): Operand | undefined {
  return readList(value, field, defects, "a text or a list of texts", isText);
}

function readPatterns(
  value: unknown,
  field: string,
  defects: Defects,
  pattern: PatternCompiler | undefined,
): Operand | undefined {
  const list = readList(value, field, defects, "a regular expression or a list of them", isText);
  // An empty list needs no engine, but the operator does: whether a flag is malformed must not hang on its values.
  if (list?.length === 0 && pattern === undefined) {
    defects.add("invalid_pattern", field, { received: quotable(value), reason: NO_ENGINE });
    return undefined;
  }
  const patterns: Pattern[] = [];
  for (const text of list ?? []) {
    const compiled = compilePattern(text, pattern);
    if (typeof compiled === "string") {
      defects.add("invalid_pattern", field, { received: text, reason: compiled });
      return undefined;
    }
    patterns.push(compiled);
  }
  return list && patterns;
}

const NO_ENGINE = "no pattern engine is available here";

/** The pattern, or why there is none. */
function compilePattern(text: string, pattern: PatternCompiler | undefined): Pattern | string {
  if (pattern === undefined) return NO_ENGINE;
  if (text.length > LIMITS.patternLength) return `it is longer than ${LIMITS.patternLength} characters`;
  try {
    return pattern(text);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function readOrdered(value: unknown, field: string, defects: Defects): Operand | undefined {
  if ((typeof value === "number" && Number.isFinite(value)) || typeof value === "string") return value;
  return noValue(value, field, defects, "one number or text");
}

function readInstant(value: unknown, field: string, defects: Defects): Operand | undefined {
  const at = typeof value === "string" ? parseInstant(value) : undefined;
  return at ?? noValue(value, field, defects, "one RFC 3339 date-time, for example 2026-11-22T12:00:00Z");
}

function versionReader(accepted: Accepted): OperandReader {
  return (value, field, defects) => {
    const version = typeof value === "string" ? parseSemver(value) : undefined;
    if (version === undefined) return noValue(value, field, defects, "one SemVer 2.0 version, for example 2.3.0");
    const operand: VersionOperand = { ...version, accepted };
    return operand;
  };
}

function readBoolean(value: unknown, field: string, defects: Defects): Operand | undefined {
  return typeof value === "boolean" ? value : noValue(value, field, defects, "true or false");
}

function readBlocks(value: unknown, field: string, defects: Defects): Operand | undefined {
  const list = readList(value, field, defects, "a CIDR block such as 10.0.0.0/8, or a list of them", isText);
  const blocks: Cidr[] = [];
  for (const text of list ?? []) {
    const block = parseCidr(text);
    if (block === undefined) return noValue(text, field, defects, "a CIDR block such as 10.0.0.0/8 or 2001:db8::/32");
    blocks.push(block);
  }
  return list && blocks;
}

function readList<T extends Scalar>(
  value: unknown,
  field: string,
  defects: Defects,
  allowed: string,
  is: (element: unknown) => element is T,
): readonly T[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (list.length > LIMITS.valuesPerList) {
    defects.add("limit_exceeded", field, {
      received: list.length,
      allowed: LIMITS.valuesPerList,
      reason: `a list holds at most ${LIMITS.valuesPerList} values`,
    });
    return undefined;
  }
  const wrong = list.findIndex((element) => !is(element));
  if (wrong === -1) return list as readonly T[];
  return noValue(list[wrong], Array.isArray(value) ? `${field}[${wrong}]` : field, defects, allowed);
}

function noValue(value: unknown, field: string, defects: Defects, allowed: string): undefined {
  defects.add("invalid_value", field, { received: quotable(value), allowed, reason: `it must be ${allowed}` });
  return undefined;
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function isScalar(value: unknown): value is Scalar {
  return typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}
