import { canonicalJson } from "@belay/core";
import type {
  EventSelection,
  Json,
  Measure,
  MeasureDraft,
  Metric,
  MetricCreation,
  MetricDefinition,
  MetricEdit,
  MetricKey,
  MetricUse,
  PropertyFilter,
} from "@belay/protocol";
import { asJson, type Decision, type Refusal, refuse } from "../control/decision.ts";
import { withoutNulls, writeProjectDocument } from "../control/project-document.ts";
import type { ExperimentDocument, Held, MetricDocument, ProjectState } from "../state/workspace.ts";

/** Rules of metrics: pure, `(state, command) -> decision`. */

/** 2 %: a guardrail may be that much worse unless its metric says otherwise. */
const TOLERANCE_DEFAULT = 0.02;

export function metricView(project: string, key: MetricKey, { body, revision }: Held<MetricDocument>): Metric {
  return { project, key, ...body, revision };
}

/** A request whose cap is known by now. */
export type WithMeasure<T extends { readonly measure?: MeasureDraft }> = Omit<T, "measure"> & MeasureOf<T>;

type MeasureOf<T> = T extends { readonly measure: MeasureDraft } ? { readonly measure: Measure } : { readonly measure?: Measure };

export function createMetric(
  project: ProjectState,
  { key, reason: _, unseen: __, ...draft }: WithMeasure<MetricCreation>,
  createdAt: string,
): Decision<Metric> {
  if (project.metrics.has(key)) return refuse("already_exists", { field: "key", key });
  const definition = { description: "", tags: [], window: {}, tolerance: TOLERANCE_DEFAULT, ...draft };
  const fault = definitionFault(definition);
  if (fault !== undefined) return fault;
  return write(project, key, undefined, { ...definition, version: 1, archived: false, createdAt }, "metric.create");
}

/** A new version where what is measured changes; running experiments keep the one they started with. */
export function editMetric(
  project: ProjectState,
  key: MetricKey,
  { reason: _, unseen: __, ...edit }: WithMeasure<MetricEdit>,
): Decision<Metric> {
  const held = liveMetric(project, key);
  if ("code" in held) return held;
  const edited: MetricDocument = withoutNulls({ ...held.body, ...edit });
  const fault = definitionFault(edited);
  if (fault !== undefined) return fault;
  return write(
    project,
    key,
    held,
    isSameMeasured(edited, held.body) ? edited : { ...edited, version: held.body.version + 1 },
    "metric.edit",
  );
}

/** Archives a metric that no draft and no running experiment uses, or brings it back. */
export function archiveMetric(project: ProjectState, key: MetricKey, archived: boolean): Decision<Metric> {
  const held = project.metrics.get(key);
  if (held === undefined) return refuse("metric_not_found", { key });
  const users = archived ? usesOfMetric(project, key).filter(({ status }) => status === "draft" || status === "running") : [];
  if (users.length > 0) {
    return refuse("in_use", { key, users: users.map((use) => `experiment ${use.key}`).join(", ") });
  }
  return write(project, key, held, { ...held.body, archived }, archived ? "metric.archive" : "metric.restore");
}

/** A metric that may be edited and used. */
function liveMetric(project: ProjectState, key: MetricKey): Held<MetricDocument> | Refusal {
  const held = project.metrics.get(key);
  if (held === undefined) return refuse("metric_not_found", { key });
  return held.body.archived ? refuse("archived", { key }) : held;
}

/** Experiments that measure by it, in the order of their keys. */
export function usesOfMetric({ experiments, metrics }: ProjectState, key: MetricKey): MetricUse[] {
  const uses = [...experiments].flatMap(([experiment, { body }]) => {
    const as = roleOf(body, key);
    if (as === undefined) return [];
    const frozen = body.frozen?.metrics.find((metric) => metric.key === key);
    const version = frozen?.version ?? metrics.get(key)?.body.version ?? 1;
    return [{ key: experiment, as, version, status: body.status, environment: body.environment }];
  });
  return uses.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function roleOf({ metrics }: ExperimentDocument, key: MetricKey): MetricUse["as"] | undefined {
  if (metrics.primary.includes(key)) return "primary";
  if (metrics.guardrails.includes(key)) return "guardrail";
  return metrics.secondary.includes(key) ? "secondary" : undefined;
}

/** The selections of a measure with the path of each, in the order of the definition. */
export function selectionsOf(
  measure: MeasureDraft,
): readonly { readonly field: string; readonly events: EventSelection; readonly needsValue: boolean }[] {
  switch (measure.kind) {
    case "ratio":
      return (["numerator", "denominator"] as const).map((side) => ({
        field: `measure.${side}.events`,
        events: measure[side].events,
        needsValue: measure[side].of === "values",
      }));
    case "funnel":
      return measure.steps.map((events, index) => ({ field: `measure.steps[${index}]`, events, needsValue: false }));
    default: {
      const needsValue = measure.kind === "sum" || measure.kind === "mean" || measure.kind === "quantile";
      return [{ field: "measure.events", events: measure.events, needsValue }];
    }
  }
}

/** Do two definitions measure the same? Words do not matter. */
export function isSameMeasured(a: Measured, b: Measured): boolean {
  return textOfMeasured(a) === textOfMeasured(b);
}

type Measured = Pick<MetricDefinition, "measure" | "window" | "good" | "tolerance">;

interface Defined extends Pick<MetricDefinition, "window"> {
  readonly measure: MeasureDraft;
}

/** What no schema can say of a definition. */
export function definitionFault({ measure, window }: Defined): Refusal | undefined {
  for (const { field, events } of selectionsOf(measure)) {
    const fault = filtersFault(events.filters, `${field}.filters`);
    if (fault !== undefined) return fault;
  }
  const { fromHours = 0, toHours } = window;
  if (toHours !== undefined && toHours <= fromHours) {
    return refuse("invalid_field", { field: "window.toHours", received: toHours, reason: "the window ends before it begins" });
  }
  if (measure.kind === "retention" && toHours === undefined) {
    return refuse("invalid_field", { field: "window.toHours", reason: "retention needs a window that ends" });
  }
  return undefined;
}

/** What no schema can say of filters: a value that is not of the operator's kind. @param field where they stand */
export function filtersFault(filters: readonly PropertyFilter[] | undefined, field: string): Refusal | undefined {
  for (const [index, filter] of (filters ?? []).entries()) {
    const fault = filterFault(filter);
    if (fault !== undefined) return refuse("invalid_value", { field: `${field}[${index}].value`, ...fault });
  }
  return undefined;
}

function filterFault({ op, value }: PropertyFilter): { received: Json; reason: string; allowed: Json } | undefined {
  const { fits, allowed } = VALUES[op];
  return fits(value) ? undefined : { received: value, reason: `\`${op}\` takes ${allowed}`, allowed };
}

const isScalar = (value: Json): boolean => ["string", "number", "boolean"].includes(typeof value);
const aNumber = { fits: (value: Json): boolean => typeof value === "number", allowed: "a number" };

const VALUES: Readonly<Record<PropertyFilter["op"], { fits: (value: Json) => boolean; allowed: string }>> = {
  in: {
    fits: (value) => Array.isArray(value) && value.length > 0 && value.length <= 1_000 && value.every(isScalar),
    allowed: "a list of 1 to 1000 texts, numbers or truth values",
  },
  lt: aNumber,
  lte: aNumber,
  gt: aNumber,
  gte: aNumber,
  exists: { fits: (value) => typeof value === "boolean", allowed: "true or false" },
};

function textOfMeasured({ measure, window, good, tolerance }: Measured): string {
  return canonicalJson(asJson({ measure, window, good, tolerance }));
}

function write(
  project: ProjectState,
  key: MetricKey,
  before: Held<MetricDocument> | undefined,
  after: MetricDocument,
  action: string,
): Decision<Metric> {
  const view = (held: Held<MetricDocument>): Metric => metricView(project.key, key, held);
  return writeProjectDocument(project, { kind: "metric", key, action, before, after, view });
}
