/* What a request would write, as people look at it, and the hash that names exactly that. */
import type { Json, RequestedChange, Targeting } from "@belay/protocol";
import { asJson, type Edit } from "../control/decision.ts";
import { planHash } from "../control/plan-hash.ts";
import { withoutEpochs } from "../flags/epochs.ts";
import type { Held, ProjectState, ReleaseDocument, RequestDocument } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";

/** The documents of an edit before and after. Epochs are left out: they follow from when it is made. */
export function changesOf(project: ProjectState, { documents }: Pick<Edit<unknown>, "documents">): RequestedChange[] {
  return documents.map((document) => {
    const { kind, key, environment, body } = document;
    const before = heldBody(project, document);
    return {
      kind,
      key,
      ...(environment === undefined ? {} : { environment }),
      ...(before === undefined ? {} : { before: timeless(kind, before) }),
      ...(body === undefined ? {} : { after: timeless(kind, body) }),
    };
  });
}

/** Equal hashes: the same operation at the same time would write the same in place of the same. */
export function hashOf(
  request: Pick<RequestDocument, "operation" | "environment" | "key" | "body" | "schedule">,
  changes: readonly RequestedChange[],
): string {
  const { operation, environment, key = null, body, schedule } = request;
  return planHash([
    operation,
    environment,
    key,
    body,
    schedule === undefined ? null : asJson(schedule),
    changes.map((change) => asJson(change)),
  ]);
}

function heldBody(project: ProjectState, { kind, key, environment = "" }: DocumentWrite): Json | undefined {
  const own = project.environments.get(environment);
  const maps: { readonly [kind: string]: ReadonlyMap<string, Held<object>> | undefined } = {
    flag: project.flags,
    segment: project.segments,
    metric: project.metrics,
    experiment: project.experiments,
    layer: project.layers,
    holdout: project.holdouts,
    targeting: own?.targetings,
    release: own?.releases,
  };
  const held = kind === "project" ? project.document : maps[kind]?.get(key);
  return held === undefined ? undefined : asJson(held.body);
}

function timeless(kind: string, body: Json): Json {
  if (kind === "targeting") return asJson(withoutEpochs(body as unknown as Targeting));
  if (kind !== "release") return body;
  const { epochs: _, ...release } = body as unknown as ReleaseDocument;
  return asJson(release);
}
