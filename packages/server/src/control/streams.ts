import type { EnvironmentState, ProjectState } from "../state/workspace.ts";
import type { Raise, StreamRevision } from "../store/changes/index.ts";
import { reached } from "../store/changes/raise.ts";

/** The stream of what all environments of a project share, at its revision of now. */
export function projectStream({ key, revision }: ProjectState): StreamRevision {
  return { project: key, revision };
}

export function environmentStream(project: ProjectState, { key, revision }: EnvironmentState): StreamRevision {
  return { project: project.key, environment: key, revision };
}

/** The project's own stream and that of each environment: for an edit that changes what they all serve. */
export function allStreams(project: ProjectState): StreamRevision[] {
  return [
    projectStream(project),
    ...[...project.environments.values()].map((environment) => environmentStream(project, environment)),
  ];
}

/** The same streams after a commit raised them. */
export function raised(streams: readonly Raise[]): StreamRevision[] {
  return streams.map(({ to, ...stream }) => ({
    ...stream,
    revision: reached({ ...stream, ...(to === undefined ? {} : { to }) }),
  }));
}
