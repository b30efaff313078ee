import type { Measure, MeasureDraft, MetricWindow } from "@belay/protocol";
import { capOf } from "@belay/stats";
import { ProblemError } from "../http/problem.ts";
import { type EventStore, rowsOf } from "../store/events/index.ts";
import { type MetricRow, passes, readValue } from "./selection.ts";

/**
 * Where a cap is that was given as a quantile: read off once, before any experiment, so that it is the same for all arms and never moves
 * with the data it cuts. It cuts what a unit comes to within the metric's window, so that is what is read: sums of units over
 * stretches as long as the window, back to back, whatever exposed them.
 */

/** Shorter windows are read several times, for so long in all. */
const HOURS_MIN = 7 * 24;
/** A window without an end is read as one of so long: what a unit comes to in an experiment of four weeks. */
const OPEN_END_HOURS = 28 * 24;
const HOUR_MS = 3_600_000;
/** Enough for three digits of a quantile in the hundredths; where there are more, units are left out, and none in part. */
const EVENTS_MAX = 300_000;

type Capped = Extract<MeasureDraft, { readonly kind: "sum" | "mean" }>;

export interface CapQuestion {
  readonly project: string;
  readonly measure: MeasureDraft;
  readonly window: MetricWindow;
}

/**
 * The measure with its cap where it is.
 * @throws ProblemError where no recent event says.
 */
export async function withCap(
  events: Pick<EventStore, "pull" | "estimate">,
  { project, measure, window }: CapQuestion,
  nowMs: number,
): Promise<Measure> {
  if ((measure.kind !== "sum" && measure.kind !== "mean") || measure.cap === undefined || "at" in measure.cap) {
    return measure as Measure;
  }
  const { quantile } = measure.cap;
  const stretches = stretchesOf(window);
  const control = await sumsOf(events, { project, measure, stretches }, nowMs);
  const cap = capOf({ control, treatment: [] }, { quantile });
  if (cap.status !== "ok") {
    const days = (stretches.hours * stretches.count) / 24;
    const reason = `no event of the last ${Number(days.toFixed(1))} days says where that is; give \`at\` instead`;
    throw new ProblemError("invalid_field", { field: "measure.cap.quantile", received: quantile, reason });
  }
  return { ...measure, cap: { at: cap.cap, quantile } };
}

/** A cap that was read off for one window, as it was asked for: another window has to be read anew. */
export function asDrafted(measure: Measure): MeasureDraft {
  if ((measure.kind !== "sum" && measure.kind !== "mean") || measure.cap?.quantile === undefined) return measure;
  return { ...measure, cap: { quantile: measure.cap.quantile } };
}

interface Stretches {
  readonly hours: number;
  readonly count: number;
}

function stretchesOf({ fromHours = 0, toHours }: MetricWindow): Stretches {
  // A window that is none is refused by who saves the metric.
  const hours = toHours === undefined ? OPEN_END_HOURS : Math.max(1, toHours - fromHours);
  return { hours, count: Math.max(1, Math.floor(HOURS_MIN / hours)) };
}

/** What each unit came to in each stretch in which it did anything. */
async function sumsOf(
  events: Pick<EventStore, "pull" | "estimate">,
  { project, measure, stretches }: { readonly project: string; readonly measure: Capped; readonly stretches: Stretches },
  nowMs: number,
): Promise<readonly number[]> {
  const selection = measure.events;
  const stretchMs = stretches.hours * HOUR_MS;
  const toMs = nowMs + 1;
  const query = { kind: "metrics", project, name: selection.name, fromMs: toMs - stretches.count * stretchMs, toMs } as const;
  const { rows } = await events.estimate(query);
  const oneUnitIn = Math.max(1, Math.ceil(rows / EVENTS_MAX));
  const { pages } = await events.pull({ ...query, ...(oneUnitIn > 1 ? { oneUnitIn } : {}), format: "ndjson" });
  const sums = new Map<string, number>();
  for await (const row of rowsOf<MetricRow>(pages)) {
    const value = passes(selection, row) ? readValue(selection, row) : undefined;
    if (value === undefined) continue;
    const key = `${Math.floor((toMs - Date.parse(row.time)) / stretchMs)} ${row.unit}`;
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return [...sums.values()];
}
