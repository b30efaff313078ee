import { createHash } from "node:crypto";
import type { Decision } from "../control/decision.ts";
import { projectStream } from "../control/streams.ts";
import type { ProjectState } from "../state/workspace.ts";

/**
 * What the audit log calls a unit that is to be forgotten: who knows the unit finds the row, and the log itself does not
 * remember what it says was forgotten.
 */
export function unitDigest(project: string, unit: string): string {
  return `sha256:${createHash("sha256")
    .update(JSON.stringify([project, unit]))
    .digest("hex")
    .slice(0, 32)}`;
}

/** The audit row of an erasure; nothing of the state changes. */
export function noteErasure(project: ProjectState, unit: string): Decision<undefined> {
  return {
    kind: "edit",
    action: "unit.erase",
    stream: { project: project.key },
    target: { kind: "unit", key: unitDigest(project.key, unit) },
    raises: [projectStream(project)],
    documents: [],
    answer: undefined,
    revision: project.revision + 1,
  };
}
