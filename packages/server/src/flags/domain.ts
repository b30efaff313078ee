import type { Flag, FlagCreation, FlagEdit, FlagKey, FlagType, Json, Targeting, VariantName } from "@belay/protocol";
import { asJson, type Decision, isSame, refuse } from "../control/decision.ts";
import { writeProjectDocument } from "../control/project-document.ts";
import { allStreams, projectStream } from "../control/streams.ts";
import { isLive } from "../releases/states.ts";
import { usersOfFlag } from "../state/users.ts";
import type { FlagDocument, FlagSpaces, Held, ProjectState } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { flagView } from "./views.ts";

/** Rules of what all environments share of a flag: pure, `(state, command) -> decision`. */

/** A flag not yet in the project, off for everybody in every environment. */
export function createFlag(
  project: ProjectState,
  { key, reason: _, by: __, ...draft }: FlagCreation,
  made: { readonly spaces: FlagSpaces; readonly createdAt: string },
): Decision<Flag> {
  if (project.flags.has(key)) return refuse("already_exists", { field: "key", key });
  const type = draft.type ?? "boolean";
  const variants = draft.variants ?? (type === "boolean" ? { on: true, off: false } : undefined);
  if (variants === undefined) {
    return refuse("invalid_field", { field: "variants", reason: `a ${type} flag has no variants of its own: name them` });
  }
  const flag: FlagDocument = {
    description: "",
    tags: [],
    kind: "release",
    clientSide: false,
    ...draft,
    type,
    variants,
    ...made,
    archived: false,
  };
  const targetings = [...project.environments.keys()].map(
    (environment): DocumentWrite => ({
      kind: "targeting",
      project: project.key,
      environment,
      key,
      body: asJson(firstTargeting(type, variants)),
    }),
  );
  return writeProjectDocument(project, {
    ...{ kind: "flag", key, action: "flag.create", after: flag, raises: allStreams(project), beside: targetings },
    view: (held) => flagView(project.key, key, held),
  });
}

/**
 * How a flag decides where nobody has set anything: enabled, and off for everybody until somebody raises its share.
 * Off is the false variant of a boolean flag, the first one of any other.
 */
export function firstTargeting(type: FlagType, variants: { readonly [name: VariantName]: Json }): Targeting {
  const names = Object.keys(variants);
  const off = (type === "boolean" ? names.find((name) => variants[name] === false) : undefined) ?? (names[0] as VariantName);
  return { enabled: true, off, rules: [], fallthrough: { variant: off } };
}

export function editFlag(project: ProjectState, key: FlagKey, { reason: _, ...edit }: FlagEdit): Decision<Flag> {
  const held = liveFlag(project, key);
  if ("code" in held) return held;
  const after = withoutCleared({ ...held.body, ...edit }) as unknown as FlagDocument;
  return replaceFlag(project, key, held, after, "flag.edit", !isSame(seenBySdks(after), seenBySdks(held.body)));
}

/** What of a flag SDKs are given: an edit of all else raises no environment's revision. */
export function seenBySdks({ variants, clientSide, archived, metadata = {} }: FlagDocument): object {
  return { variants, clientSide, archived, metadata };
}

/**
 * Archives a flag, after which SDKs do not know it, or brings it back with the salts and targetings it had. One that a running
 * experiment or release decides by stays: all its units would move, unnoticed by what is made of them.
 *
 * @param together flags that are archived in the same change: being in use by them is no reason to stay.
 */
export function archiveFlag(
  project: ProjectState,
  key: FlagKey,
  archived: boolean,
  together: readonly FlagKey[] = [],
): Decision<Flag> {
  const held = project.flags.get(key);
  if (held === undefined) return flagNotFound(project, key);
  const users = archived && !held.body.archived ? [...usersOfFlag(project, key, together), ...runningOn(project, key)] : [];
  if (users.length > 0) return refuse("in_use", { key, users: users.join(", ") });
  return replaceFlag(project, key, held, { ...held.body, archived }, archived ? "flag.archive" : "flag.restore", true);
}

/** What runs on a flag, in words, as a refusal quotes it. */
function runningOn({ experiments, environments }: ProjectState, flag: FlagKey): string[] {
  const tested = [...experiments].filter(([, { body }]) => body.flag === flag && body.status === "running");
  const released = [...environments].flatMap(([environment, { releases }]) =>
    [...releases].filter(([, { body }]) => body.flag === flag && isLive(body.state)).map(([key]) => `${key} in ${environment}`),
  );
  return [...tested.map(([key]) => `experiment ${key}`), ...released.map((release) => `release ${release}`)];
}

/** A flag that may be changed. */
export function liveFlag(project: ProjectState, key: FlagKey): Held<FlagDocument> | ReturnType<typeof refuse> {
  const held = project.flags.get(key);
  if (held === undefined) return flagNotFound(project, key);
  return held.body.archived ? refuse("archived", { key }) : held;
}

export function flagNotFound(project: ProjectState, key: FlagKey): ReturnType<typeof refuse> {
  const nearest = nearestKey(key, project.flags.keys());
  return refuse("flag_not_found", { key, ...(nearest === undefined ? {} : { nearest }) });
}

function replaceFlag(
  project: ProjectState,
  key: FlagKey,
  before: Held<FlagDocument>,
  after: FlagDocument,
  action: string,
  isSeenBySdks: boolean,
): Decision<Flag> {
  return writeProjectDocument(project, {
    ...{ kind: "flag", key, action, before, after },
    raises: isSeenBySdks ? allStreams(project) : [projectStream(project)],
    view: (held) => flagView(project.key, key, held),
  });
}

function withoutCleared(document: object): object {
  const isCleared = ([name, value]: [string, unknown]): boolean =>
    value === null || (name === "metadata" && Object.keys(value as object).length === 0);
  return Object.fromEntries(Object.entries(document).filter((entry) => !isCleared(entry)));
}

/** The key that differs least, if it differs little: a typo is the usual reason for a flag not found. */
function nearestKey(wanted: string, keys: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  // Of a key that differs in each of its characters nothing is meant.
  let least = Math.min(4, Math.ceil(wanted.length / 3) + 1, wanted.length);
  for (const key of keys) {
    const distance = Math.abs(key.length - wanted.length) < least ? editDistance(wanted, key) : least;
    if (distance < least) [nearest, least] = [key, distance];
  }
  return nearest;
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replaced));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
