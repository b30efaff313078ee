import type { Revision } from "@belay/protocol";
import type { Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { asJson, type Decision } from "./decision.ts";

/**
 * What a server served of a project by a log that has lost its last changes since: restored from an older backup, or a
 * replica took over that had not all of them.
 *
 *   served      r57 ── r58 ── r59 ── r60
 *   the log     r57                       ── r61 (this change: what the log holds, under a revision above what was served)
 *   elsewhere   r57 ── r58' ── r59'        ── r61, also where others went on before it was found out
 *
 * Applications take no revision below the one they hold, so that without it none of them would hear of anything, a kill
 * switch neither, until as many changes were made as were lost.
 */
export interface Served {
  readonly project: string;
  readonly revision: Revision;
  /** By environment. */
  readonly environments: ReadonlyMap<string, Revision>;
}

/** The kind of document that says that revisions go on above what was served: clients get all of its environments anew. */
const RESUMPTION = "resumption";

export function servedBy({ projects }: Workspace): Served[] {
  return [...projects].map(([project, { revision, environments }]) => ({
    project,
    revision,
    environments: new Map([...environments].map(([key, environment]) => [key, environment.revision])),
  }));
}

/** The change that puts a project, and each of its environments, above what was served of it. Pure. */
export function resumed({ projects }: Workspace, served: Served): Decision<undefined> {
  const project = projects.get(served.project);
  if (project === undefined) return { kind: "unchanged", answer: undefined, revision: 0 };
  const above = (now: Revision, before: Revision = 0): Revision => Math.max(now, before) + 1;
  const own = { project: project.key, revision: project.revision, to: above(project.revision, served.revision) };
  const environments = [...project.environments.values()].map(({ key, revision }) => ({
    ...{ project: project.key, environment: key, revision },
    to: above(revision, served.environments.get(key)),
  }));
  const after = Object.fromEntries(environments.map(({ environment, revision, to }) => [environment, { from: revision, to }]));
  return {
    kind: "edit",
    action: "project.resume",
    stream: { project: project.key },
    target: { kind: "project", key: project.key },
    raises: [own, ...environments],
    documents: [{ kind: RESUMPTION, project: project.key, key: "last", body: asJson(after) }],
    after: asJson(after),
    answer: undefined,
    revision: own.to,
  };
}

export function isResumption(documents: readonly DocumentWrite[]): boolean {
  return documents.some(({ kind }) => kind === RESUMPTION);
}
