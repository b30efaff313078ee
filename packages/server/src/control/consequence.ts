import type { CompileOptions } from "@belay/core";
import { ProblemError } from "../http/problem.ts";
import { raiseRefusal } from "../releases/guard.ts";
import { approvalRefusal } from "../requests/guard.ts";
import { amend } from "../state/amend.ts";
import type { Workspace } from "../state/workspace.ts";
import { storedBy } from "./command.ts";
import type { Decision, Edit, Refusal } from "./decision.ts";
import { raised } from "./streams.ts";
import { verify } from "./verify.ts";

/**
 * The workspace an edit leads to. Pure.
 *
 * @throws ProblemError when a definition would be broken there, or the edit may not be made now.
 */
export function consequence(workspace: Workspace, edit: Edit<unknown>, options: CompileOptions): Workspace {
  const next = outlook(workspace, edit, options);
  if ("code" in next) throw new ProblemError(next.code, next.data);
  const fault = raiseRefusal(workspace, next, edit.documents) ?? approvalRefusal(workspace, next, edit);
  if (fault !== undefined) throw new ProblemError(fault.code, fault.data);
  return next;
}

/** The workspace an edit would lead to if it may be made, or why it would be broken: what a request for it is weighed by. */
export function outlook(workspace: Workspace, edit: Edit<unknown>, options: CompileOptions): Workspace | Refusal {
  const next = amend(workspace, { streams: raised(edit.raises), documents: storedBy(edit) });
  return verify(next, edit.documents, options) ?? next;
}

/**
 * What a decision would lead to, for whoever only looks: the workspace after it, nothing committed. A freeze, a release and
 * approvals say who may make an edit and when; they keep nobody from looking at it, who may want to ask for just that.
 *
 * @throws ProblemError for what the command itself would be refused for at any time.
 */
export function rehearse(workspace: Workspace, decision: Decision<unknown>, options: CompileOptions): Workspace {
  if (decision.kind === "refused") throw new ProblemError(decision.code, decision.data);
  const next = decision.kind === "unchanged" ? workspace : outlook(workspace, decision, options);
  if ("code" in next) throw new ProblemError(next.code, next.data);
  return next;
}
