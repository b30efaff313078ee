/**
 * Reading an attribute out of whatever an application passes as context: own properties only, dotted paths, no throwing
 * for odd shapes. The path is split once, at compile time.
 */
import type { AttributePath, EvaluationContext } from "@belay/protocol";

export interface AttributeReader {
  readonly path: AttributePath;
  /** The path's steps; `undefined` for a single name. */
  readonly steps: readonly string[] | undefined;
  /** Number of the load site that is this name's own, see `load`; `CAREFUL` for a name that no object may be asked for so. */
  readonly site: number;
}

/** Of the names that `Object.prototype` brings: a plain object has them all, and only its own ones count. */
const CAREFUL = -1;

export function attributeReader(path: AttributePath): AttributeReader {
  const name = internalized(path);
  const steps = path.includes(".") ? path.split(".") : undefined;
  return { path: name, steps, site: path in Object.prototype ? CAREFUL : siteOf(name) };
}

/**
 * The one copy of a text that V8 keeps, for property names and for the literals of an application. Any other copy it has to
 * look up at each load, and to compare character by character; two of these are equal only if they are the same.
 */
export function internalized(name: string): string {
  return Object.keys({ [name]: true })[0] ?? name;
}

/** Names that have a load site of their own: the first few that any rule asks for. */
const sites = new Map<string, number>();
const SITES = 8;

function siteOf(name: string): number {
  const site = sites.get(name) ?? Math.min(sites.size, SITES);
  if (site < SITES) sites.set(name, site);
  return site;
}

/**
 * `context[path]`, nine times. To V8 each of these is a place of its own: one that has only ever seen one name is
 * compiled to a look at the object's shape and a load, one that sees several asks a table at each call, which costs a third
 * of a hash. An application's rules ask for few attributes, and from contexts of few shapes.
 */
function load(context: EvaluationContext, path: string, site: number): unknown {
  switch (site) {
    case 0:
      return context[path];
    case 1:
      return context[path];
    case 2:
      return context[path];
    case 3:
      return context[path];
    case 4:
      return context[path];
    case 5:
      return context[path];
    case 6:
      return context[path];
    case 7:
      return context[path];
    default:
      return context[path];
  }
}

/** As a constant: what a function's declaration names might be another one by now, and V8 looks. */
const loadOf = load;

/** Is the context a plain object, so that reading a name `Object.prototype` does not bring reads an own property? */
export function isPlain(context: EvaluationContext): boolean {
  return Object.getPrototypeOf(context) === PLAIN;
}

const PLAIN: unknown = Object.prototype;

/**
 * The attribute's value; `undefined` when it is missing. `null` counts as missing: it is how JSON says "none".
 *
 * A plain object is read directly, which is several times cheaper than asking `hasOwn` first; anything with another
 * prototype (an instance whose getters live on the class) goes the careful way, so nothing inherited is ever read.
 */
export function readAttribute(reader: AttributeReader, context: EvaluationContext, isPlainContext: boolean): unknown {
  return restRead(reader, context, firstRead(reader, context, isPlainContext));
}

/** What stands under the whole path as one name. A text is the attribute's value; with anything else go on to `restRead`. */
export function firstRead(reader: AttributeReader, context: EvaluationContext, isPlainContext: boolean): unknown {
  // A number is compared, not a field that holds true or false: V8 does not know that it holds nothing else, and tests for all.
  if (isPlainContext && reader.site !== CAREFUL) return loadOf(context, reader.path, reader.site);
  return Object.hasOwn(context, reader.path) ? context[reader.path] : undefined;
}

/** The attribute's value where the first read has found `first`. */
export function restRead(reader: AttributeReader, context: EvaluationContext, first: unknown): unknown {
  if (first === null) return undefined;
  if (first !== undefined || reader.steps === undefined) return first;
  return walk(reader.steps, context);
}

function walk(steps: readonly string[], context: EvaluationContext): unknown {
  let at: unknown = context;
  for (const step of steps) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, step)) return undefined;
    at = (at as Record<string, unknown>)[step];
  }
  return at ?? undefined;
}

/**
 * The text of a unit: a non-empty string as it is, a finite number as its shortest decimal text, a boolean as `true` or
 * `false`; `undefined` for everything else, which is no unit.
 *
 * @example unitText(42) // "42"
 */
export function unitText(value: unknown): string | undefined {
  if (typeof value === "string") return value || undefined;
  return typeof value === "boolean" || Number.isFinite(value) ? String(value) : undefined;
}
