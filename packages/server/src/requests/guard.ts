/**
 * What stands between every edit and the log where an environment asks for approvals: an edit that may raise exposure
 * there is made only as a request that enough people approved, whatever route or rule made it. What raises is judged as
 * for the freeze.
 */
import { type Edit, type Refusal, refuse } from "../control/decision.ts";
import { raises } from "../releases/guard.ts";
import { isLive } from "../releases/states.ts";
import type { ProjectState, Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";

/** The strictest environment that an edit may raise exposure in, with the approvals it asks for. */
export interface Demand {
  readonly environment: string;
  readonly needed: number;
}

export function approvalRefusal(
  before: Workspace,
  after: Workspace,
  { documents, approved }: Pick<Edit<unknown>, "documents" | "approved">,
): Refusal | undefined {
  const demand = approvalsDemanded(before, after, documents);
  const given = approved?.approvals.length ?? 0;
  return demand === undefined || given >= demand.needed ? undefined : refuse("approval_required", { ...demand });
}

/** `undefined`: the edit needs nobody. */
export function approvalsDemanded(before: Workspace, after: Workspace, documents: readonly DocumentWrite[]): Demand | undefined {
  let strictest: Demand | undefined;
  for (const document of documents) {
    const [was, is] = [before.projects.get(document.project ?? ""), after.projects.get(document.project ?? "")];
    const demand = was === undefined || is === undefined ? undefined : demandOf(was, is, document, documents);
    if (demand !== undefined && demand.needed > (strictest?.needed ?? 0)) strictest = demand;
  }
  return strictest;
}

function demandOf(
  before: ProjectState,
  after: ProjectState,
  document: DocumentWrite,
  documents: readonly DocumentWrite[],
): Demand | undefined {
  const { environment } = document;
  const concerned = environment === undefined ? [...before.environments.keys()] : [environment];
  const demand = strictestOf(before, concerned);
  if (demand === undefined || !raises(before, after, document)) return undefined;
  return isClimb(before, document, documents) ? undefined : demand;
}

/** The environment of these that asks for most approvals; `undefined` where none asks for any. */
function strictestOf({ environments }: ProjectState, keys: Iterable<string>): Demand | undefined {
  let strictest: Demand | undefined;
  for (const key of keys) {
    const needed = environments.get(key)?.document.body.approvalsRequired ?? 0;
    if (needed > (strictest?.needed ?? 0)) strictest = { environment: key, needed };
  }
  return strictest;
}

/** A release was approved as a whole when it started: it climbs by its own gates. */
function isClimb(
  { environments }: ProjectState,
  { kind, environment = "", key }: DocumentWrite,
  documents: readonly DocumentWrite[],
): boolean {
  if (kind !== "targeting") return false;
  const releases = environments.get(environment)?.releases;
  return documents.some((other) => {
    const release = other.kind === "release" && other.environment === environment ? releases?.get(other.key)?.body : undefined;
    return release !== undefined && release.flag === key && isLive(release.state);
  });
}
