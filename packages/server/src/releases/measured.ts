/* Guardrails that name a metric of the project: what they leave out is taken from its definition, once and for good. Pure. */
import type { Guardrail, GuardrailDraft, GuardrailMeasure } from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";
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

/** What a guardrail can count of a metric: it sees one event of each unit, by its name, and no property of it. */
function measureOf({ measure }: MetricDocument, { scale }: GuardrailDraft, field: string): GuardrailMeasure | Refusal {
  if (measure.kind !== "proportion" && measure.kind !== "mean") {
    const reason = `a guardrail counts a proportion or a mean; of a metric that is a ${measure.kind} say \`measure\``;
    return refuse("invalid_field", { field: `${field}.metric`, received: measure.kind, allowed: ["proportion", "mean"], reason });
  }
  const { name, filters = [], valueProperty } = measure.events;
  if (filters.length > 0 || valueProperty !== undefined) {
    const reason = "a guardrail sees no properties; give what the metric selects an event of its own, or say `measure`";
    return refuse("invalid_field", { field: `${field}.metric`, received: name, reason });
  }
  if (measure.kind === "proportion") return { kind: "failures", event: name };
  const cap = "cap" in measure ? measure.cap?.at : undefined;
  if (cap === undefined) {
    const reason = "values need a cap that is fixed before: give the metric one, or say `measure`";
    return refuse("invalid_field", { field: `${field}.metric`, received: name, reason });
  }
  if (scale === undefined) {
    return refuse("invalid_field", { field: `${field}.scale`, reason: "a mean needs the size of harm to find soonest" });
  }
  return { kind: "values", event: name, cap, scale };
}

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
