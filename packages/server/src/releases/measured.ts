/* Guardrails that name a metric of the project: what they leave out is taken from its definition, once and for good. Pure. */
import type { EventSelection, Guardrail, GuardrailDraft, GuardrailMeasure, MetricKind } from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";
import { filtersFault } from "../metrics/domain.ts";
import type { MetricDocument, ProjectState } from "../state/workspace.ts";

/** Guardrails that say all of it: what they count is frozen with them, whatever becomes of the metric. */
export function measuredGuardrails(project: ProjectState, drafts: readonly GuardrailDraft[]): Guardrail[] | Refusal {
  const guardrails: Guardrail[] = [];
  for (const [index, draft] of drafts.entries()) {
    const guardrail = measured(project, draft, `guardrails[${index}]`);
    if ("code" in guardrail) return guardrail;
    guardrails.push(guardrail);
  }
  return guardrails;
}

function measured({ metrics }: ProjectState, draft: GuardrailDraft, field: string): Guardrail | Refusal {
  const { measure, harm, margin, scale: _, ...rest } = draft;
  const fault = filtersFault(measure?.filters, `${field}.measure.filters`);
  if (fault !== undefined) return fault;
  if (measure !== undefined && harm !== undefined && margin !== undefined) return { ...rest, measure, harm, margin };
  const metric = metrics.get(draft.metric)?.body;
  if (metric === undefined || metric.archived) {
    const allowed = [...metrics].flatMap(([key, { body }]) => (body.archived ? [] : [key]));
    return refuse("unknown_metric", { field: `${field}.metric`, received: draft.metric, allowed });
  }
  const counted = measure ?? measureOf(metric, draft, field);
  if ("code" in counted) return counted;
  const tolerated = margin ?? marginOf(metric, counted, field);
  if (typeof tolerated !== "number") return tolerated;
  return {
    ...rest,
    measure: counted,
    harm: harm ?? (metric.good === "increase" ? "decrease" : "increase"),
    margin: tolerated,
    metricVersion: metric.version,
  };
}

/**
 * What a guardrail can count of a metric: the first of the chosen events of each unit, at whatever age. What adds up several events
 * of a unit moves with every one of them, so that bringing an event twice would count twice; and when a unit of control was
 * exposed, if ever, nobody knows.
 */
function measureOf({ measure, window }: MetricDocument, draft: GuardrailDraft, field: string): GuardrailMeasure | Refusal {
  const cannot = (received: string, reason: string): Refusal =>
    refuse("invalid_field", { field: `${field}.metric`, received, allowed: ["proportion", "mean"], reason });
  if (measure.kind !== "proportion" && measure.kind !== "mean") return cannot(measure.kind, WAYS_OUT[measure.kind]);
  if ((window.fromHours ?? 0) > 0 || window.toHours !== undefined) {
    return cannot("window", "a guardrail knows no age of units, so no window: say `measure` to count events of any age");
  }
  if (measure.kind === "proportion") return { kind: "failures", ...chosen(measure.events) };
  const cap = "cap" in measure ? measure.cap?.at : undefined;
  if (cap === undefined || cap <= 0) {
    return cannot(measure.events.name, "values need a cap above 0 that is fixed before: give the metric one, or say `measure`");
  }
  if (draft.scale === undefined) {
    return refuse("invalid_field", { field: `${field}.scale`, reason: "a mean needs the size of harm to find soonest" });
  }
  const { valueProperty } = measure.events;
  const value = valueProperty === undefined ? {} : { valueProperty };
  return { kind: "values", ...chosen(measure.events), ...value, cap, scale: draft.scale };
}

function chosen({ name, filters = [] }: EventSelection): Pick<GuardrailMeasure, "event" | "filters"> {
  return { event: name, ...(filters.length === 0 ? {} : { filters }) };
}

/** What to say instead of a metric that no guardrail can count. */
const WAYS_OUT: Readonly<Record<Exclude<MetricKind, "proportion" | "mean">, string>> = {
  count:
    "a guardrail counts a unit once, not its events: say `measure` of kind `failures` with the event, or record the count as a value",
  sum: "a guardrail adds nothing up over a unit: guard fewer first events (`failures`) and smaller ones (`values`), each as a `measure`",
  ratio: "a guardrail sees one event of a unit: record the ratio as the value of an event, and say `measure` of kind `values`",
  quantile: "a guardrail keeps no distribution: say `measure` of kind `failures` with a filter for what is beyond the bound",
  retention: "a guardrail knows no age of units: say `measure` of kind `failures` with the event, where less of it is harm",
  funnel: "a guardrail sees one event of a unit: say `measure` of kind `failures` with the last step, where less of it is harm",
};

/**
 * A tolerance is a share of control. Of failures a margin is the ratio of the worse arm's rate to the other's, less 1: of what may
 * not fall, control's to treatment's. One of values is in their own unit, which no metric says.
 */
function marginOf({ tolerance, good }: MetricDocument, { kind }: GuardrailMeasure, field: string): number | Refusal {
  if (kind === "values") {
    const reason = "the margin of a mean is in the unit of its values; the metric's tolerance is a share of control";
    return refuse("invalid_field", { field: `${field}.margin`, reason });
  }
  return good === "increase" ? tolerance / (1 - tolerance) : tolerance;
}
