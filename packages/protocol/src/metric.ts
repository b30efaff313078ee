/** How a number is made from metric events, one value a unit: defined once per project, versioned. */

import type { Reasoned } from "./api.ts";
import type { ExperimentStatus } from "./experiment.ts";
import type { Json } from "./json.ts";
import type { Revision } from "./names.ts";

/** Key of a metric, as of a flag. */
export type MetricKey = string;

/**
 * What a metric measures. Every kind says what one unit is worth over its window; a variant's value is made of its units.
 *
 * | kind         | one unit                                      | a variant                                    |
 * |--------------|-----------------------------------------------|----------------------------------------------|
 * | `proportion` | 1 with an event, 0 without                    | share of units                               |
 * | `count`      | its events                                    | events a unit                                |
 * | `sum`        | its values added up                           | sum a unit                                   |
 * | `mean`       | its values added up, and its events           | value an event: sum of values / events       |
 * | `ratio`      | numerator and denominator, each added up      | sum of numerators / sum of denominators      |
 * | `quantile`   | its values, as a cluster                      | that quantile of all values                  |
 * | `retention`  | 1 with an event in `[fromHours, toHours)`     | share of units whose window is over          |
 * | `funnel`     | 1 with all steps in order                     | share of units                               |
 *
 * A unit without events is worth 0, except in `quantile`; `mean` and `ratio` are undefined where the denominator adds up to 0.
 */
export type Measure =
  | { readonly kind: "proportion" | "count"; readonly events: EventSelection }
  | { readonly kind: "sum" | "mean"; readonly events: EventSelection; readonly cap?: Cap }
  | { readonly kind: "ratio"; readonly numerator: Quantity; readonly denominator: Quantity }
  | { readonly kind: "quantile"; readonly events: EventSelection; readonly quantile: number }
  | { readonly kind: "retention"; readonly events: EventSelection }
  | { readonly kind: "funnel"; readonly steps: readonly EventSelection[] };

export type MetricKind = Measure["kind"];

/** Which metric events count, and what is their value. */
export interface EventSelection {
  /** Name of the metric event. */
  readonly name: string;
  /** All must hold. */
  readonly filters?: readonly PropertyFilter[];
  /** Property that holds the value; the event's own `value` when absent. An event without a number there is no value. */
  readonly valueProperty?: string;
}

/** Events counted, or their values added up: one side of a ratio. */
export interface Quantity {
  readonly of: "events" | "values";
  readonly events: EventSelection;
}

export type FilterOperator = "in" | "lt" | "lte" | "gt" | "gte" | "exists";

/**
 * One question about one property of a metric event. `in` takes a list of texts, numbers and booleans; the comparisons take a
 * number; `exists` takes `true` or `false`. A missing property, or one of another type, never matches; nothing is coerced.
 */
export interface PropertyFilter {
  /** Name of a property at the top of `properties`. */
  readonly property: string;
  readonly op: FilterOperator;
  readonly value: Json;
}

/**
 * A cap on a unit's sum, one for all arms and fixed before the data: a sum above it counts as the cap. A cap read off the data
 * would move as they come, and with it every number so far.
 */
export interface Cap {
  readonly at: number;
  /** The quantile of the sums of units, of those that are not 0, that `at` was read off once, when the metric was saved. */
  readonly quantile?: number;
}

/** A measure as it is asked for: where its cap is may be left to be read off recent events, over stretches as long as the window. */
export type MeasureDraft =
  | Measure
  | { readonly kind: "sum" | "mean"; readonly events: EventSelection; readonly cap: { readonly quantile: number } };

/**
 * Hours from a unit's own first exposure: an event counts when `fromHours <= age < toHours`. Events before the exposure never
 * count. `fromHours` is 0 and the end open when absent. `retention` needs `toHours`, and a unit counts in it only once its
 * window is over; in all other kinds every exposed unit counts with what it did so far.
 */
export interface MetricWindow {
  readonly fromHours?: number;
  readonly toHours?: number;
}

export interface MetricDefinition {
  readonly description: string;
  readonly tags: readonly string[];
  readonly owner?: string;
  readonly measure: Measure;
  readonly window: MetricWindow;
  /** Which way is better. */
  readonly good: "increase" | "decrease";
  /**
   * How much worse is still acceptable where the metric is a guardrail, as a share of control: 0.02 is 2 %. The margin of the
   * non-inferiority test, fixed before the data.
   */
  readonly tolerance: number;
}

/** A metric of a project. */
export interface Metric extends MetricDefinition {
  readonly project: string;
  readonly key: MetricKey;
  /** From 1; rises when what is measured changes: measure, window, direction or tolerance. Experiments keep the one they started with. */
  readonly version: number;
  readonly archived: boolean;
  readonly createdAt: string;
  /** Revision of the project at which the metric last changed: its ETag. */
  readonly revision: Revision;
}

/** A metric as an experiment froze it, and as an aggregation computes it. */
export interface FrozenMetric extends Pick<MetricDefinition, "measure" | "window" | "good" | "tolerance"> {
  readonly key: MetricKey;
  readonly version: number;
}

export interface MetricCreation extends Reasoned {
  readonly key: MetricKey;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly owner?: string;
  readonly measure: MeasureDraft;
  /** Everything from the first exposure on when absent. */
  readonly window?: MetricWindow;
  readonly good: "increase" | "decrease";
  /** 0.02 when absent. */
  readonly tolerance?: number;
  /** Save it although no recent event fits it. Refused otherwise. */
  readonly unseen?: boolean;
}

/** Absent fields stay; `null` clears `owner`. */
export interface MetricEdit extends Reasoned {
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly owner?: string | null;
  readonly measure?: MeasureDraft;
  readonly window?: MetricWindow;
  readonly good?: "increase" | "decrease";
  readonly tolerance?: number;
  readonly unseen?: boolean;
}

/** What a metric would have had: asked before it is saved. */
export interface MetricPreviewRequest {
  readonly measure: MeasureDraft;
  /** Of which environment's events; all of them when absent. */
  readonly environment?: string;
  /** Days back from now; 7 when absent, at most 30. */
  readonly days?: number;
}

export interface MetricPreview {
  /** Later than was asked for where there were too many events to look at them all. */
  readonly from: string;
  readonly to: string;
  /** One entry a selection, in the order of the definition. */
  readonly selections: readonly SelectionPreview[];
}

/** What one selection found. */
export interface SelectionPreview {
  readonly name: string;
  /** Events of that name, whatever their properties. */
  readonly named: number;
  /** Those that pass the filters. */
  readonly events: number;
  readonly units: number;
  /** Events with a number where the value is read. */
  readonly values: number;
  /** Of those values; absent without any. */
  readonly mean?: number;
  readonly min?: number;
  readonly max?: number;
  readonly lastSeen?: string;
}

/** An experiment that measures by a metric. */
export interface MetricUse {
  /** Key of the experiment. */
  readonly key: string;
  readonly as: "primary" | "secondary" | "guardrail";
  readonly version: number;
  /** Of the experiment, as is its environment. */
  readonly status: ExperimentStatus;
  readonly environment: string;
}
