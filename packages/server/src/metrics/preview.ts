import type { EventSelection, MeasureDraft, MetricPreview, SelectionPreview } from "@belay/protocol";
import { type EventQuery, type EventStore, rowsOf } from "../store/events/index.ts";
import { selectionsOf } from "./domain.ts";
import { type MetricRow, passes, readValue } from "./selection.ts";

/**
 * What a metric would have had of the last days. It reads events, at most `EVENTS_MAX` a selection: where there were more, it looks
 * at a shorter and more recent stretch, and says so by `from`.
 */

/** Some tens of MB of lines, read as a stream. */
const EVENTS_MAX = 100_000;
const HOUR_MS = 3_600_000;
const DAYS_DEFAULT = 7;

export interface PreviewQuestion {
  readonly project: string;
  readonly environments?: readonly string[];
  readonly measure: MeasureDraft;
  readonly days?: number;
}

export async function previewMetric(
  events: Pick<EventStore, "pull" | "estimate">,
  { project, environments, measure, days = DAYS_DEFAULT }: PreviewQuestion,
  nowMs: number,
): Promise<MetricPreview> {
  const selections = selectionsOf(measure).map((selection) => selection.events);
  const query = (name: string): EventQuery => ({
    kind: "metrics",
    project,
    name,
    ...(environments === undefined ? {} : { environments }),
  });
  // Up to and with this very moment: what was received in this millisecond is received.
  const toMs = nowMs + 1;
  let hours = days * 24;
  for (const name of new Set(selections.map((selection) => selection.name))) {
    hours = await hoursWithin(events, query(name), toMs, hours);
  }
  const fromMs = toMs - Math.round(hours * HOUR_MS);
  const found: SelectionPreview[] = [];
  for (const selection of selections) {
    const tally = new Tally(selection);
    const asked = { ...query(selection.name), fromMs, toMs, format: "ndjson", limit: EVENTS_MAX } as const;
    for await (const row of rowsOf<MetricRow>((await events.pull(asked)).pages)) tally.add(row);
    found.push(tally.preview());
  }
  return { from: new Date(fromMs).toISOString(), to: new Date(nowMs).toISOString(), selections: found };
}

/** The longest stretch, halved from `hours` down to a minute, with no more events than may be read. */
async function hoursWithin(
  events: Pick<EventStore, "estimate">,
  query: EventQuery,
  toMs: number,
  hours: number,
): Promise<number> {
  let within = hours;
  while (within > 1 / 60) {
    const { rows } = await events.estimate({ ...query, fromMs: toMs - Math.round(within * HOUR_MS), toMs });
    if (rows <= EVENTS_MAX) break;
    within /= 2;
  }
  return within;
}

class Tally {
  readonly #selection: EventSelection;
  readonly #units = new Set<string>();
  #named = 0;
  #events = 0;
  #values = 0;
  #sum = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #lastSeen = "";

  constructor(selection: EventSelection) {
    this.#selection = selection;
  }

  add(event: MetricRow): void {
    const { time, unit } = event;
    this.#named += 1;
    if (!passes(this.#selection, event)) return;
    this.#events += 1;
    this.#units.add(unit);
    if (time > this.#lastSeen) this.#lastSeen = time;
    const read = readValue(this.#selection, event);
    if (read === undefined) return;
    this.#values += 1;
    this.#sum += read;
    this.#min = Math.min(this.#min, read);
    this.#max = Math.max(this.#max, read);
  }

  preview(): SelectionPreview {
    const counted = { name: this.#selection.name, named: this.#named, events: this.#events, units: this.#units.size };
    const mean = this.#sum / this.#values;
    return {
      ...counted,
      values: this.#values,
      ...(this.#values > 0 && Number.isFinite(mean) ? { mean, min: this.#min, max: this.#max } : {}),
      ...(this.#lastSeen === "" ? {} : { lastSeen: this.#lastSeen }),
    };
  }
}
