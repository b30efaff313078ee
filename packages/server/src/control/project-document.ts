import type { DocumentKind, Documents, Held, ProjectState } from "../state/workspace.ts";
import type { DocumentWrite, StreamRevision } from "../store/changes/index.ts";
import { asJson, type Decision, isSame } from "./decision.ts";
import { projectStream } from "./streams.ts";

/** One document of a project as an edit writes it. */
export interface DocumentEdit<K extends DocumentKind, A> {
  readonly kind: K;
  readonly key: string;
  readonly action: string;
  /** Absent where it is new. */
  readonly before?: Held<Documents[K]> | undefined;
  readonly after: Documents[K];
  readonly view: (held: Held<Documents[K]>) => A;
  /** What the audit log keeps of a document; all of it when absent. */
  readonly shown?: (body: Documents[K]) => object;
  /** The project's own stream when absent: no SDK sees the document. */
  readonly raises?: readonly StreamRevision[];
  /** What is written along with it. */
  readonly beside?: readonly DocumentWrite[];
}

/** One document of a project as an edit takes it away. */
export interface DocumentDeletion<K extends DocumentKind>
  extends Pick<DocumentEdit<K, undefined>, "kind" | "key" | "action" | "shown" | "raises"> {
  readonly before: Held<Documents[K]>;
}

/** The edit that writes one document which all environments share; nothing to do where it is so already. */
export function writeProjectDocument<K extends DocumentKind, A>(
  project: ProjectState,
  { kind, key, action, before, after, view, shown = asIs, raises = [projectStream(project)], beside = [] }: DocumentEdit<K, A>,
): Decision<A> {
  if (before !== undefined && isSame(before.body, after)) {
    return { kind: "unchanged", answer: view(before), revision: before.revision };
  }
  const revision = project.revision + 1;
  return {
    kind: "edit",
    action,
    stream: { project: project.key },
    target: { kind, key },
    raises,
    documents: [{ kind, project: project.key, key, body: asJson(after) }, ...beside],
    ...(before === undefined ? {} : { before: asJson(shown(before.body)) }),
    after: asJson(shown(after)),
    answer: view({ body: after, revision }),
    revision,
  };
}

/** The edit that takes away one document which all environments share. */
export function deleteProjectDocument<K extends DocumentKind>(
  project: ProjectState,
  { kind, key, action, before, shown = asIs, raises = [projectStream(project)] }: DocumentDeletion<K>,
): Decision<undefined> {
  return {
    kind: "edit",
    action,
    stream: { project: project.key },
    target: { kind, key },
    raises,
    documents: [{ kind, project: project.key, key }],
    before: asJson(shown(before.body)),
    answer: undefined,
    revision: project.revision + 1,
  };
}

const asIs = <T extends object>(body: T): T => body;

/** Fields set to `null` are cleared. */
export function withoutNulls<T extends object>(document: T): { [K in keyof T]: Exclude<T[K], null> } {
  const entries = Object.entries(document).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], null> };
}
