import type { EpochMs, SdkKey, SdkKeyCreated, SdkKeyCreation, Token, TokenCreated, TokenCreation } from "@belay/protocol";
import { asJson, type Decision, refuse } from "../control/decision.ts";
import { projectStream } from "../control/streams.ts";
import type { Held, PlacedSdkKey, ProjectState, SdkKeyDocument, TokenDocument, Workspace } from "../state/workspace.ts";
import type { NewSecret } from "./secrets.ts";

/**
 * Rules of SDK keys and access tokens: pure, `(state, command) -> decision`. The hash of a secret is in its document and
 * nowhere else: not in the audit log, not in an answer. A key raises its project, not its environment: what SDKs hold
 * stays as it is.
 */

export function sdkKeyView({ id, project, document }: PlacedSdkKey): SdkKey {
  const { hash: _, previous, ...shown } = document;
  return { id, project, ...shown, ...(previous === undefined ? {} : { previousUntil: new Date(previous.until).toISOString() }) };
}

export function tokenView(id: string, { body }: Held<TokenDocument>): Token {
  const { hash: _, ...shown } = body;
  return { id, ...shown };
}

export function createSdkKey(
  project: ProjectState,
  { environment, kind, name = kind }: SdkKeyCreation,
  { id, secret, hash }: NewSecret,
  createdAt: string,
): Decision<SdkKeyCreated> {
  if (!project.environments.has(environment)) {
    const allowed = [...project.environments.keys()];
    return refuse("environment_not_found", { field: "environment", key: environment, allowed });
  }
  const document: SdkKeyDocument = { environment, kind, name, hash, createdAt, revoked: false };
  const shown = sdkKeyView({ id, project: project.key, document });
  return {
    kind: "edit",
    action: "key.create",
    stream: { project: project.key },
    target: { kind: "sdk-key", key: id },
    raises: [projectStream(project)],
    documents: [{ kind: "sdk-key", project: project.key, key: id, body: asJson(document) }],
    after: asJson(shown),
    answer: { ...shown, secret },
    revision: project.revision + 1,
  };
}

/** A new secret for a key; the one of now goes on working for a while, an older one ends. */
export function rotateSdkKey(
  workspace: Workspace,
  project: ProjectState,
  { id, secret, hash }: NewSecret,
  { overlapHours = 24, now }: { readonly overlapHours?: number | undefined; readonly now: EpochMs },
): Decision<SdkKeyCreated> {
  const placed = workspace.sdkKeys.get(id);
  if (placed === undefined || placed.project !== project.key) return refuse("key_not_found", { key: id });
  if (placed.document.revoked) return refuse("wrong_status", { key: id, current: "revoked", needed: "live" });
  const { previous: _, ...rest } = placed.document;
  const previous = { hash: placed.document.hash, until: now + overlapHours * HOUR_MS };
  const document: SdkKeyDocument = { ...rest, hash, ...(overlapHours === 0 ? {} : { previous }) };
  const after = sdkKeyView({ ...placed, document });
  return {
    kind: "edit",
    action: "key.rotate",
    stream: { project: project.key },
    target: { kind: "sdk-key", key: id },
    raises: [projectStream(project)],
    documents: [{ kind: "sdk-key", project: project.key, key: id, body: asJson(document) }],
    before: asJson(sdkKeyView(placed)),
    after: asJson(after),
    answer: { ...after, secret },
    revision: project.revision + 1,
  };
}

const HOUR_MS = 3_600_000;

/** Ends a key for good; streams it opened are cut. */
export function revokeSdkKey(workspace: Workspace, project: ProjectState, id: string): Decision<SdkKey> {
  const placed = workspace.sdkKeys.get(id);
  if (placed === undefined || placed.project !== project.key) return refuse("key_not_found", { key: id });
  if (placed.document.revoked) return { kind: "unchanged", answer: sdkKeyView(placed), revision: project.revision };
  const document: SdkKeyDocument = { ...placed.document, revoked: true };
  const after = sdkKeyView({ ...placed, document });
  return {
    kind: "edit",
    action: "key.revoke",
    stream: { project: project.key },
    target: { kind: "sdk-key", key: id },
    raises: [projectStream(project)],
    documents: [{ kind: "sdk-key", project: project.key, key: id, body: asJson(document) }],
    before: asJson(sdkKeyView(placed)),
    after: asJson(after),
    answer: after,
    revision: project.revision + 1,
  };
}

export function createToken(
  workspace: Workspace,
  { reason: _, expiresAt, ...draft }: TokenCreation,
  { id, secret, hash }: NewSecret,
  createdAt: string,
): Decision<TokenCreated> {
  const expiry = expiresAt === undefined ? undefined : Date.parse(expiresAt);
  if (expiry !== undefined && !Number.isFinite(expiry)) {
    return refuse("invalid_field", { field: "expiresAt", received: expiresAt, reason: "it is not an RFC 3339 time" });
  }
  const expires = expiry === undefined ? {} : { expiresAt: new Date(expiry).toISOString() };
  const document: TokenDocument = { ...draft, ...expires, hash, createdAt, revoked: false };
  const shown = tokenView(id, { body: document, revision: workspace.revision + 1 });
  return {
    kind: "edit",
    action: "token.create",
    stream: {},
    target: { kind: "token", key: id },
    raises: [{ revision: workspace.revision }],
    documents: [{ kind: "token", key: id, body: asJson(document) }],
    after: asJson(shown),
    answer: { ...shown, secret },
    revision: workspace.revision + 1,
  };
}

export function revokeToken(workspace: Workspace, id: string): Decision<Token> {
  const held = workspace.tokens.get(id);
  if (held === undefined) return refuse("token_not_found", { key: id });
  const before = tokenView(id, held);
  if (held.body.revoked) return { kind: "unchanged", answer: before, revision: held.revision };
  const document: TokenDocument = { ...held.body, revoked: true };
  return {
    kind: "edit",
    action: "token.revoke",
    stream: {},
    target: { kind: "token", key: id },
    raises: [{ revision: workspace.revision }],
    documents: [{ kind: "token", key: id, body: asJson(document) }],
    before: asJson(before),
    after: asJson({ ...before, revoked: true }),
    answer: { ...before, revoked: true },
    revision: workspace.revision + 1,
  };
}
