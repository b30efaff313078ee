/* What both engines read off a request before they write SQL: which events count on which side of which metric. */
import type { EventSelection } from "@belay/protocol";
import { type MetricQuery, variablesOf } from "./request.ts";

/** A metric whose units are sums of what their events add. */
export interface SumPlan {
  readonly query: MetricQuery;
  /** Place among the sums: what its columns are named by. */
  readonly index: number;
  readonly numerator: Side;
  readonly denominator?: Side;
  readonly hasCovariate: boolean;
  /** How a unit's raw sum becomes its value. */
  readonly ceiling?: number;
}

/** One side of a metric; a bit of its own marks the events that count there. */
export interface Side {
  readonly bit: number;
  /** What an event adds: 1, its number, or 1 if it has a number. */
  readonly of: "events" | "values" | "numbers";
  /** Several are the steps of a funnel, whose completion counts. */
  readonly steps: readonly EventSelection[];
}

export interface QuantilePlan {
  readonly query: MetricQuery;
  readonly events: EventSelection;
  readonly quantile: number;
}

export interface Plan {
  readonly sums: readonly SumPlan[];
  readonly quantiles: readonly QuantilePlan[];
}

export function planOf(metrics: readonly MetricQuery[]): Plan {
  const sums: SumPlan[] = [];
  const quantiles: QuantilePlan[] = [];
  for (const query of metrics) {
    if (query.value.kind === "quantile") {
      quantiles.push({ query, events: query.value.events, quantile: query.value.quantile });
    } else sums.push(sumPlan(query, sums.length));
  }
  return { sums, quantiles };
}

export const isFunnel = ({ numerator }: SumPlan): boolean => numerator.steps.length > 1;

/** A running total of a unit: a column that adds up its events with any of some bits. */
export interface Total {
  readonly column: string;
  /** Where those bits are: `hits` of events after the exposure, `pres` of those before it. */
  readonly among: "hits" | "pres";
  readonly bits: number;
  /** Whose numbers are added; absent: events are counted. */
  readonly valuesOf?: Side;
}

/**
 * The running totals that units have for a metric: `a` what their events added up to, `b` the denominator, `x` and `w` the same
 * before the exposure, `p` the number of events then.
 */
export function totalsOf({ index, numerator, denominator, hasCovariate }: SumPlan): readonly Total[] {
  const total = (side: Side, among: Total["among"], name: string): Total => ({
    ...{ column: `${name}${index}`, among, bits: side.bit },
    ...(side.of === "values" ? { valuesOf: side } : {}),
  });
  const after = [total(numerator, "hits", "a"), ...(denominator === undefined ? [] : [total(denominator, "hits", "b")])];
  if (!hasCovariate) return after;
  const before = [total(numerator, "pres", "x"), ...(denominator === undefined ? [] : [total(denominator, "pres", "w")])];
  return [...after, ...before, { column: `p${index}`, among: "pres", bits: numerator.bit + (denominator?.bit ?? 0) }];
}

/** The names of all their columns. */
export function totalColumns(sums: readonly SumPlan[]): readonly string[] {
  return sums.flatMap(totalsOf).map(({ column }) => column);
}

/** All sides with the metric they are of. */
export function sidesOf(sums: readonly SumPlan[]): { readonly plan: SumPlan; readonly side: Side }[] {
  return sums.flatMap((plan) =>
    [plan.numerator, ...(plan.denominator === undefined ? [] : [plan.denominator])].map((side) => ({ plan, side })),
  );
}

function sumPlan(query: MetricQuery, index: number): SumPlan {
  const { value } = query;
  const hasCovariate = variablesOf(query).includes("before");
  const side = (place: 0 | 1, of: Side["of"], ...steps: readonly EventSelection[]): Side => ({
    bit: 2 ** (2 * index + place),
    of,
    steps,
  });
  const common = { query, index, hasCovariate };
  switch (value.kind) {
    case "any":
      return { ...common, numerator: side(0, "events", value.events), ceiling: 1 };
    case "count":
      return { ...common, numerator: side(0, "events", value.events) };
    case "sum":
      return { ...common, numerator: side(0, "values", value.events), ...ceiling(value.cap) };
    case "mean":
      return {
        ...common,
        numerator: side(0, "values", value.events),
        denominator: side(1, "numbers", value.events),
        ...ceiling(value.cap),
      };
    case "ratio":
      return {
        ...common,
        numerator: side(0, value.numerator.of, value.numerator.events),
        denominator: side(1, value.denominator.of, value.denominator.events),
      };
    case "funnel":
      return { ...common, numerator: side(0, "events", ...value.steps), ceiling: 1 };
    case "quantile":
      throw new Error("a quantile is no sum");
  }
}

const ceiling = (cap: number | undefined): { readonly ceiling?: number } => (cap === undefined ? {} : { ceiling: cap });
