import { asJson, type Decision } from "../control/decision.ts";
import { projectStream } from "../control/streams.ts";
import type { ProjectState } from "../state/workspace.ts";
import type { ImportRecord } from "./import-record.ts";

/** The audit row of an import that begins or is cancelled; nothing of the state changes. */
export function noteImport(
  project: ProjectState,
  action: "events.import" | "events.import.cancel",
  { id, environment, plan, bytes, rows }: ImportRecord,
): Decision<undefined> {
  return {
    kind: "edit",
    action,
    stream: { project: project.key },
    target: { kind: "import", key: id },
    raises: [projectStream(project)],
    documents: [],
    after: asJson({ environment, plan, bytes, rows }),
    answer: undefined,
    revision: project.revision + 1,
  };
}
