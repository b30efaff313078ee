import type { ExperimentDefinition, ExperimentKey } from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";
import { liveFlag } from "../flags/domain.ts";
import type { ProjectState } from "../state/workspace.ts";

/** What no schema can say of a definition: everything it names is there. */
export function experimentFault(
  project: ProjectState,
  key: ExperimentKey,
  definition: ExperimentDefinition,
): Refusal | undefined {
  return (
    armFault(project, definition) ??
    metricFault(project, definition) ??
    predictionFault(definition) ??
    layerFault(project, key, definition)
  );
}

function armFault(project: ProjectState, { flag, environment, control, treatments }: ExperimentDefinition): Refusal | undefined {
  const held = liveFlag(project, flag);
  if ("code" in held) return refuse("unknown_flag", { field: "flag", received: flag });
  if (!project.environments.has(environment)) {
    return refuse("environment_not_found", { field: "environment", key: environment, allowed: [...project.environments.keys()] });
  }
  const allowed = Object.keys(held.body.variants);
  if (!allowed.includes(control)) return refuse("unknown_variant", { field: "control", received: control, allowed });
  for (const [index, variant] of treatments.entries()) {
    const field = `treatments[${index}]`;
    if (!allowed.includes(variant)) return refuse("unknown_variant", { field, received: variant, allowed });
    if (variant === control) return refuse("invalid_field", { field, received: variant, reason: "it is the control" });
  }
  return undefined;
}

function metricFault(project: ProjectState, { metrics }: ExperimentDefinition): Refusal | undefined {
  const seen = new Set<string>();
  for (const role of ["primary", "secondary", "guardrails"] as const) {
    for (const [index, metric] of metrics[role].entries()) {
      const field = `metrics.${role}[${index}]`;
      if (project.metrics.get(metric)?.body.archived !== false) {
        return refuse("unknown_metric", { field, received: metric, allowed: [...project.metrics.keys()].slice(0, 100) });
      }
      if (seen.has(metric)) {
        return refuse("invalid_field", { field, received: metric, reason: "a metric has one role in an experiment" });
      }
      seen.add(metric);
    }
  }
  return undefined;
}

function predictionFault({ prediction, metrics }: ExperimentDefinition): Refusal | undefined {
  if (prediction === undefined) return undefined;
  const { metric, mean, interval } = prediction;
  if (!metrics.primary.includes(metric)) {
    return refuse("unknown_metric", { field: "prediction.metric", received: metric, allowed: [...metrics.primary] });
  }
  const [low, high] = interval;
  if (low < high && mean >= low && mean <= high) return undefined;
  const reason = "it must rise, and hold the mean";
  return refuse("invalid_field", { field: "prediction.interval", received: [low, high], reason });
}

function layerFault(project: ProjectState, key: ExperimentKey, { layer: claim }: ExperimentDefinition): Refusal | undefined {
  if (claim === undefined) return undefined;
  const { layer, range } = claim;
  if (!project.layers.has(layer)) return refuse("layer_not_found", { field: "layer.layer", key: layer });
  const [from, to] = range;
  if (from >= to) return refuse("invalid_range", { field: "layer.range", received: [from, to] });
  for (const other of claimsOf(project, layer)) {
    const isTaken = other.experiment !== key && from < other.range[1] && other.range[0] < to;
    if (isTaken)
      return refuse("range_taken", { field: "layer.range", received: [from, to], layer, experiment: other.experiment });
  }
  return undefined;
}

/** Ranges of a layer that experiments hold: from their draft until they are stopped. */
export function claimsOf(
  { experiments }: Pick<ProjectState, "experiments">,
  layer: string,
): readonly { readonly experiment: ExperimentKey; readonly range: readonly [from: number, to: number] }[] {
  const claims = [...experiments].flatMap(([experiment, { body }]) => {
    const isHeld = body.layer?.layer === layer && (body.status === "draft" || body.status === "running");
    return isHeld && body.layer !== undefined ? [{ experiment, range: body.layer.range }] : [];
  });
  return claims.sort((a, b) => a.range[0] - b.range[0]);
}
