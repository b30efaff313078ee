import { asJson, type Decision } from "../control/decision.ts";
import { projectStream } from "../control/streams.ts";
import type { ProjectDocument, ProjectState } from "../state/workspace.ts";

/** Exposures and metric events are kept for so long after they were received, where a project does not say otherwise. */
export const RETENTION_DAYS_DEFAULT = 400;
/** Shorter, and an experiment of a week would lose its beginning before its end is read. */
export const RETENTION_DAYS_MIN = 7;
export const RETENTION_DAYS_MAX = 3_650;

export interface Retention {
  readonly days: number;
}

export function retentionOf({ document }: ProjectState): Retention {
  return { days: document.body.retentionDays ?? RETENTION_DAYS_DEFAULT };
}

export function setRetention(project: ProjectState, { days }: Retention): Decision<Retention> {
  const before = retentionOf(project);
  if (before.days === days) return { kind: "unchanged", answer: before, revision: project.document.revision };
  const body: ProjectDocument = { ...project.document.body, retentionDays: days };
  return {
    kind: "edit",
    action: "project.retention",
    stream: { project: project.key },
    target: { kind: "project", key: project.key },
    raises: [projectStream(project)],
    documents: [{ kind: "project", project: project.key, key: project.key, body: asJson(body) }],
    before: asJson(before),
    after: asJson({ days }),
    answer: { days },
    revision: project.revision + 1,
  };
}
