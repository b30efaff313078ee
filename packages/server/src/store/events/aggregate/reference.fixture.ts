/*
 * The same numbers as simply as they can be had: lists of events, one unit at a time, every day from the beginning. What the
 * engines are held against; nothing here is shared with them.
 */
import { murmur3 } from "@belay/core";
import type { EventSelection, Exposure, Json, MetricEvent, PropertyFilter } from "@belay/protocol";
import { type AggregateRequest, type Group, HELD_OUT, type MetricQuery, type PairsRequest, REST, type Scope } from "./request.ts";

/** Events in the order they arrived. */
export interface Happened {
  readonly exposures: readonly Arrived<Exposure>[];
  readonly metrics: readonly Arrived<MetricEvent>[];
}

export type Arrived<E> = E & { readonly position: number };

export interface Unit {
  readonly unit: string;
  readonly variant: string;
  readonly epoch: number;
  readonly startMs: number;
  readonly position: number;
  readonly segments: readonly string[];
  readonly isCrossed: boolean;
}

const DAY_MS = 86_400_000;

type Asked = Pick<AggregateRequest, "subject" | "fromMs" | "untilMs">;

export function unitsOf(happened: Happened, asked: Asked, segments: readonly string[] = []): Unit[] {
  const byUnit = new Map<string, Arrived<Exposure>[]>();
  for (const exposure of seenOf(happened, asked.subject)) {
    if (exposure.timeMs < asked.fromMs || exposure.timeMs >= (asked.untilMs ?? Number.POSITIVE_INFINITY)) continue;
    byUnit.set(exposure.unit, [...(byUnit.get(exposure.unit) ?? []), exposure]);
  }
  return [...byUnit.values()].flatMap((all) => {
    const [first] = [...all].sort(inOrder);
    if (first === undefined) return [];
    const { unit, variant, epoch, timeMs: startMs, position, attributes } = first;
    const isCrossed = new Set(all.map((one) => one.variant)).size > 1;
    return [
      { unit, variant, epoch, startMs, position, segments: segments.map((path) => textAt(attributes ?? {}, path)), isCrossed },
    ];
  });
}

/** What puts units into arms; for a holdout whatever they were seen by. */
function seenOf({ exposures, metrics }: Happened, subject: AggregateRequest["subject"]): readonly Arrived<Exposure>[] {
  if ("holdout" in subject) {
    const { salt, share } = subject.holdout;
    return [...exposures, ...metrics].map(({ unit, timeMs, position, seq }) => {
      const point = Math.floor((murmur3(salt + unit) * 1_000_000) / 2 ** 32);
      const variant = point < share ? HELD_OUT : REST;
      return { seq, unit, timeMs, position, variant, flag: "", epoch: 0, revision: 0 };
    });
  }
  const isMeant = ({ experiment, release }: Exposure): boolean =>
    "experiment" in subject ? experiment === subject.experiment : release === subject.release;
  return exposures.filter((one) => isMeant(one) && (subject.isTriggered !== true || one.differs !== false));
}

export interface Sums {
  readonly n: number;
  readonly first: readonly number[];
  readonly second: readonly number[];
}

/** The sums of one group and metric as of the end of a day. */
export function sumsAsOf(
  happened: Happened,
  request: AggregateRequest,
  asked: { readonly metric: MetricQuery; readonly group: Group; readonly scope: Scope; readonly day: number },
): Sums {
  const { metric, group, scope, day } = asked;
  const endMs = (day + 1) * DAY_MS;
  const overMs = Math.min(request.asOfMs, request.untilMs ?? request.asOfMs);
  const metrics = happened.metrics.filter(({ timeMs }) => timeMs < (request.untilMs ?? Number.POSITIVE_INFINITY));
  const vectors = unitsOf(happened, request, request.segments)
    .filter((unit) => isIn(unit, group))
    .filter(({ startMs }) => {
      if (scope === "all") return startMs < endMs;
      const windowEndMs = startMs + (metric.window.toMs ?? Number.POSITIVE_INFINITY);
      return windowEndMs < endMs && windowEndMs <= overMs;
    })
    .map((unit) =>
      vectorOf(
        metrics.filter((event) => event.unit === unit.unit && (scope === "ripe" || event.timeMs < endMs)),
        unit.startMs,
        metric,
      ),
    );
  return sumUp(vectors);
}

export function isIn(unit: Unit, { variant, epoch, segment }: Group): boolean {
  return (
    unit.variant === variant && unit.epoch === epoch && (segment === undefined || unit.segments[segment.index] === segment.value)
  );
}

/** A unit's values of the metric's variables. */
function vectorOf(events: readonly Arrived<MetricEvent>[], startMs: number, metric: MetricQuery): number[] {
  const { value, window, covariateMs, shift = 0 } = metric;
  const after = (event: MetricEvent): boolean => {
    const age = event.timeMs - startMs;
    return age >= Math.max(0, window.fromMs) && age < (window.toMs ?? Number.POSITIVE_INFINITY);
  };
  const before = (event: MetricEvent): boolean => {
    const age = event.timeMs - startMs;
    return age < 0 && age >= -(covariateMs ?? 0);
  };
  const [numerator, denominator, seen] = measured(events.filter(after), value);
  const outcome = denominator === undefined ? [numerator - shift] : [numerator - shift, denominator];
  if (covariateMs === undefined || value.kind === "funnel" || seen === undefined) return outcome;
  const [x, w, isSeen = false] = measured(events.filter(before), value);
  const covariates = w === undefined ? [x - shift] : [x - shift, w];
  return [...outcome, ...covariates, isSeen ? 0 : 1];
}

/** Numerator, denominator and whether there was anything that counts. */
function measured(events: readonly Arrived<MetricEvent>[], value: MetricQuery["value"]): [number, number | undefined, boolean] {
  const of = (selection: EventSelection): Arrived<MetricEvent>[] => events.filter((event) => isSelected(event, selection));
  const numbers = (selection: EventSelection): number[] => of(selection).flatMap((event) => numberOf(event, selection) ?? []);
  const total = (list: readonly number[]): number => list.reduce((sum, one) => sum + one, 0);
  const quantity = ({ of: what, events: selection }: { of: "events" | "values"; events: EventSelection }): number[] =>
    what === "events" ? of(selection).map(() => 1) : numbers(selection);
  switch (value.kind) {
    case "any":
      return [of(value.events).length > 0 ? 1 : 0, undefined, of(value.events).length > 0];
    case "count":
      return [of(value.events).length, undefined, of(value.events).length > 0];
    case "sum":
    case "mean": {
      const list = numbers(value.events);
      const sum = Math.min(total(list), value.cap ?? Number.POSITIVE_INFINITY);
      return [sum, value.kind === "mean" ? list.length : undefined, list.length > 0];
    }
    case "ratio": {
      const [top, bottom] = [quantity(value.numerator), quantity(value.denominator)];
      return [total(top), total(bottom), top.length + bottom.length > 0];
    }
    case "funnel": {
      const rest = [...value.steps];
      for (const event of [...events].sort(inOrder)) if (rest[0] !== undefined && isSelected(event, rest[0])) rest.shift();
      return [rest.length === 0 ? 1 : 0, undefined, true];
    }
    case "quantile":
      throw new Error("a quantile has no sum");
  }
}

function isSelected(event: MetricEvent, { name, filters = [] }: EventSelection): boolean {
  return event.name === name && filters.every((filter) => passes(event.properties ?? {}, filter));
}

function numberOf(event: MetricEvent, { valueProperty }: EventSelection): number | undefined {
  const value = valueProperty === undefined ? event.value : event.properties?.[valueProperty];
  return typeof value === "number" ? value : undefined;
}

function passes(properties: { readonly [name: string]: Json }, { property, op, value }: PropertyFilter): boolean {
  const there = properties[property] ?? undefined;
  if (op === "exists") return (there !== undefined) === value;
  if (op === "in") return Array.isArray(value) && value.some((one) => typeof one !== "object" && one === there);
  if (typeof there !== "number" || typeof value !== "number") return false;
  return { lt: there < value, lte: there <= value, gt: there > value, gte: there >= value }[op];
}

function textAt(attributes: { readonly [name: string]: Json }, path: string): string {
  let at: Json | undefined = attributes[path] ?? undefined;
  if (at === undefined && path.includes(".")) {
    at = attributes as Json;
    for (const step of path.split(".")) at = isRecord(at) ? at[step] : undefined;
  }
  return typeof at === "string" || typeof at === "number" || typeof at === "boolean" ? String(at) : "";
}

function isRecord(value: Json | undefined): value is { readonly [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sumUp(vectors: readonly (readonly number[])[]): Sums {
  const width = vectors[0]?.length ?? 0;
  const at = (vector: readonly number[], i: number): number => vector[i] ?? 0;
  const sum = (of: (vector: readonly number[]) => number): number => vectors.reduce((total, vector) => total + of(vector), 0);
  const first = Array.from({ length: width }, (_, i) => sum((vector) => at(vector, i)));
  const second = first.flatMap((_, i) =>
    Array.from({ length: width - i }, (_unused, step) => sum((vector) => at(vector, i) * at(vector, i + step))),
  );
  return { n: vectors.length, first, second };
}

/** Units of both experiments of a pair with their values, by the variants `a/b`. */
export function pairOf(
  happened: Happened,
  { experiments, metric }: PairsRequest,
  pair: readonly [number, number],
): Map<string, Sums> {
  const [a = [], b = []] = pair.map((index) => {
    const experiment = experiments[index];
    return experiment === undefined
      ? []
      : unitsOf(happened, {
          ...experiment,
          subject: experiment.isRelease === true ? { release: experiment.key } : { experiment: experiment.key },
        });
  });
  const cells = new Map<string, number[][]>();
  for (const one of a) {
    const other = b.find(({ unit }) => unit === one.unit);
    if (other === undefined) continue;
    const isLater =
      inOrder({ timeMs: one.startMs, position: one.position }, { timeMs: other.startMs, position: other.position }) > 0;
    const [later, at] = isLater ? [one, pair[0]] : [other, pair[1]];
    const untilMs = experiments[at]?.untilMs ?? Number.POSITIVE_INFINITY;
    const events = happened.metrics.filter(({ unit, timeMs }) => unit === one.unit && timeMs < untilMs);
    const key = `${one.variant}/${other.variant}`;
    cells.set(key, [...(cells.get(key) ?? []), vectorOf(events, later.startMs, metric)]);
  }
  return new Map([...cells].map(([key, vectors]) => [key, sumUp(vectors)]));
}

function inOrder(a: { timeMs: number; position: number }, b: { timeMs: number; position: number }): number {
  return a.timeMs - b.timeMs || a.position - b.position;
}
