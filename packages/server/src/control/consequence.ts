import type { CompileOptions } from "@belay/core";
import { ProblemError } from "../http/problem.ts";
import { raiseRefusal } from "../releases/guard.ts";
import { amend } from "../state/amend.ts";
import type { Workspace } from "../state/workspace.ts";
import { storedBy } from "./command.ts";
import type { Decision, Edit } from "./decision.ts";
import { raised } from "./streams.ts";
import { verify } from "./verify.ts";

/**
 * The workspace an edit leads to. Pure.
 *
 * @throws ProblemError when a definition would be broken there.
 */
export function consequence(workspace: Workspace, edit: Edit<unknown>, options: CompileOptions): Workspace {
  const next = amend(workspace, { streams: raised(edit.raises), documents: storedBy(edit) });
  const fault = verify(next, edit.documents, options) ?? raiseRefusal(workspace, next, edit.documents);
  if (fault !== undefined) throw new ProblemError(fault.code, fault.data);
  return next;
}

/**
 * What a decision would lead to, for whoever only looks: the workspace after it, nothing committed.
 *
 * @throws ProblemError for what the command itself would be refused for.
 */
export function rehearse(workspace: Workspace, decision: Decision<unknown>, options: CompileOptions): Workspace {
  if (decision.kind === "refused") throw new ProblemError(decision.code, decision.data);
  return decision.kind === "unchanged" ? workspace : consequence(workspace, decision, options);
}
