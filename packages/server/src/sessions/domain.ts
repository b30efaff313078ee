import type { EpochMs } from "@belay/protocol";
import { hashSecret } from "../access/secrets.ts";
import { asJson, type Decision } from "../control/decision.ts";
import { type FillRandom, randomText } from "../flags/salts.ts";
import type { Held, SessionDocument, Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import type { SessionCookie } from "./cookie.ts";

/**
 * Rules of sessions: pure, `(state, command) -> decision`. A session stands for its token and never longer or further: who
 * may do what is read from the token at every request.
 */

/** A session nobody used for so long is over. */
export const SESSION_IDLE_MS: number = 12 * 3_600_000;

/** Used or not, a session is over after so long. */
export const SESSION_LIFE_MS: number = 7 * 24 * 3_600_000;

/** A cookie older than this is sealed anew while it is used. */
export const SESSION_RESEAL_MS: number = 5 * 60_000;

/** Signing in once more ends the oldest session of that token. */
export const SESSIONS_PER_TOKEN_MAX = 20;

export interface NewSession {
  readonly cookie: Omit<SessionCookie, "seenAtMs">;
  readonly seal: string;
}

export function newSession(fill: FillRandom): NewSession {
  return { cookie: { id: randomText(12, fill), secret: randomText(32, fill) }, seal: randomText(32, fill) };
}

/** Begins a session for a token; those that are over go with it, and so does the one its browser had before. */
export function startSession(
  workspace: Workspace,
  { token, session, replaces }: { readonly token: string; readonly session: NewSession; readonly replaces?: string },
  now: EpochMs,
): Decision<SessionDocument> {
  const { cookie, seal } = session;
  const document: SessionDocument = {
    token,
    hash: hashSecret(cookie.secret),
    seal,
    startedAtMs: now,
    endsAtMs: now + SESSION_LIFE_MS,
  };
  const gone = overflowing(workspace, token, replaces, now).map(removal);
  return {
    kind: "edit",
    action: "session.start",
    stream: {},
    target: { kind: "session", key: cookie.id },
    raises: [{ revision: workspace.revision }],
    documents: [{ kind: "session", key: cookie.id, body: asJson(document) }, ...gone],
    after: asJson({ token, endsAt: new Date(document.endsAtMs).toISOString() }),
    answer: document,
    revision: workspace.revision + 1,
  };
}

export function endSession(workspace: Workspace, id: string): Decision<undefined> {
  const { revision } = workspace;
  const held = workspace.sessions.get(id);
  if (held === undefined) return { kind: "unchanged", answer: undefined, revision };
  return {
    kind: "edit",
    action: "session.end",
    stream: {},
    target: { kind: "session", key: id },
    raises: [{ revision }],
    documents: [removal(id)],
    before: asJson({ token: held.body.token, endsAt: new Date(held.body.endsAtMs).toISOString() }),
    answer: undefined,
    revision: revision + 1,
  };
}

/** The sessions that are over, the one that is replaced, and the oldest of a token that has as many as it may. */
function overflowing({ sessions }: Workspace, token: string, replaces: string | undefined, now: EpochMs): string[] {
  const isOver = ([id, { body }]: [string, Held<SessionDocument>]): boolean => id === replaces || body.endsAtMs <= now;
  const own = [...sessions].filter((entry) => entry[1].body.token === token && !isOver(entry));
  own.sort(([, a], [, b]) => a.body.startedAtMs - b.body.startedAtMs);
  const oldest = own.slice(0, Math.max(0, own.length + 1 - SESSIONS_PER_TOKEN_MAX));
  return [...[...sessions].filter(isOver), ...oldest].map(([id]) => id);
}

function removal(key: string): DocumentWrite {
  return { kind: "session", key };
}
