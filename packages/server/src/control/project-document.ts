import type { DocumentKind, Documents, Held, ProjectState } from "../state/workspace.ts";
import type { StreamRevision } from "../store/changes/index.ts";
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
  /** The project's own stream when absent: no SDK sees the document. */
  readonly raises?: readonly StreamRevision[];
}

/** The edit that writes one document which all environments share; nothing to do where it is so already. */
export function writeProjectDocument<K extends DocumentKind, A>(
  project: ProjectState,
  { kind, key, action, before, after, view, raises = [projectStream(project)] }: DocumentEdit<K, A>,
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
    documents: [{ kind, project: project.key, key, body: asJson(after) }],
    ...(before === undefined ? {} : { before: asJson(before.body) }),
    after: asJson(after),
    answer: view({ body: after, revision }),
    revision,
  };
}

/** Fields set to `null` are cleared. */
export function withoutNulls<T extends object>(document: T): { [K in keyof T]: Exclude<T[K], null> } {
  const entries = Object.entries(document).filter(([, value]) => value !== null && value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], null> };
}
