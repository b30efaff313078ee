import { asJson, type Decision } from "../control/decision.ts";
import { projectStream } from "../control/streams.ts";
import type { ProjectState } from "../state/workspace.ts";
import { hasEnded, type ImportRecord } from "./import-record.ts";

export const IMPORT_TARGET = "import";

/** Where the file of an import is. */
export interface ImportPlace {
  /** Host of the server, for people. */
  readonly server: string;
  /** Of its folder. */
  readonly folder: string;
}

/** What a change says of an import: what it is, how far it was then, and where its file is. */
export type ToldOfImport = Omit<ImportRecord, "id" | "project" | "through" | "rejectedKept" | "rejectedBytes"> &
  ImportPlace & { readonly isEnded: boolean };

/** The audit row of an import that begins, is cancelled or has ended; nothing of the state changes. */
export function noteImport(
  project: ProjectState,
  action: "events.import" | "events.import.cancel" | "events.import.end",
  record: ImportRecord,
  place: ImportPlace,
): Decision<undefined> {
  return {
    kind: "edit",
    action,
    stream: { project: project.key },
    target: { kind: IMPORT_TARGET, key: record.id },
    raises: [projectStream(project)],
    documents: [],
    after: asJson(told(record, place)),
    answer: undefined,
    revision: project.revision + 1,
  };
}

function told(record: ImportRecord, place: ImportPlace): ToldOfImport {
  const { id: _, project: __, through: ___, rejectedKept: ____, rejectedBytes: _____, ...of } = record;
  return { ...of, ...place, isEnded: hasEnded(record) };
}
