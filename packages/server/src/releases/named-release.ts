import type { Release } from "@belay/protocol";
import type { FastifyRequest } from "fastify";
import type { ControlPlane } from "../control/control-plane.ts";
import { environmentPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { environmentOf, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { Held, ReleaseDocument, Workspace } from "../state/workspace.ts";
import type { ReleaseDesk } from "./desk.ts";
import { heldRelease, type ReleasePlace, releaseView } from "./document.ts";
import type { ReleaseId } from "./watchtower.ts";

/** The release that a request names by its path. */
export interface ReleaseParams {
  readonly project: string;
  readonly environment: string;
  readonly release: string;
}

export const ALL_RELEASES: string = "/api/v1/projects/:project/environments/:environment/releases";
export const ONE_RELEASE: string = `${ALL_RELEASES}/:release`;
export const RELEASE_PARAMS: ReturnType<typeof pathParams> = pathParams("project", "environment", "release");
export const RELEASE_TAGS: readonly string[] = ["releases"];

/** @throws ProblemError when the project or the environment is not there. */
export function placeOf(workspace: Workspace, at: ReleaseParams): ReleasePlace {
  const project = projectOf(workspace, at.project);
  return { project, environment: environmentOf(project, at.environment), key: at.release };
}

export function idOf({ project, environment, release }: ReleaseParams): ReleaseId {
  return { project, environment, key: release };
}

/** As it is now, with the receipts of its rollback as they come in. @throws ProblemError when it is not there. */
export function readRelease(
  { control, desk }: { readonly control: ControlPlane; readonly desk: ReleaseDesk },
  at: ReleaseParams,
): Release {
  const { place, held } = heldAt(control.workspace, at);
  const rollback = desk.service.rollbackOf(idOf(at), held.body.rollback);
  return { ...releaseView(place, held), ...(rollback === undefined ? {} : { rollback }) };
}

/** As it is written down. @throws ProblemError when it is not there. */
export function heldAt(
  workspace: Workspace,
  at: ReleaseParams,
): { readonly place: ReleasePlace; readonly held: Held<ReleaseDocument> } {
  const place = placeOf(workspace, at);
  const held = heldRelease(place);
  if ("code" in held) throw new ProblemError(held.code, held.data);
  return { place, held };
}

export function actorOf({ actor }: FastifyRequest): NonNullable<FastifyRequest["actor"]> {
  if (actor === undefined) throw new ProblemError("unauthenticated");
  return actor;
}

/** What `If-Match` is about where a release is written. */
export function preconditionOf({ project, environment, release }: ReleaseParams): TargetPrecondition {
  return environmentPrecondition({ project, environment, kind: "release", key: release }, ({ releases }) =>
    releases.get(release),
  );
}
