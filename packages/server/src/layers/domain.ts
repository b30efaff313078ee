import { percentFromPpm, ppmFromPercent } from "@belay/core";
import type { Holdout, HoldoutCreation, Layer, LayerCreation, Space } from "@belay/protocol";
import { type Decision, refuse } from "../control/decision.ts";
import { writeProjectDocument } from "../control/project-document.ts";
import { allStreams } from "../control/streams.ts";
import { claimsOf } from "../experiments/definition.ts";
import type { Held, HoldoutDocument, LayerDocument, ProjectState } from "../state/workspace.ts";

/**
 * Rules of spaces that flags share. A layer or a holdout is a salt that is made once: it is never deleted, for a draw that named it
 * would lose its units, and never changed. Pure.
 */

export interface Made {
  readonly space: Space;
  readonly createdAt: string;
}

export function layerView(project: ProjectState, key: string, { body, revision }: Held<LayerDocument>): Layer {
  const { description, createdAt } = body;
  const claims = claimsOf(project, key);
  return { project: project.key, key, description, space: `layer/${key}`, claims, createdAt, revision };
}

export function createLayer(project: ProjectState, { key, description = "" }: LayerCreation, made: Made): Decision<Layer> {
  if (project.layers.has(key)) return refuse("already_exists", { field: "key", key });
  const view = (held: Held<LayerDocument>): Layer => layerView(project, key, held);
  const after: LayerDocument = { description, ...made };
  return writeProjectDocument(project, { kind: "layer", key, action: "layer.create", after, view, raises: allStreams(project) });
}

export function holdoutView(project: string, key: string, { body, revision }: Held<HoldoutDocument>): Holdout {
  const { description, share, createdAt, endedAt } = body;
  return {
    project,
    key,
    description,
    space: `holdout/${key}`,
    percentage: percentFromPpm(share),
    isActive: endedAt === undefined,
    createdAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    revision,
  };
}

export function createHoldout(
  project: ProjectState,
  { key, description = "", percentage }: HoldoutCreation,
  made: Made,
): Decision<Holdout> {
  if (project.holdouts.has(key)) return refuse("already_exists", { field: "key", key });
  const share = ppmFromPercent(percentage);
  if (share === undefined) return refuse("invalid_percentage", { field: "percentage", received: percentage });
  const view = (held: Held<HoldoutDocument>): Holdout => holdoutView(project.key, key, held);
  const after: HoldoutDocument = { description, share, ...made };
  return writeProjectDocument(project, {
    kind: "holdout",
    key,
    action: "holdout.create",
    after,
    view,
    raises: allStreams(project),
  });
}

/** Experiments need not respect it any more; its space stays, for what draws from it. */
export function endHoldout(project: ProjectState, key: string, at: string): Decision<Holdout> {
  const before = project.holdouts.get(key);
  if (before === undefined) return refuse("holdout_not_found", { key });
  const view = (held: Held<HoldoutDocument>): Holdout => holdoutView(project.key, key, held);
  const after: HoldoutDocument = { ...before.body, endedAt: before.body.endedAt ?? at };
  return writeProjectDocument(project, { kind: "holdout", key, action: "holdout.end", before, after, view });
}
