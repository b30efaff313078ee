import type { EpochMs } from "@belay/protocol";
import { reaches } from "../access/access.ts";
import { type Actor, ROLES } from "../access/identity.ts";
import { type Refusal, refuse } from "../control/decision.ts";
import type { RequestDocument, TokenDocument, Workspace } from "../state/workspace.ts";
import { OPERATIONS } from "./operations.ts";

/** Why somebody may not ask for an operation, decide on it or have it made; `undefined` when they may. */
export function authorityFault(
  actor: Pick<Actor, "role" | "environments">,
  { operation, environment, body }: Pick<RequestDocument, "operation" | "environment" | "body">,
): Refusal | undefined {
  const { role, reach, reads } = OPERATIONS[operation];
  if (ROLES.indexOf(actor.role) < ROLES.indexOf(role)) return refuse("forbidden", { needed: role });
  if (reach === "project" && actor.environments !== undefined) {
    return refuse("forbidden", { needed: `${role} for everything this changes` });
  }
  const hidden = [environment, ...reads(body)].find((key) => !reaches(actor as Actor, key));
  return hidden === undefined ? undefined : refuse("environment_not_found", { key: hidden });
}

/** May whoever asked for a request still ask for it? A token that was revoked, or ended, asks for nothing more. */
export function authorFault({ tokens }: Workspace, request: RequestDocument, now: EpochMs): Refusal | undefined {
  const document = tokens.get(request.author.id)?.body;
  if (document === undefined) return undefined;
  return isOver(document, now)
    ? refuse("forbidden", { needed: `a token of ${request.author.name} that is not over` })
    : authorityFault(document, request);
}

function isOver({ revoked, expiresAt }: TokenDocument, now: EpochMs): boolean {
  return revoked || (expiresAt !== undefined && Date.parse(expiresAt) <= now);
}
