/* What an experiment's numbers are made of, as one question to the event store and its answer. */
import type { AttributePath, EventSelection, Quantity } from "@belay/protocol";

/**
 * Units and what they did. A unit belongs, for ever, to the variant, epoch and segment of its first exposure: the earliest by the
 * time it was made, of equal ones the first to arrive. Its windows run from that moment.
 */
export interface AggregateRequest {
  readonly project: string;
  readonly environment: string;
  readonly subject: Subject;
  /** Exposures made from this moment on count. */
  readonly fromMs: number;
  /** And before this one; absent: no end. */
  readonly untilMs?: number;
  /** Windows that ended by then are over: see `Scope`. */
  readonly asOfMs: number;
  /** Attributes of the first exposure by which everything is shown apart, each by itself. */
  readonly segments: readonly AttributePath[];
  /** At most `METRICS_MAX`. */
  readonly metrics: readonly MetricQuery[];
}

/**
 * Whose exposures put units into arms. `isTriggered`: only those of decisions that may have differed from arm to arm, unknown
 * ones among them. Nobody is exposed to a holdout: its units are all that were ever seen, by an exposure or an event of any kind,
 * from the first such moment on; where they fall in its space puts them into `HELD_OUT` or `REST`, in epoch 0 and no segment.
 */
export type Subject =
  | { readonly experiment: string; readonly isTriggered?: boolean }
  | { readonly release: string; readonly isTriggered?: boolean }
  | { readonly holdout: Placement };

/** Units whose point in the space of a salt lies below a share. */
export interface Placement {
  readonly salt: string;
  /** In parts per million. */
  readonly share: number;
}

export const HELD_OUT = "held-out";
export const REST = "rest";

/** The first hash of a space that is not below a share of it: what a unit's unsigned hash is compared with. */
export function hashAtShare(share: number): number {
  return Math.ceil((share * 2 ** 32) / 1_000_000);
}

/** What values of a segment are called together that an engine does not tell apart. */
export const OTHER_VALUES = "(other)";

/** Metrics that one statement computes side by side. */
export const METRICS_MAX = 24;

export interface MetricQuery {
  readonly key: string;
  readonly value: UnitValue;
  /** Age of the events that count, from the unit's first exposure: `fromMs <= age < toMs`; absent: no end. */
  readonly window: { readonly fromMs: number; readonly toMs?: number };
  /** The same value over so long a time right before the first exposure is the covariate. Not of funnels and quantiles. */
  readonly covariateMs?: number;
  /** Taken off a unit's value and its covariate in all sums, so that their squares keep their digits; 0 when absent. */
  readonly shift?: number;
}

/** What one unit is worth; see `Measure` of the protocol. A cap cuts a unit's sum, the same for all arms. */
export type UnitValue =
  | { readonly kind: "any" | "count"; readonly events: EventSelection }
  | { readonly kind: "sum" | "mean"; readonly events: EventSelection; readonly cap?: number }
  | { readonly kind: "ratio"; readonly numerator: Quantity; readonly denominator: Quantity }
  | { readonly kind: "funnel"; readonly steps: readonly EventSelection[] }
  | { readonly kind: "quantile"; readonly events: EventSelection; readonly quantile: number };

export interface Aggregate {
  /** Units by the day of their first exposure. */
  readonly arms: readonly ArmCell[];
  /** All metrics but quantiles. Cells without units and change are left out. */
  readonly outcomes: readonly OutcomeCell[];
  /** As of now; not by day. */
  readonly quantiles: readonly QuantileCell[];
}

/** Whom a number is about: everybody of a variant and epoch, or those of one value of one segment. */
export interface Group {
  readonly variant: string;
  readonly epoch: number;
  /** Which of the request's segments, and its value there; `""` for a unit without. Absent: everybody. */
  readonly segment?: { readonly index: number; readonly value: string };
}

export interface ArmCell extends Group {
  /** Days since 1970-01-01, UTC. */
  readonly day: number;
  readonly units: number;
  /** Those of them that saw another variant of the experiment, before or after. */
  readonly crossed: number;
}

/**
 * `all`: every exposed unit with what it did so far; the day is that of the event (of the exposure, where a unit enters).
 * `ripe`: units whose window is over, each with its final value; the day is that on which the window ended.
 * The days of either, up to any one, add up to the moments as of the end of it.
 */
export type Scope = "all" | "ripe";

/** Increments of sums over units: see `increments.ts` of the statistics. */
export interface OutcomeCell extends Group {
  readonly metric: string;
  readonly scope: Scope;
  readonly day: number;
  readonly n: number;
  /** One sum a variable, in the order of `variablesOf`. */
  readonly first: readonly number[];
  /** Sums of products of each two, the upper triangle by rows. */
  readonly second: readonly number[];
}

export interface QuantileCell extends Group {
  readonly metric: string;
  /** Values of the events, ascending, in classes 0.5 % wide: the mean of each and how many there are. */
  readonly values: readonly { readonly value: number; readonly count: number }[];
  /** Units with such an event. */
  readonly n: number;
  /** Of those units, sums of [events below the quantile of all arms together, events] and of their products. */
  readonly first: readonly [below: number, events: number];
  readonly second: readonly [belowBelow: number, belowEvents: number, eventsEvents: number];
}

/**
 * The variables of a metric in the order of its sums. `value`; `denominator` of means and ratios; with a covariate also
 * `before`, `denominatorBefore`, and `unseenBefore`: 1 for a unit without such an event in that time, else 0.
 */
export type Variable = "value" | "denominator" | "before" | "denominatorBefore" | "unseenBefore";

export function variablesOf({ value, covariateMs }: MetricQuery): readonly Variable[] {
  const hasDenominator = value.kind === "mean" || value.kind === "ratio";
  const after: readonly Variable[] = hasDenominator ? ["value", "denominator"] : ["value"];
  if (covariateMs === undefined || value.kind === "funnel" || value.kind === "quantile") return after;
  return hasDenominator ? [...after, "before", "denominatorBefore", "unseenBefore"] : [...after, "before", "unseenBefore"];
}

/** Two experiments, or releases, at a time: how their units and one metric lie over the arms of both. */
export interface PairsRequest {
  readonly project: string;
  readonly environment: string;
  readonly experiments: readonly Paired[];
  /** Counted from the later of a unit's two first exposures; no mean, ratio, funnel or quantile. */
  readonly metric: Omit<MetricQuery, "covariateMs">;
}

/** An experiment, or a release, and whose exposures of it count. */
export interface Paired {
  readonly key: string;
  readonly isRelease?: true;
  readonly fromMs: number;
  readonly untilMs?: number;
}

/** Units in both of two experiments, by their variants. */
export interface PairCell {
  /** Indices in the request, the smaller first, and the variant in each. */
  readonly experiments: readonly [number, number];
  readonly variants: readonly [string, string];
  readonly n: number;
  readonly first: number;
  readonly second: number;
}
