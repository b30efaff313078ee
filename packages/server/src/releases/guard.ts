/**
 * What stands between every edit and the log besides `control/verify.ts`: while a project is frozen nothing may raise
 * exposure, and a flag that a release moves is raised by that release alone. Whatever route or rule made the edit, and
 * lowering always passes.
 */
import { isSame, type Refusal, refuse } from "../control/decision.ts";
import { firstTargeting } from "../flags/domain.ts";
import type { FlagDocument, ProjectState, Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { mayRaise } from "./exposure.ts";
import { openWindow } from "./gather.ts";
import { isLive } from "./states.ts";

export function raiseRefusal(before: Workspace, after: Workspace, documents: readonly DocumentWrite[]): Refusal | undefined {
  for (const document of documents) {
    const [was, is] = [before.projects.get(document.project ?? ""), after.projects.get(document.project ?? "")];
    if (was === undefined || is === undefined) continue;
    const frozen = openWindow(is.freeze?.body);
    const owner = document.kind === "targeting" ? ownerOf(is, document, documents) : undefined;
    // Most edits meet neither: what they raise need not be found out.
    if ((frozen === undefined && owner === undefined) || !raises(was, is, document)) continue;
    if (frozen !== undefined) return refuse("frozen", { reason: frozen.reason, since: frozen.from, by: frozen.by });
    if (owner !== undefined) return refuse("release_owns_flag", { key: owner });
  }
  return undefined;
}

/** May a document as it was written show something new to anybody? */
export function raises(before: ProjectState, after: ProjectState, { kind, environment = "", key, body }: DocumentWrite): boolean {
  if (kind === "targeting") {
    const [was, is] = [before, after].map((project) => project.environments.get(environment)?.targetings.get(key)?.body);
    // What is being made is off for everybody, unless an import brings it as it is elsewhere.
    const flag = after.flags.get(key)?.body;
    return is !== undefined && flag !== undefined && mayRaise(was ?? firstTargeting(flag.type, flag.variants), is);
  }
  // What a condition or a space lets in cannot be told here: any other one may raise.
  if (kind === "segment") return body !== undefined && isOtherCondition(before, after, key);
  if (kind === "layer") return before.layers.has(key);
  if (kind === "holdout") return before.holdouts.has(key);
  if (kind === "flag") return before.flags.has(key) && raisesFlag(before, after, key);
  return false;
}

function isOtherCondition(before: ProjectState, after: ProjectState, key: string): boolean {
  const [was, is] = [before.segments.get(key)?.body.when, after.segments.get(key)?.body.when];
  return was !== undefined && is !== undefined && !isSame(was, is);
}

/**
 * Archiving takes a flag away; bringing it back, other values under its variants, units drawn anew, or showing it to browsers
 * that did not know it, are something new.
 */
function raisesFlag(before: ProjectState, after: ProjectState, key: string): boolean {
  const [was, is] = [before.flags.get(key)?.body, after.flags.get(key)?.body];
  if (was === undefined || is === undefined || is.archived) return false;
  return was.archived || (is.clientSide && !was.clientSide) || !isSame(seenOf(was), seenOf(is));
}

/** What decides who sees what of a flag, beside its targetings. */
const seenOf = ({ variants, spaces }: FlagDocument): object => ({ variants, spaces });

/** The live release that moves a flag, unless the edit is its own. */
function ownerOf(
  { environments }: ProjectState,
  { environment = "", key }: DocumentWrite,
  documents: readonly DocumentWrite[],
): string | undefined {
  const releases = environments.get(environment)?.releases ?? new Map();
  for (const [release, { body }] of releases) {
    const isOwn = documents.some((other) => other.kind === "release" && other.key === release);
    if (body.flag === key && isLive(body.state) && !isOwn) return release;
  }
  return undefined;
}
