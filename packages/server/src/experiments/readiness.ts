import { type Draw, type ExperimentKey, type Part, SPACE_PPM, type Targeting } from "@belay/protocol";
import type { ExperimentDocument, HoldoutDocument, ProjectState } from "../state/workspace.ts";
import { servesOf } from "./phases.ts";

/** One thing that keeps an experiment from starting. */
export interface OpenPoint {
  readonly point: string;
  readonly reason: string;
}

/** What keeps an experiment from starting; nothing when it is ready. No start is possible without a guardrail and an alert route. */
export function openPoints(project: ProjectState, key: ExperimentKey, experiment: ExperimentDocument): readonly OpenPoint[] {
  return [...measuringPoints(project, experiment), ...splitPoints(project, key, experiment)];
}

function measuringPoints(project: ProjectState, { metrics, alertRoute }: ExperimentDocument): OpenPoint[] {
  const points: OpenPoint[] = [];
  if (metrics.primary.length === 0) points.push({ point: "metrics.primary", reason: "it has no primary metric" });
  if (metrics.guardrails.length === 0) points.push({ point: "metrics.guardrails", reason: "it has no guardrail" });
  if (alertRoute === undefined) points.push({ point: "alertRoute", reason: "it has no alert route" });
  const webhook = alertRoute?.startsWith("webhook:") === true ? alertRoute.slice("webhook:".length) : undefined;
  if (webhook !== undefined && !project.webhooks.has(webhook)) {
    points.push({ point: "alertRoute", reason: `the webhook ${webhook} of its alert route is not there` });
  }
  const gone = [...metrics.primary, ...metrics.secondary, ...metrics.guardrails].find(
    (metric) => project.metrics.get(metric)?.body.archived !== false,
  );
  if (gone !== undefined) points.push({ point: "metrics", reason: `the metric ${gone} is archived` });
  return points;
}

function splitPoints(project: ProjectState, key: ExperimentKey, experiment: ExperimentDocument): OpenPoint[] {
  const { flag, environment, control, treatments } = experiment;
  const targeting = project.environments.get(environment)?.targetings.get(flag)?.body;
  if (project.flags.get(flag)?.body.archived !== false || targeting === undefined) {
    return [{ point: "flag", reason: `the flag ${flag} is archived` }];
  }
  if (!targeting.enabled) return [{ point: "flag", reason: `the flag ${flag} is switched off in ${environment}` }];
  const parts = trackedParts(targeting, key);
  const arms = [control, ...treatments];
  const missing = arms.filter((arm) => !parts.some(({ variant }) => variant === arm));
  if (missing.length > 0) {
    const reason = `no split of ${flag} in ${environment} tracks it with ${missing.join(", ")}`;
    return [{ point: "split", reason }];
  }
  const foreign = parts.find(({ variant }) => !arms.includes(variant));
  if (foreign !== undefined) {
    return [{ point: "split", reason: `its split serves ${foreign.variant}, which is neither control nor treatment` }];
  }
  return [...layerPoints(parts, experiment), ...holdoutPoints(parts, project)];
}

/** Everybody the experiment takes must lie in the range it claimed. */
function layerPoints(parts: readonly Part[], { layer: claim }: ExperimentDocument): OpenPoint[] {
  if (claim === undefined) return [];
  const space = `layer/${claim.layer}`;
  const [from, to] = claim.range;
  if (parts.every(({ draws }) => draws.some((draw) => draw.space === space && isWithin(draw, from, to)))) return [];
  return [{ point: "layer", reason: `its parts do not all draw from [${from}, ${to}) of ${space}` }];
}

function holdoutPoints(parts: readonly Part[], { holdouts }: ProjectState): OpenPoint[] {
  return [...holdouts].flatMap(([key, { body }]) => (respects(parts, key, body) ? [] : [holdoutPoint(key, body)]));
}

function respects(parts: readonly Part[], key: string, { share, endedAt }: HoldoutDocument): boolean {
  const space = `holdout/${key}`;
  return (
    endedAt !== undefined ||
    parts.every(({ draws }) => draws.some((draw) => draw.space === space && isWithin(draw, share, SPACE_PPM)))
  );
}

function holdoutPoint(key: string, { share }: HoldoutDocument): OpenPoint {
  return { point: "holdout", reason: `its parts do not all draw from [${share}, ${SPACE_PPM}) of holdout/${key}` };
}

function isWithin(draw: Draw, from: number, to: number): boolean {
  return draw.in.every(([a, b]) => a >= from && b <= to);
}

/** Parts of a targeting that record exposures of an experiment. */
export function trackedParts(targeting: Targeting, key: ExperimentKey): readonly Part[] {
  return servesOf(targeting).flatMap((serve) =>
    "split" in serve
      ? serve.split.filter(({ tracks }) => tracks !== undefined && "experiment" in tracks && tracks.experiment === key)
      : [],
  );
}
