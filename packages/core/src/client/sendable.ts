/*
 * What an application hands over may be anything: cycles, BigInts, megabytes, proxies that throw. Before it is kept it
 * becomes plain bounded JSON, or is refused with a reason; nothing here throws, and nothing keeps a reference to it.
 */
import type { EvaluationContext, Json } from "@belay/protocol";

/** Bounds of what goes with one event: the server's own, or narrower ones. */
export const SENDABLE: {
  readonly unitLength: number;
  readonly nameLength: number;
  readonly textLength: number;
  readonly fields: number;
  readonly depth: number;
  readonly length: number;
} = {
  /** Characters of a unit. A longer one is refused, not cut: a cut unit would be somebody else. */
  unitLength: 4_096,
  /** Characters of a metric event's name. */
  nameLength: 128,
  /** Characters of a text; longer ones are cut. */
  textLength: 1_024,
  /** Fields or elements of one object or list; the rest is left out. */
  fields: 64,
  depth: 4,
  /** Characters of JSON of everything together. */
  length: 16_384,
};

export interface Sendable {
  readonly json: { readonly [name: string]: Json };
  /** Characters of its JSON text. */
  readonly length: number;
  /** Paths that were left out, each with the reason; the rest is sent. */
  readonly leftOut: readonly string[];
}

/** The fields of an object as bounded JSON, or why nothing of it can be sent. */
export function sendable(value: unknown): Sendable | string {
  try {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return "it is no object";
    const leftOut: string[] = [];
    const json = copyObject(value, { path: "", depth: 1, leftOut, above: [value] });
    const { length } = JSON.stringify(json);
    return length <= SENDABLE.length ? { json, length, leftOut } : `it is over ${SENDABLE.length} characters of JSON`;
  } catch (error) {
    return `reading it threw (${nameOf(error)})`;
  }
}

/** The named attributes of a context, own properties only, as bounded JSON. */
export function sendableAttributes(context: EvaluationContext, names: readonly string[]): Sendable | string {
  const picked: Record<string, unknown> = Object.create(null);
  try {
    for (const name of names) if (Object.hasOwn(context, name)) picked[name] = context[name];
  } catch (error) {
    return `reading it threw (${nameOf(error)})`;
  }
  return sendable(picked);
}

interface Place {
  readonly path: string;
  readonly depth: number;
  readonly leftOut: string[];
  /** The objects around this one: meeting one of them again is a cycle. */
  readonly above: readonly object[];
}

const LEFT_OUT = Symbol("left out");

function copyObject(source: object, place: Place): { [name: string]: Json } {
  // Null prototype: an attribute called `__proto__` is data.
  const target: { [name: string]: Json } = Object.create(null);
  let fields = 0;
  for (const name of Object.keys(source)) {
    if (fields === SENDABLE.fields) {
      place.leftOut.push(`${place.path}: more than ${SENDABLE.fields} fields`);
      break;
    }
    const copied = copy(
      (source as Record<string, unknown>)[name],
      within(place, place.path === "" ? name : `${place.path}.${name}`),
    );
    if (copied === LEFT_OUT) continue;
    target[name] = copied;
    fields += 1;
  }
  return target;
}

function copyList(source: readonly unknown[], place: Place): Json[] {
  if (source.length > SENDABLE.fields) place.leftOut.push(`${place.path}: more than ${SENDABLE.fields} elements`);
  const target: Json[] = [];
  for (let at = 0; at < Math.min(source.length, SENDABLE.fields); at += 1) {
    const copied = copy(source[at], within(place, `${place.path}[${at}]`));
    // A hole would move the elements after it.
    target.push(copied === LEFT_OUT ? null : copied);
  }
  return target;
}

function copy(value: unknown, place: Place): Json | typeof LEFT_OUT {
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") return copyText(value, place);
  if (typeof value === "number") return Number.isFinite(value) ? value : leaveOut(place, String(value));
  if (value === undefined) return LEFT_OUT;
  if (typeof value !== "object") return leaveOut(place, typeof value);
  return copyNested(value, place);
}

function copyText(text: string, place: Place): string {
  if (text.length <= SENDABLE.textLength) return text;
  place.leftOut.push(`${place.path}: cut to ${SENDABLE.textLength} characters`);
  return text.slice(0, SENDABLE.textLength);
}

function copyNested(value: object, place: Place): Json | typeof LEFT_OUT {
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? leaveOut(place, "invalid date") : value.toISOString();
  }
  if (place.above.includes(value)) return leaveOut(place, "circular");
  if (place.depth > SENDABLE.depth) return leaveOut(place, `deeper than ${SENDABLE.depth}`);
  const inside = { ...place, above: [...place.above, value] };
  return Array.isArray(value) ? copyList(value, inside) : copyObject(value, inside);
}

function within(place: Place, path: string): Place {
  return { ...place, path, depth: place.depth + 1 };
}

function leaveOut(place: Place, reason: string): typeof LEFT_OUT {
  place.leftOut.push(`${place.path}: ${reason}`);
  return LEFT_OUT;
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
