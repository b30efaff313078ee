import type { EpochMs } from "@belay/protocol";
import { secretFits } from "../access/secrets.ts";
import type { SessionDocument, Workspace } from "../state/workspace.ts";
import { cookieFits, readCookie, type SessionCookie } from "./cookie.ts";
import { SESSION_IDLE_MS, SESSION_RESEAL_MS } from "./domain.ts";

/** A session that was shown its cookie. */
export interface LiveSession {
  readonly document: SessionDocument;
  readonly cookie: SessionCookie;
  /** The cookie was sealed so long ago that its browser should have a newer one. */
  readonly isDue: boolean;
}

/** The session of a cookie; `undefined` when it is none, ended, too old or too long unused. */
export function liveSession(text: string, { sessions }: Workspace, now: EpochMs): LiveSession | undefined {
  const cookie = readCookie(text);
  const document = cookie === undefined ? undefined : sessions.get(cookie.id)?.body;
  const isSecret = secretFits(cookie?.secret ?? "", document?.hash);
  if (!isSecret || cookie === undefined || document === undefined || !cookieFits(text, document.seal)) return undefined;
  const isOver = document.endsAtMs <= now || cookie.seenAtMs + SESSION_IDLE_MS <= now;
  return isOver ? undefined : { document, cookie, isDue: cookie.seenAtMs + SESSION_RESEAL_MS <= now };
}
