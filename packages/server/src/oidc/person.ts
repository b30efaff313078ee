import { createHash } from "node:crypto";
import type { Role } from "@belay/protocol";
import { writeToken } from "../access/domain.ts";
import { type Decision, isSame, refuse } from "../control/decision.ts";
import { ProblemError } from "../http/problem.ts";
import type { TokenDocument, Workspace } from "../state/workspace.ts";
import type { Claims } from "./provider.ts";
import type { Grant, OidcSettings } from "./settings.ts";

/** Somebody the provider signed in, and what the settings grant them. */
export interface Person {
  /** Of the token that stands for them: made of issuer and subject, which never change, unlike names and addresses. */
  readonly id: string;
  readonly issuer: string;
  readonly name: string;
  readonly role: Role;
  readonly projects?: readonly string[];
  readonly environments?: readonly string[];
}

const NAME_LENGTH_MAX = 200;

/** @throws ProblemError `sign_in_refused` for whom the settings do not let in. */
export function personOf(claims: Claims, settings: OidcSettings): Person {
  const { iss, sub, name, email, email_verified: isVerified } = claims;
  const address = typeof email === "string" ? email.toLowerCase() : undefined;
  if (settings.domain !== undefined && !(isVerified === true && address?.split("@").at(-1) === settings.domain)) {
    throw new ProblemError("sign_in_refused", { reason: `only verified addresses of ${settings.domain} are let in` });
  }
  const grant = grantOf(claims[settings.roleClaim], settings.grants);
  if (grant === undefined) throw new ProblemError("sign_in_refused", { reason: "no role is granted to this account" });
  const { role, project, environment } = grant;
  return {
    id: `person-${createHash("sha256")
      .update(JSON.stringify([iss, sub]))
      .digest("hex")
      .slice(0, 32)}`,
    issuer: iss,
    name: (address ?? (typeof name === "string" ? name : sub)).slice(0, NAME_LENGTH_MAX),
    role,
    ...(project === undefined ? {} : { projects: [project] }),
    ...(environment === undefined ? {} : { environments: [environment] }),
  };
}

function grantOf(claim: unknown, grants: readonly Grant[]): Grant | undefined {
  const values = [claim].flat();
  return grants.find(({ value }) => value === "*" || values.includes(value));
}

/** Gives a person the token that stands for them, or brings it up to date. No secret opens it: only signing in does. */
export function admitPerson(workspace: Workspace, { id, ...granted }: Person, createdAt: string): Decision<undefined> {
  const held = workspace.tokens.get(id);
  if (held?.body.revoked === true) return refuse("sign_in_refused", { reason: "an admin revoked this person" });
  const document: TokenDocument = { ...granted, createdAt: held?.body.createdAt ?? createdAt, revoked: false };
  if (held !== undefined && isSame(held.body, document)) {
    return { kind: "unchanged", answer: undefined, revision: workspace.revision };
  }
  const written =
    held === undefined ? { id, document, action: "token.create" } : { id, before: held, document, action: "token.update" };
  return writeToken(workspace, written, () => undefined);
}
