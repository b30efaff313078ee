import { type CodePlace, type CodePlaces, type CodePlacesDraft, KEY_PATTERN, type PlaceInCode } from "@belay/protocol";
import { type Decision, refuse } from "../control/decision.ts";
import { deleteProjectDocument, writeProjectDocument } from "../control/project-document.ts";
import type { CodePlacesDocument, Held, ProjectState } from "../state/workspace.ts";

/** Where code asks for flags: pure, `(state, command) -> decision`. The server reads no source; whoever scans it says what was found. */

const KEY = new RegExp(KEY_PATTERN);

/** Repositories of one project. */
const REPOSITORIES_MAX = 100;

export function codePlacesView(project: string, repository: string, { body, revision }: Held<CodePlacesDocument>): CodePlaces {
  return { project, repository, ...body, revision };
}

/** Takes what a scan found in the place of what the one before found; nothing to do where it is the same of the same version. */
export function putCodePlaces(
  project: ProjectState,
  repository: string,
  { version, places }: CodePlacesDraft,
  at: string,
): Decision<CodePlaces> {
  const before = project.codePlaces.get(repository);
  if (!KEY.test(repository)) {
    return refuse("invalid_field", {
      field: "repository",
      received: repository,
      reason: "it is no key: letters, digits, dots, - and _",
    });
  }
  if (before === undefined && project.codePlaces.size >= REPOSITORIES_MAX) {
    const reason = `a project has ${REPOSITORIES_MAX} repositories at most: delete one`;
    return refuse("invalid_field", { field: "repository", received: repository, reason });
  }
  const found = { places: [...places].sort(byPlace), ...(version === undefined ? {} : { version }) };
  const isSame = before !== undefined && JSON.stringify(found) === JSON.stringify(foundIn(before.body));
  const after: CodePlacesDocument = { at: isSame ? before.body.at : at, ...found };
  const view = (held: Held<CodePlacesDocument>): CodePlaces => codePlacesView(project.key, repository, held);
  return writeProjectDocument(project, { kind: "code-places", key: repository, action: "code-places.put", before, after, view });
}

/** Forgets a repository: its code is scanned no more. */
export function deleteCodePlaces(project: ProjectState, repository: string): Decision<undefined> {
  const before = project.codePlaces.get(repository);
  if (before === undefined) {
    const allowed = [...project.codePlaces.keys()];
    return refuse("invalid_field", {
      field: "repository",
      received: repository,
      allowed,
      reason: "no such repository was scanned",
    });
  }
  return deleteProjectDocument(project, { kind: "code-places", key: repository, action: "code-places.delete", before });
}

/** Where code of any repository asks for a flag, in the order of repository, file and line. */
export function placesOf({ codePlaces }: Pick<ProjectState, "codePlaces">, flag: string): PlaceInCode[] {
  const repositories = [...codePlaces].sort(([a], [b]) => (a < b ? -1 : 1));
  return repositories.flatMap(([repository, { body }]) =>
    body.places.filter((place) => place.flag === flag).map(({ file, line }) => ({ repository, file, line })),
  );
}

function foundIn({ places, version }: CodePlacesDocument): object {
  return { places, ...(version === undefined ? {} : { version }) };
}

function byPlace(a: CodePlace, b: CodePlace): number {
  if (a.file !== b.file) return a.file < b.file ? -1 : 1;
  return a.line - b.line || (a.flag < b.flag ? -1 : Number(a.flag > b.flag));
}
