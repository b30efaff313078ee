import type { IncomingHttpHeaders } from "node:http";
import type { EpochMs, Role } from "@belay/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import { ProblemError } from "../http/problem.ts";
import { cookieOf, sealCookie, setCookie } from "../sessions/cookie.ts";
import { SESSION_IDLE_MS } from "../sessions/domain.ts";
import type { OwnPages } from "../sessions/own-pages.ts";
import { type LiveSession, liveSession } from "../sessions/session.ts";
import type { PlacedSdkKey, SdkKeyDocument, TokenDocument, Workspace } from "../state/workspace.ts";
import { type Actor, FIRST_TOKEN_ID, ROLES, type SdkIdentity } from "./identity.ts";
import type { RateLimits } from "./rate-limits.ts";
import { readSecret, secretFits } from "./secrets.ts";
import { makeStreamToken, readStreamToken, streamTokenFits, windowOf } from "./stream-token.ts";
import type { UsedKind } from "./use-book.ts";

/** A hook that lets a request pass or throws a ProblemError; it says what it asks for, so that OpenAPI can list it. */
export type AccessHook = SdkHook | RelayHook | RoleHook;

export interface RelayHook {
  (request: FastifyRequest): Promise<void>;
  readonly needs: "relay";
}

export interface SdkHook {
  (request: FastifyRequest): Promise<void>;
  readonly needs: "sdk";
}

/** The reply gets the newer cookie of a session in use. */
export interface RoleHook {
  (request: FastifyRequest, reply: FastifyReply): Promise<void>;
  readonly needs: Role;
}

/** Who may call what. */
export interface Access {
  /** Takes an SDK key and sets `request.sdk`. */
  readonly sdk: SdkHook;
  /** Whose SDK key these headers show; `undefined` for whatever `sdk` refuses. */
  readonly known: (headers: IncomingHttpHeaders) => SdkIdentity | undefined;
  /** As `sdk`; the key may also come as `X-API-Key`. */
  readonly ofrep: SdkHook;
  /** Takes the key of a relay, which no other door takes, and sets `request.sdk`. */
  readonly relay: RelayHook;
  /** Takes a stream token in the query, for what cannot send headers, and sets `request.sdk`. */
  readonly stream: SdkHook;
  /** A stream token for the SDK key of a request that was let in. */
  readonly streamToken: (request: FastifyRequest) => string;
  /**
   * Takes an access token, or the session of a browser, with at least this role and sets `request.actor`. The route's `project` and `environment`
   * parameters must be in the token's scope; what is not looks as if it did not exist. A write to what all environments
   * share needs a token for all of them.
   */
  readonly role: (role: Role) => RoleHook;
}

export function createAccess(options: {
  readonly workspace: () => Workspace;
  readonly now: () => EpochMs;
  readonly pages: OwnPages;
  /** Told which key or token was let in. */
  readonly used: (kind: UsedKind, id: string) => void;
  /** Counts who shows a wrong secret; absent: nobody does. */
  readonly limits?: Pick<RateLimits, "countWrong">;
}): Access {
  const { workspace, now, pages, used, limits } = options;
  const hook = <A extends Asked, N extends AccessHook["needs"]>(
    needs: N,
    check: (...asked: A) => void,
  ): ((...asked: A) => Promise<void>) & { readonly needs: N } => Object.assign(counting(check, limits), { needs });
  return {
    sdk: hook("sdk", (request: FastifyRequest) => {
      request.sdk = ofApplication(sdkIdentity(bearer(request), workspace(), now()));
      used("sdk-key", request.sdk.id);
    }),
    known: ({ authorization }) => {
      const secret = bearerOf(authorization);
      const placed = secret === undefined ? undefined : liveSdkKey(secret, workspace(), now());
      if (placed === undefined || placed.document.kind === "relay") return undefined;
      used("sdk-key", placed.id);
      return identityOf(placed);
    },
    relay: hook("relay", (request: FastifyRequest) => {
      request.sdk = ofRelay(sdkIdentity(bearer(request), workspace(), now()));
      used("sdk-key", request.sdk.id);
    }),
    ofrep: hook("sdk", (request: FastifyRequest) => {
      request.sdk = ofApplication(sdkIdentity(apiKey(request) ?? bearer(request), workspace(), now()));
      used("sdk-key", request.sdk.id);
    }),
    stream: hook("sdk", (request: FastifyRequest) => {
      request.sdk = streamIdentity((request.query as { readonly token?: unknown }).token, workspace(), now());
    }),
    streamToken: ({ sdk }) => {
      const placed = workspace().sdkKeys.get(sdk?.id ?? "");
      if (placed === undefined) throw new ProblemError("unauthenticated");
      return streamTokenOf(placed, now());
    },
    role: (role) =>
      hook(role, (request: FastifyRequest, reply: FastifyReply) => {
        const { authorization } = request.headers;
        const actor =
          authorization === undefined
            ? signedIn(request, reply, { pages, workspace: workspace(), now: now() })
            : actorOf(bearer(request), workspace(), now());
        used("token", actor.id);
        assertScope(actor, role, request, workspace());
        request.actor = actor;
      }),
  };
}

/** Does the token reach this environment? */
export function reaches(actor: Actor, environment: string): boolean {
  return actor.environments === undefined || actor.environments.includes(environment);
}

export function reachesProject(actor: Actor, project: string): boolean {
  return actor.projects === undefined || actor.projects.includes(project);
}

type Asked = readonly [request: FastifyRequest, reply?: FastifyReply];

/** The check as a hook; a wrong secret is counted, and over the limit answered with 429. A right one costs nothing. */
function counting<A extends Asked>(
  check: (...asked: A) => void,
  limits: Pick<RateLimits, "countWrong"> | undefined,
): (...asked: A) => Promise<void> {
  return async (...asked) => {
    try {
      check(...asked);
    } catch (error) {
      const [request] = asked;
      if (limits !== undefined && isGuess(error, request)) await limits.countWrong(request);
      throw error;
    }
  };
}

function isGuess(error: unknown, { headers }: FastifyRequest): boolean {
  const isShown = headers.authorization !== undefined || headers["x-api-key"] !== undefined || headers.cookie !== undefined;
  return isShown && error instanceof ProblemError && error.code === "unauthenticated";
}

// Longer than any key or token; hashing what a stranger sends must cost little.
const BEARER_LENGTH_MAX = 512;

function bearer({ headers }: FastifyRequest): string {
  const secret = bearerOf(headers.authorization);
  if (secret === undefined) throw new ProblemError("unauthenticated");
  return secret;
}

function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization?.slice(0, BEARER_LENGTH_MAX) ?? "")?.[1];
}

function apiKey({ headers }: FastifyRequest): string | undefined {
  const sent = headers["x-api-key"];
  return typeof sent === "string" ? sent.slice(0, BEARER_LENGTH_MAX) : undefined;
}

function streamIdentity(token: unknown, { sdkKeys }: Workspace, now: EpochMs): SdkIdentity {
  const read = typeof token === "string" ? readStreamToken(token) : undefined;
  const placed = read === undefined ? undefined : sdkKeys.get(read.keyId);
  const isLive = placed?.document.revoked === false && read !== undefined && read.endsAtMs > now;
  const fits = (hash: string): boolean => streamTokenFits(token as string, hash);
  if (!isLive || !hashesOf(placed.document, now).some(fits)) throw new ProblemError("unauthenticated");
  return identityOf(placed);
}

// Signing costs as much as deciding fifty flags, and all tokens of a window are the same text.
const streamTokens = new WeakMap<SdkKeyDocument, { readonly window: number; readonly text: string }>();

function streamTokenOf({ id, document }: PlacedSdkKey, now: EpochMs): string {
  const window = windowOf(now);
  const known = streamTokens.get(document);
  if (known?.window === window) return known.text;
  const text = makeStreamToken(id, document.hash, now);
  streamTokens.set(document, { window, text });
  return text;
}

function sdkIdentity(secret: string, workspace: Workspace, now: EpochMs): SdkIdentity {
  const placed = liveSdkKey(secret, workspace, now);
  if (placed === undefined) throw refusal(liveToken(secret, workspace, now) !== undefined, "an SDK key");
  return identityOf(placed);
}

// A key's document is immutable, so whom it stands for is one object: others remember by it what belongs to the key.
const identities = new WeakMap<SdkKeyDocument, SdkIdentity>();

function identityOf({ id, project, document }: PlacedSdkKey): SdkIdentity {
  const known = identities.get(document);
  if (known !== undefined) return known;
  const { environment, kind } = document;
  const made: SdkIdentity = { id, project, environment, kind };
  identities.set(document, made);
  return made;
}

function ofApplication(identity: SdkIdentity): SdkIdentity {
  if (identity.kind === "relay") throw new ProblemError("wrong_key_kind", { needed: "an SDK key of an application" });
  return identity;
}

function ofRelay(identity: SdkIdentity): SdkIdentity {
  if (identity.kind !== "relay") throw new ProblemError("wrong_key_kind", { needed: "an SDK key of kind `relay`" });
  return identity;
}

function actorOf(secret: string, workspace: Workspace, now: EpochMs): Actor {
  const found = liveToken(secret, workspace, now);
  if (found === undefined) throw refusal(liveSdkKey(secret, workspace, now) !== undefined, "an access token");
  return actorBy(found);
}

/** A session stands for its token as the token is now. */
function signedIn(
  request: FastifyRequest,
  reply: FastifyReply,
  { pages, workspace, now }: { readonly pages: OwnPages; readonly workspace: Workspace; readonly now: EpochMs },
): Actor {
  const isHttps = pages.isHttps(request);
  const session = liveSession(cookieOf(request, isHttps) ?? "", workspace, now);
  const token = session === undefined ? undefined : workspace.tokens.get(session.document.token)?.body;
  if (session === undefined || token === undefined || !isLive(token, now)) throw new ProblemError("unauthenticated");
  pages.assertOwn(request);
  const { cookie, document } = session;
  if (session.isDue) setCookie(reply, resealed(session, now), isHttps, Math.min(SESSION_IDLE_MS, document.endsAtMs - now));
  const actor = actorBy({ id: document.token, document: token });
  return { ...actor, session: { id: cookie.id, endsAtMs: document.endsAtMs } };
}

function resealed({ cookie, document }: LiveSession, now: EpochMs): string {
  return sealCookie({ ...cookie, seenAtMs: now }, document.seal);
}

function actorBy({ id, document }: { readonly id: string; readonly document: TokenDocument }): Actor {
  const { name, role, projects, environments } = document;
  const scope = { ...(projects === undefined ? {} : { projects }), ...(environments === undefined ? {} : { environments }) };
  return { id, name, role, ...scope };
}

/** Who holds a good secret of the other kind is told so; everybody else learns nothing. */
function refusal(isOtherKind: boolean, needed: string): ProblemError {
  return isOtherKind ? new ProblemError("wrong_key_kind", { needed }) : new ProblemError("unauthenticated");
}

function liveSdkKey(secret: string, { sdkKeys }: Workspace, now: EpochMs): PlacedSdkKey | undefined {
  const read = readSecret(secret);
  const placed = read === undefined || read.prefix === "token" ? undefined : sdkKeys.get(read.id);
  const [hash, previous] = placed === undefined ? [] : hashesOf(placed.document, now);
  return fitsEither(secret, hash, previous) && placed?.document.revoked === false ? placed : undefined;
}

/** Of the secret, and of the one before while its rotation lets that work. */
function hashesOf({ hash, previous }: Pick<TokenDocument, "hash" | "previous">, now: EpochMs): string[] {
  const isOver = previous === undefined || previous.until <= now;
  return [...(hash === undefined ? [] : [hash]), ...(isOver ? [] : [previous.hash])];
}

function fitsEither(secret: string, hash: string | undefined, previous: string | undefined): boolean {
  return secretFits(secret, hash) || (previous !== undefined && secretFits(secret, previous));
}

function liveToken(secret: string, { tokens }: Workspace, now: EpochMs): { id: string; document: TokenDocument } | undefined {
  const id = readSecret(secret)?.id ?? FIRST_TOKEN_ID;
  const document = tokens.get(id)?.body;
  const [hash, previous] = document === undefined ? [] : hashesOf(document, now);
  if (!fitsEither(secret, hash, previous) || document === undefined) return undefined;
  return isLive(document, now) ? { id, document } : undefined;
}

function isLive({ revoked, expiresAt }: TokenDocument, now: EpochMs): boolean {
  return !revoked && (expiresAt === undefined || Date.parse(expiresAt) > now);
}

function assertScope(actor: Actor, role: Role, request: FastifyRequest, { projects }: Workspace): void {
  const { project, environment } = request.params as { readonly project?: string; readonly environment?: string };
  if (project !== undefined) {
    const state = projects.get(project);
    if (state === undefined || !reachesProject(actor, project)) throw new ProblemError("project_not_found", { key: project });
    if (environment !== undefined && (!state.environments.has(environment) || !reaches(actor, environment))) {
      throw new ProblemError("environment_not_found", { key: environment });
    }
  }
  const isRole = ROLES.indexOf(actor.role) >= ROLES.indexOf(role);
  if (!isRole || !isWideEnough(actor, role, request)) throw new ProblemError("forbidden", { needed: neededFor(role, isRole) });
}

/** A token for some environments may read what all share, but a write to it would reach the others too. */
function isWideEnough(actor: Actor, role: Role, request: FastifyRequest): boolean {
  const { project, environment } = request.params as { readonly project?: string; readonly environment?: string };
  const isEverywhere = actor.environments === undefined;
  if (project === undefined) return role !== "admin" || (isEverywhere && actor.projects === undefined);
  return isEverywhere || environment !== undefined || request.method === "GET" || request.method === "HEAD";
}

function neededFor(role: Role, isRole: boolean): string {
  return isRole ? `${role} for everything this changes` : role;
}
