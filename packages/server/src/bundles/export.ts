import type { Bundle, BundledFlag, BundledHoldout, BundledLayer, BundledMetric, ExperimentDefinition } from "@belay/protocol";
import type {
  ExperimentDocument,
  FlagDocument,
  HoldoutDocument,
  LayerDocument,
  MetricDocument,
  ProjectState,
} from "../state/workspace.ts";

/** The project as one document, with the environments that `isVisible` names. */
export function exportProject(
  { document, segments, flags, environments, layers, holdouts, metrics, experiments }: ProjectState,
  isVisible: (environment: string) => boolean,
): Bundle {
  const { name, privateAttributes } = document.body;
  const shown = [...environments.values()].filter(({ key }) => isVisible(key));
  return {
    format: 1,
    project: { name, privateAttributes },
    segments: dictionary(segments, ({ body: { description, when } }) => ({ description, when })),
    flags: dictionary(flags, ({ body }) => bundledFlag(body)),
    environments: Object.fromEntries(
      shown.map(({ key, targetings }) => [key, { targetings: dictionary(targetings, ({ body }) => body) }]),
    ),
    layers: dictionary(layers, ({ body }) => bundledLayer(body)),
    holdouts: dictionary(holdouts, ({ body }) => bundledHoldout(body)),
    metrics: dictionary(metrics, ({ body }) => bundledMetric(body)),
    experiments: dictionary(new Map([...experiments].filter(([, { body }]) => isVisible(body.environment))), ({ body }) =>
      bundledExperiment(body),
    ),
  };
}

/** A flag without what belongs to the project it came from. */
export function bundledFlag({ createdAt: _, ...flag }: FlagDocument): BundledFlag {
  return flag;
}

export function bundledLayer({ createdAt: _, ...layer }: LayerDocument): BundledLayer {
  return layer;
}

export function bundledHoldout({ createdAt: _, ...holdout }: HoldoutDocument): BundledHoldout {
  return holdout;
}

/** Versions are counted where a metric lives. */
export function bundledMetric({ createdAt: _, version: __, ...metric }: MetricDocument): BundledMetric {
  return metric;
}

/** What was asked, without what came of it. */
export function bundledExperiment(document: ExperimentDocument): ExperimentDefinition {
  const {
    createdAt: _,
    status: __,
    startedAt: ___,
    stoppedAt: ____,
    frozen: _____,
    phases: ______,
    decision: _______,
    ...asked
  } = document;
  return asked;
}

/** In the order of keys, so that two exports of one state are one text. */
function dictionary<T, U>(map: ReadonlyMap<string, T>, view: (value: T) => U): { [key: string]: U } {
  // fromEntries defines own properties, so that a flag called __proto__ is one.
  return Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => [key, view(value)]));
}
