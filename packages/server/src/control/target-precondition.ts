import type { Revision } from "@belay/protocol";
import type { EnvironmentState, Held, ProjectState } from "../state/workspace.ts";
import type { Precondition } from "./command.ts";

/** What `If-Match` is about: a precondition but for the revision that its author saw. */
export type TargetPrecondition = Omit<Precondition, "revision">;

/** A document in the stream of its project. */
export function projectPrecondition(
  target: Precondition["target"],
  find: (project: ProjectState) => Held<unknown> | undefined,
): TargetPrecondition {
  return { target, current: ({ projects }) => standing(projects.get(target.project), find) };
}

/** A document in the stream of an environment. */
export function environmentPrecondition(
  target: Precondition["target"] & { readonly environment: string },
  find: (environment: EnvironmentState) => Held<unknown> | undefined,
): TargetPrecondition {
  const { project, environment } = target;
  return { target, current: ({ projects }) => standing(projects.get(project)?.environments.get(environment), find) };
}

function standing<S extends { readonly revision: Revision }>(
  state: S | undefined,
  find: (state: S) => Held<unknown> | undefined,
): ReturnType<TargetPrecondition["current"]> {
  const held = state === undefined ? undefined : find(state);
  return state === undefined || held === undefined ? undefined : { changed: held.revision, stream: state.revision };
}
