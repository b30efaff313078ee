import type { Baseline, EventSelection, Measure, MetricKey, MetricWindow } from "@belay/protocol";
import { jointMomentsOf, momentsOf, ratioUnitVariance, unitVariance } from "@belay/stats";
import { type MetricRow, passes, readValue } from "../metrics/selection.ts";
import { type EventQuery, type EventStore, rowsOf } from "../store/events/index.ts";

/** What the last days were like: how many units a flag met, and what each was worth. */
export interface Recent {
  readonly unitsPerDay: number;
  /** Of the metrics that could be read. */
  readonly baselines: ReadonlyMap<MetricKey, Baseline>;
}

export interface RecentQuestion {
  readonly project: string;
  readonly environment: string;
  readonly flag: string;
  readonly days: number;
  readonly metrics: readonly { readonly key: MetricKey; readonly measure: Measure; readonly window: MetricWindow }[];
}

/** Enough for two digits of a baseline. */
const EXPOSURES_MAX = 100_000;
const EVENTS_MAX = 300_000;
const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

/** Reads what is needed for a forecast; `undefined` without a recent exposure of the flag. */
export async function recentOf(
  events: Pick<EventStore, "pull">,
  { project, environment, flag, days, metrics }: RecentQuestion,
  nowMs: number,
): Promise<Recent | undefined> {
  const span = { project, environments: [environment], fromMs: nowMs - days * DAY_MS, toMs: nowMs + 1 };
  const units = await unitsOf(events, { ...span, kind: "exposures", flag });
  if (units.firstMet.size < 2) return undefined;
  // A flag that is met since two days says nothing about the five before; an hour at least, so that a first minute is no day.
  const metMs = Math.max(HOUR_MS, nowMs - units.sinceMs);
  const baselines = new Map<MetricKey, Baseline>();
  for (const { key, measure, window } of metrics) {
    const baseline = await baselineOf(events, span, { measure, window, firstMet: units.firstMet });
    if (baseline !== undefined) baselines.set(key, baseline);
  }
  return { unitsPerDay: (units.firstMet.size * DAY_MS) / metMs, baselines };
}

interface Units {
  /** Time of each unit's first exposure. */
  readonly firstMet: ReadonlyMap<string, number>;
  readonly sinceMs: number;
}

async function unitsOf(events: Pick<EventStore, "pull">, query: EventQuery): Promise<Units> {
  const firstMet = new Map<string, number>();
  let sinceMs = query.toMs ?? 0;
  const { pages } = await events.pull({ ...query, format: "ndjson", limit: EXPOSURES_MAX });
  for await (const { unit, time, received_at } of rowsOf<{ unit: string; time: string; received_at: string }>(pages)) {
    const atMs = Date.parse(time);
    firstMet.set(unit, Math.min(atMs, firstMet.get(unit) ?? atMs));
    sinceMs = Math.min(sinceMs, Date.parse(received_at));
  }
  return { firstMet, sinceMs };
}

interface Measured {
  readonly measure: Measure;
  readonly window: MetricWindow;
  readonly firstMet: ReadonlyMap<string, number>;
}

type Span = Omit<EventQuery, "kind">;

async function baselineOf(events: Pick<EventStore, "pull">, span: Span, of: Measured): Promise<Baseline | undefined> {
  const { measure } = of;
  const sums = (selection: EventSelection, what: "events" | "values"): Promise<Map<string, number>> =>
    sumsOf(events, span, of, { selection, what });
  switch (measure.kind) {
    case "proportion":
    case "retention":
      return plain(of, await sums(measure.events, "events"), (sum) => (sum > 0 ? 1 : 0));
    case "count":
      return plain(of, await sums(measure.events, "events"), (sum) => sum);
    case "sum":
      return plain(of, await sums(measure.events, "values"), (sum) => capped(sum, measure));
    case "mean":
      return ratio(of, await sums(measure.events, "values"), await valuesOf(events, span, of, measure.events));
    case "ratio": {
      const { numerator, denominator } = measure;
      return ratio(of, await sums(numerator.events, numerator.of), await sums(denominator.events, denominator.of));
    }
    case "quantile":
    case "funnel":
      // A quantile's variance has no simple form in units; the order of steps is the aggregation's to judge.
      return undefined;
  }
}

function capped(sum: number, { cap }: Extract<Measure, { kind: "sum" | "mean" }>): number {
  return cap === undefined ? sum : Math.min(sum, cap.at);
}

function valuesOf(
  events: Pick<EventStore, "pull">,
  span: Span,
  of: Measured,
  selection: EventSelection,
): Promise<Map<string, number>> {
  return sumsOf(events, span, of, { selection, what: "count-of-values" });
}

/** By unit that was met, over its own window. */
async function sumsOf(
  events: Pick<EventStore, "pull">,
  span: Span,
  { window: { fromHours = 0, toHours = Number.POSITIVE_INFINITY }, firstMet }: Measured,
  { selection, what }: { readonly selection: EventSelection; readonly what: "events" | "values" | "count-of-values" },
): Promise<Map<string, number>> {
  const sums = new Map<string, number>();
  const { pages } = await events.pull({ ...span, kind: "metrics", name: selection.name, format: "ndjson", limit: EVENTS_MAX });
  for await (const row of rowsOf<MetricRow>(pages)) {
    const met = firstMet.get(row.unit);
    if (met === undefined || !passes(selection, row)) continue;
    const hours = (Date.parse(row.time) - met) / HOUR_MS;
    if (hours < fromHours || hours >= toHours) continue;
    const value = readValue(selection, row);
    const added = what === "events" ? 1 : value === undefined ? 0 : what === "values" ? value : 1;
    sums.set(row.unit, (sums.get(row.unit) ?? 0) + added);
  }
  return sums;
}

function plain({ firstMet }: Measured, sums: ReadonlyMap<string, number>, worth: (sum: number) => number): Baseline | undefined {
  const moments = momentsOf([...firstMet.keys()].map((unit) => worth(sums.get(unit) ?? 0)));
  const variance = unitVariance(moments);
  return variance === undefined || variance === 0 ? undefined : { mean: moments.mean, sd: Math.sqrt(variance) };
}

function ratio(
  { firstMet }: Measured,
  numerators: ReadonlyMap<string, number>,
  denominators: ReadonlyMap<string, number>,
): Baseline | undefined {
  const joint = jointMomentsOf([...firstMet.keys()].map((unit) => [numerators.get(unit) ?? 0, denominators.get(unit) ?? 0]));
  const variance = ratioUnitVariance(joint);
  const [numerator = 0, denominator = 0] = joint.means;
  if (variance.status !== "ok" || variance.unitVariance === 0) return undefined;
  return { mean: numerator / denominator, sd: Math.sqrt(variance.unitVariance) };
}
