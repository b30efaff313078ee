/**
 * Reading an attribute out of whatever an application passes as context: own properties only, dotted paths, no throwing
 * for odd shapes. The path is split once, at compile time.
 */
import type { AttributePath, EvaluationContext } from "@belay/protocol";

export interface AttributeReader {
  readonly path: AttributePath;
  /** The path's steps; `undefined` for a single name. */
  readonly steps: readonly string[] | undefined;
  /** The name is not one that `Object.prototype` brings, so a plain object's own property can be read directly. */
  readonly isUncommon: boolean;
}

export function attributeReader(path: AttributePath): AttributeReader {
  return { path, steps: path.includes(".") ? path.split(".") : undefined, isUncommon: !(path in Object.prototype) };
}

/** Is the context a plain object, so that reading a name `Object.prototype` does not bring reads an own property? */
export function isPlain(context: EvaluationContext): boolean {
  return Object.getPrototypeOf(context) === Object.prototype;
}

/**
 * The attribute's value; `undefined` when it is missing. `null` counts as missing: it is how JSON says "none".
 *
 * A plain object is read directly, which is several times cheaper than asking `hasOwn` first; anything with another
 * prototype (an instance whose getters live on the class) goes the careful way, so nothing inherited is ever read.
 */
export function readAttribute(reader: AttributeReader, context: EvaluationContext, isPlainContext: boolean): unknown {
  let value: unknown;
  if (isPlainContext && reader.isUncommon) value = context[reader.path];
  else if (Object.hasOwn(context, reader.path)) value = context[reader.path];
  if (value === null) return undefined;
  if (value !== undefined || reader.steps === undefined) return value;
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
