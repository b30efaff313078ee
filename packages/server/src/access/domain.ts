import type { EpochMs, SdkKey, SdkKeyCreated, SdkKeyCreation, Token, TokenCreated, TokenCreation } from "@belay/protocol";
import { asJson, type Decision, refuse } from "../control/decision.ts";
import { projectStream } from "../control/streams.ts";
import { momentOf, NO_MOMENT } from "../http/times.ts";
import type {
  Held,
  PlacedSdkKey,
  PreviousSecret,
  ProjectState,
  SdkKeyDocument,
  TokenDocument,
  Workspace,
} from "../state/workspace.ts";
import { FIRST_TOKEN_ID } from "./identity.ts";
import type { NewSecret } from "./secrets.ts";

/**
 * Rules of SDK keys and access tokens: pure, `(state, command) -> decision`. The hash of a secret is in its document and
 * nowhere else: not in the audit log, not in an answer. A key raises its project, not its environment: what SDKs hold
 * stays as it is.
 */

export function sdkKeyView({ id, project, document }: PlacedSdkKey): SdkKey {
  const { hash: _, previous, ...shown } = document;
  return { id, project, ...shown, ...previousUntil(previous) };
}

export function tokenView(id: string, { body }: Held<TokenDocument>): Token {
  const { hash: _, previous, ...shown } = body;
  return { id, ...shown, ...previousUntil(previous) };
}

function previousUntil(previous: PreviousSecret | undefined): { previousUntil?: string } {
  return previous === undefined ? {} : { previousUntil: new Date(previous.until).toISOString() };
}

/** A document with a new secret, beside which the one of now goes on working for a while; an older one ends. */
function withSecret<T extends { readonly previous?: PreviousSecret }>(
  document: T,
  { was, hash }: { readonly was: string; readonly hash: string },
  { overlapHours = 24, now }: Rotation,
): Omit<T, "previous"> & { hash: string; previous?: PreviousSecret } {
  const { previous: _, ...rest } = document;
  const previous = { hash: was, until: now + overlapHours * HOUR_MS };
  return { ...rest, hash, ...(overlapHours === 0 ? {} : { previous }) };
}

const HOUR_MS = 3_600_000;

export interface Rotation {
  readonly overlapHours?: number | undefined;
  readonly now: EpochMs;
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
  return writeSdkKey(project, { id, document, action: "key.create" }, (view) => ({ ...view, secret }));
}

/** A new secret for a key; the one of now goes on working for a while, an older one ends. */
export function rotateSdkKey(
  workspace: Workspace,
  project: ProjectState,
  { id, secret, hash }: NewSecret,
  rotation: Rotation,
): Decision<SdkKeyCreated> {
  const placed = workspace.sdkKeys.get(id);
  if (placed === undefined || placed.project !== project.key) return refuse("key_not_found", { key: id });
  if (placed.document.revoked) return refuse("wrong_status", { key: id, current: "revoked", needed: "live" });
  const document: SdkKeyDocument = withSecret(placed.document, { was: placed.document.hash, hash }, rotation);
  return writeSdkKey(project, { id, before: placed, document, action: "key.rotate" }, (view) => ({ ...view, secret }));
}

/** Ends a key for good; streams it opened are cut. */
export function revokeSdkKey(workspace: Workspace, project: ProjectState, id: string): Decision<SdkKey> {
  const placed = workspace.sdkKeys.get(id);
  if (placed === undefined || placed.project !== project.key) return refuse("key_not_found", { key: id });
  if (placed.document.revoked) return { kind: "unchanged", answer: sdkKeyView(placed), revision: project.revision };
  const document: SdkKeyDocument = { ...placed.document, revoked: true };
  return writeSdkKey(project, { id, before: placed, document, action: "key.revoke" }, (view) => view);
}

function writeSdkKey<A extends SdkKey>(
  project: ProjectState,
  written: { readonly id: string; readonly before?: PlacedSdkKey; readonly document: SdkKeyDocument; readonly action: string },
  answer: (view: SdkKey) => A,
): Decision<A> {
  const { id, before, document, action } = written;
  const after = sdkKeyView({ id, project: project.key, document });
  return {
    kind: "edit",
    action,
    stream: { project: project.key },
    target: { kind: "sdk-key", key: id },
    raises: [projectStream(project)],
    documents: [{ kind: "sdk-key", project: project.key, key: id, body: asJson(document) }],
    ...(before === undefined ? {} : { before: asJson(sdkKeyView(before)) }),
    after: asJson(after),
    answer: answer(after),
    revision: project.revision + 1,
  };
}

export function createToken(
  workspace: Workspace,
  { reason: _, expiresAt, ...draft }: TokenCreation,
  { id, secret, hash }: NewSecret,
  createdAt: string,
): Decision<TokenCreated> {
  const expiry = expiresAt === undefined ? undefined : momentOf(expiresAt);
  if (expiresAt !== undefined && expiry === undefined) {
    return refuse("invalid_field", { field: "expiresAt", received: expiresAt, reason: NO_MOMENT });
  }
  const expires = expiry === undefined ? {} : { expiresAt: new Date(expiry).toISOString() };
  const document: TokenDocument = { ...draft, ...expires, hash, createdAt, revoked: false };
  return writeToken(workspace, { id, document, action: "token.create" }, (view) => ({ ...view, secret }));
}

/** A new secret for a token; the one of now goes on working for a while, an older one ends. */
export function rotateToken(workspace: Workspace, { id, secret, hash }: NewSecret, rotation: Rotation): Decision<TokenCreated> {
  const held = workspace.tokens.get(id);
  if (held === undefined) return refuse("token_not_found", { key: id });
  const { body } = held;
  const current = unrotatable(id, body, rotation.now);
  if (current !== undefined || body.hash === undefined)
    return refuse("wrong_status", { key: id, current, needed: "live, with a secret made here" });
  const document: TokenDocument = withSecret(body, { was: body.hash, hash }, rotation);
  return writeToken(workspace, { id, before: held, document, action: "token.rotate" }, (view) => ({ ...view, secret }));
}

/** Why a token gets no new secret; `undefined` where it may. */
function unrotatable(id: string, { hash, revoked, expiresAt }: TokenDocument, now: EpochMs): string | undefined {
  if (revoked) return "revoked";
  if (expiresAt !== undefined && Date.parse(expiresAt) <= now) return "expired";
  // Every start would give it the secret of its environment variable again.
  if (id === FIRST_TOKEN_ID) return "set by BELAY_ADMIN_TOKEN";
  return hash === undefined ? "a person's, who signs in elsewhere" : undefined;
}

export function revokeToken(workspace: Workspace, id: string): Decision<Token> {
  const held = workspace.tokens.get(id);
  if (held === undefined) return refuse("token_not_found", { key: id });
  if (held.body.revoked) return { kind: "unchanged", answer: tokenView(id, held), revision: held.revision };
  const document: TokenDocument = { ...held.body, revoked: true };
  return writeToken(workspace, { id, before: held, document, action: "token.revoke" }, (view) => view);
}

/** The edit that writes one token: what the audit log keeps of it has no hash. @param answer made of what others may see of it */
export function writeToken<A>(
  { revision }: Workspace,
  written: {
    readonly id: string;
    readonly before?: Held<TokenDocument>;
    readonly document: TokenDocument;
    readonly action: string;
  },
  answer: (view: Token) => A,
): Decision<A> {
  const { id, before, document, action } = written;
  const after = tokenView(id, { body: document, revision: revision + 1 });
  return {
    kind: "edit",
    action,
    stream: {},
    target: { kind: "token", key: id },
    raises: [{ revision }],
    documents: [{ kind: "token", key: id, body: asJson(document) }],
    ...(before === undefined ? {} : { before: asJson(tokenView(id, before)) }),
    after: asJson(after),
    answer: answer(after),
    revision: revision + 1,
  };
}
