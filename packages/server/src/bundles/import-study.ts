import type { ImportRequest, Json } from "@belay/protocol";
import { asJson, isSame, type Refusal, refuse } from "../control/decision.ts";
import { isSameMeasured } from "../metrics/domain.ts";
import type { ExperimentDocument, HoldoutDocument, LayerDocument, MetricDocument, ProjectState } from "../state/workspace.ts";
import { bundledExperiment, bundledHoldout, bundledLayer, bundledMetric } from "./export.ts";
import type { Write } from "./import.ts";

/** What an import writes of experiments and what they stand on: pure, as `import.ts` is. */

/** Layers and holdouts: every snapshot holds their salts, which never change. */
export function spaceWrites(project: ProjectState, { bundle }: ImportRequest, createdAt: string): readonly Write[] | Refusal {
  const writes: Write[] = [];
  for (const [key, layer] of Object.entries(bundle.layers ?? {})) {
    const held = project.layers.get(key)?.body;
    if (held !== undefined && !isSame(held.space, layer.space)) return saltsDiffer(`layers.${key}.space`, key);
    const after: LayerDocument = { ...layer, createdAt: held?.createdAt ?? createdAt };
    const shown = { before: held === undefined ? undefined : bundledLayer(held), after: layer };
    writes.push(...writeOf(project, "layer", { key, held, after, shown }));
  }
  for (const [key, holdout] of Object.entries(bundle.holdouts ?? {})) {
    const held = project.holdouts.get(key)?.body;
    if (held !== undefined && !isSame(held.space, holdout.space)) return saltsDiffer(`holdouts.${key}.space`, key);
    const after: HoldoutDocument = { ...holdout, createdAt: held?.createdAt ?? createdAt };
    const shown = { before: held === undefined ? undefined : bundledHoldout(held), after: holdout };
    writes.push(...writeOf(project, "holdout", { key, held, after, shown }));
  }
  return writes;
}

/** A metric that measures something else than it did gets its next version here. */
export function metricWrites(project: ProjectState, { bundle }: ImportRequest, createdAt: string): readonly Write[] {
  return Object.entries(bundle.metrics ?? {}).flatMap(([key, metric]) => {
    const held = project.metrics.get(key)?.body;
    const next = held === undefined ? 1 : isSameMeasured(held, metric) ? held.version : held.version + 1;
    const after: MetricDocument = { ...metric, version: next, createdAt: held?.createdAt ?? createdAt };
    const shown = { before: held === undefined ? undefined : bundledMetric(held), after: metric };
    return writeOf(project, "metric", { key, held, after, shown });
  });
}

/** Experiments of the environments imported into, as drafts. One that has started here keeps what it promised. */
export function experimentWrites(
  project: ProjectState,
  { bundle }: ImportRequest,
  environments: readonly string[],
  createdAt: string,
): readonly Write[] {
  return Object.entries(bundle.experiments ?? {}).flatMap(([key, definition]) => {
    const held = project.experiments.get(key)?.body;
    if (!environments.includes(definition.environment) || (held !== undefined && held.status !== "draft")) return [];
    const after: ExperimentDocument = { ...definition, status: "draft", phases: [], createdAt: held?.createdAt ?? createdAt };
    const shown = { before: held === undefined ? undefined : bundledExperiment(held), after: definition };
    return writeOf(project, "experiment", { key, held, after, shown });
  });
}

interface Written {
  readonly key: string;
  readonly held: object | undefined;
  readonly after: object;
  readonly shown: { readonly before: object | undefined; readonly after: object };
}

function writeOf(project: ProjectState, kind: "layer" | "holdout" | "metric" | "experiment", written: Written): Write[] {
  const { key, held, after, shown } = written;
  if (held !== undefined && isSame(held, after)) return [];
  const before: { readonly before?: Json } = shown.before === undefined ? {} : { before: asJson(shown.before) };
  return [
    {
      change: { kind, key, ...before, after: asJson(shown.after) },
      document: { kind, project: project.key, key, body: asJson(after) },
      isSeenEverywhere: kind === "layer" || kind === "holdout",
    },
  ];
}

function saltsDiffer(field: string, key: string): Refusal {
  return refuse("salts_differ", { field, key });
}
