/*
 * Is this event fit to be stored? Asked 150,000 times a second, so the question is written out by hand; why one is not fit
 * is asked of its schema, which is the specification. A property test holds the two to the same answer.
 */
import { EVENT_LIMITS, type Exposure, type Json, KEY_PATTERN, type MetricEvent } from "@belay/protocol";

export function isExposure(event: unknown): event is Exposure {
  if (!isObject(event)) return false;
  const { seq, timeMs, flag, variant, rule, experiment, release, epoch, revision, unit, differs, attributes } =
    event as Unchecked<Exposure>;
  return (
    isWhole(seq, 1) &&
    isTime(timeMs) &&
    isKey(flag) &&
    isName(variant) &&
    (rule === undefined || isName(rule)) &&
    (experiment === undefined || isKey(experiment)) &&
    (release === undefined || isKey(release)) &&
    isWhole(epoch, 0) &&
    isWhole(revision, 0) &&
    isUnit(unit) &&
    (differs === undefined || typeof differs === "boolean") &&
    (attributes === undefined || isObject(attributes)) &&
    fields(event) ===
      7 +
        Number("rule" in event) +
        Number("experiment" in event) +
        Number("release" in event) +
        Number("differs" in event) +
        Number("attributes" in event)
  );
}

export function isMetricEvent(event: unknown): event is MetricEvent {
  if (!isObject(event)) return false;
  const { seq, timeMs, name, unit, value, properties } = event as Unchecked<MetricEvent>;
  return (
    isWhole(seq, 1) &&
    isTime(timeMs) &&
    isName(name) &&
    isUnit(unit) &&
    (value === undefined || Number.isFinite(value)) &&
    (properties === undefined || isObject(properties)) &&
    fields(event) === 4 + Number("value" in event) + Number("properties" in event)
  );
}

/**
 * JSON text of an event's attributes; nothing when they are over a limit: too long, too deep, or with a number that no
 * double holds, which would silently become `null`.
 */
export function jsonText(value: { readonly [name: string]: Json }): string | undefined {
  if (!isWithin(value, EVENT_LIMITS.attributesDepth)) return undefined;
  const text = JSON.stringify(value);
  return text.length > EVENT_LIMITS.attributesLength ? undefined : text;
}

type Unchecked<T> = { readonly [Name in keyof T]?: unknown };

const KEY = new RegExp(KEY_PATTERN);
const TIME_MAX = 253_402_300_799_999;

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isWhole(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function isTime(value: unknown): boolean {
  return isWhole(value, 0) && value <= TIME_MAX;
}

function isKey(value: unknown): boolean {
  return typeof value === "string" && KEY.test(value);
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= EVENT_LIMITS.nameLength;
}

function isUnit(value: unknown): boolean {
  return typeof value === "string" && value.length > 0 && value.length <= EVENT_LIMITS.unitLength;
}

/** Number of own fields: JSON makes no others. A field that is not known shows as one too many. */
function fields(event: object): number {
  let count = 0;
  for (const _ in event) count += 1;
  return count;
}

function isWithin(value: Json, depth: number): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isWithin(inner, depth - 1));
}
