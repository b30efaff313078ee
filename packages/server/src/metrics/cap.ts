import type { Measure, MeasureDraft } from "@belay/protocol";
import { capOf } from "@belay/stats";
import { ProblemError } from "../http/problem.ts";
import { type EventStore, rowsOf } from "../store/events/index.ts";
import { type MetricRow, passes, readValue } from "./selection.ts";

/**
 * Where a cap is that was given as a quantile: read off once, before any experiment, so that it is the same for all arms and never moves
 * with the data it cuts. The sums are of units over the last days, whatever exposed them.
 */

const DAYS = 7;
const DAY_MS = 86_400_000;
/** Enough for three digits of a quantile in the hundredths. */
const EVENTS_MAX = 300_000;

type SumDraft = Extract<MeasureDraft, { readonly kind: "sum" | "mean" }>;

/**
 * The measure with its cap where it is.
 * @throws ProblemError where no recent event says.
 */
export async function withCap(
  events: Pick<EventStore, "pull">,
  { project, measure }: { readonly project: string; readonly measure: MeasureDraft },
  nowMs: number,
): Promise<Measure> {
  if ((measure.kind !== "sum" && measure.kind !== "mean") || measure.cap === undefined || "at" in measure.cap) {
    return measure as Measure;
  }
  const { quantile } = measure.cap;
  const cap = capOf({ control: await sumsOf(events, project, measure, nowMs), treatment: [] }, { quantile });
  if (cap.status !== "ok") {
    const reason = `no event of the last ${DAYS} days says where that is; give \`at\` instead`;
    throw new ProblemError("invalid_field", { field: "measure.cap.quantile", received: quantile, reason });
  }
  return { ...measure, cap: { at: cap.cap, quantile } };
}

async function sumsOf(
  events: Pick<EventStore, "pull">,
  project: string,
  { events: selection }: SumDraft,
  nowMs: number,
): Promise<readonly number[]> {
  const span = { fromMs: nowMs - DAYS * DAY_MS, toMs: nowMs + 1, limit: EVENTS_MAX } as const;
  const { pages } = await events.pull({ kind: "metrics", project, name: selection.name, format: "ndjson", ...span });
  const sums = new Map<string, number>();
  for await (const row of rowsOf<MetricRow>(pages)) {
    const value = passes(selection, row) ? readValue(selection, row) : undefined;
    if (value !== undefined) sums.set(row.unit, (sums.get(row.unit) ?? 0) + value);
  }
  return [...sums.values()];
}
