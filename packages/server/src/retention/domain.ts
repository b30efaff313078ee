import type { Decision } from "../control/decision.ts";
import { writeProjectDocument } from "../control/project-document.ts";
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
  return daysIn(document.body);
}

function daysIn({ retentionDays = RETENTION_DAYS_DEFAULT }: ProjectDocument): Retention {
  return { days: retentionDays };
}

export function setRetention(project: ProjectState, { days }: Retention): Decision<Retention> {
  const before = retentionOf(project);
  if (before.days === days) return { kind: "unchanged", answer: before, revision: project.document.revision };
  const after: ProjectDocument = { ...project.document.body, retentionDays: days };
  return writeProjectDocument(project, {
    ...{ kind: "project", key: project.key, action: "project.retention", before: project.document, after },
    view: (held) => daysIn(held.body),
    shown: daysIn,
  });
}
