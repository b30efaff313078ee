/* Which events guardrails count, and what those go by among servers. Pure. */
import { canonicalJson } from "@belay/core";
import type { EventSelection, GuardrailMeasure } from "@belay/protocol";
import { asJson } from "../control/decision.ts";

export interface Source {
  /** The same wherever the same events are chosen: the event's name; where properties choose, all that chooses, as JSON. */
  readonly name: string;
  readonly selection: EventSelection;
}

export function sourceOf(measure: GuardrailMeasure): Source {
  const selection = selectionOf(measure);
  const isWholeEvent = selection.filters === undefined && selection.valueProperty === undefined;
  return { name: isWholeEvent ? selection.name : canonicalJson(asJson(selection)), selection };
}

/** A guardrail's events as a metric would choose them. */
function selectionOf(measure: GuardrailMeasure): EventSelection {
  const { event, filters } = measure;
  const valueProperty = measure.kind === "values" ? measure.valueProperty : undefined;
  return {
    name: event,
    ...(filters === undefined || filters.length === 0 ? {} : { filters }),
    ...(valueProperty === undefined ? {} : { valueProperty }),
  };
}

/** The events in words: `error`, `error where os in ["ios"]`, `order (total)`. */
export function sourceText(measure: GuardrailMeasure): string {
  const { name, filters = [], valueProperty } = selectionOf(measure);
  const value = valueProperty === undefined ? "" : ` (${valueProperty})`;
  const where = filters.map(({ property, op, value: asked }) => `${property} ${op} ${JSON.stringify(asked)}`).join(" and ");
  return `${name}${value}${where === "" ? "" : ` where ${where}`}`;
}
