import type { FrozenMetric, ResultsPopulation } from "@belay/protocol";
import type { ExperimentDocument } from "../state/workspace.ts";
import { type AggregateRequest, METRICS_MAX, type MetricQuery, type UnitValue } from "../store/events/index.ts";

/** What is asked of the event store for an experiment's results. */

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface Span {
  readonly fromMs: number;
  readonly untilMs?: number;
}

/** Which exposures are asked about, as of when. */
export interface Extent {
  readonly span: Span;
  readonly asOfMs: number;
  readonly population: ResultsPopulation;
}

/** Several questions where there are more metrics than one may ask about. */
export function questionsOf(...of: Parameters<typeof questionOf>): readonly AggregateRequest[] {
  const whole = questionOf(...of);
  const parts = Math.max(1, Math.ceil(whole.metrics.length / METRICS_MAX));
  return Array.from({ length: parts }, (_, part) => ({
    ...whole,
    metrics: whole.metrics.slice(part * METRICS_MAX, (part + 1) * METRICS_MAX),
  }));
}

/**
 * The question for a span of exposures. The start is no bound: assignments that were imported, and units a running split
 * had met before, belong to the experiment that tracks them.
 */
function questionOf(
  { project, experiment }: { readonly project: string; readonly experiment: string },
  document: ExperimentDocument,
  { span, asOfMs, population }: Extent,
): AggregateRequest {
  return {
    project,
    environment: document.environment,
    subject: { experiment, ...(population === "triggered" ? { isTriggered: true } : {}) },
    ...span,
    asOfMs,
    segments: document.segments,
    metrics: (document.frozen?.metrics ?? []).map((metric) => metricQueryOf(metric, document)),
  };
}

export function metricQueryOf(
  { key, measure, window: { fromHours = 0, toHours } }: Pick<FrozenMetric, "key" | "measure" | "window">,
  { covariateDays }: Pick<ExperimentDocument, "covariateDays">,
): MetricQuery {
  const isAdjusted = covariateDays !== undefined && measure.kind !== "funnel" && measure.kind !== "quantile";
  return {
    key,
    value: unitValueOf(measure),
    window: { fromMs: fromHours * HOUR_MS, ...(toHours === undefined ? {} : { toMs: toHours * HOUR_MS }) },
    ...(isAdjusted ? { covariateMs: covariateDays * DAY_MS } : {}),
  };
}

function unitValueOf(measure: FrozenMetric["measure"]): UnitValue {
  switch (measure.kind) {
    case "proportion":
    case "retention":
      return { kind: "any", events: measure.events };
    case "sum":
    case "mean": {
      const { cap, ...plain } = measure;
      return cap === undefined ? plain : { ...plain, cap: cap.at };
    }
    case "count":
      return { kind: "count", events: measure.events };
    case "ratio":
    case "quantile":
    case "funnel":
      return measure;
  }
}
