import { createHmac, timingSafeEqual } from "node:crypto";
import type { EpochMs } from "@belay/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";

/**
 * The cookie of a session:
 *
 *     <id> . <secret> . <last seen, base 36 ms> . <HMAC-SHA256 over these three, by the session's seal>
 *
 * The id finds the session, the secret is compared by its hash, and the seal, which never leaves the server, keeps whoever
 * holds an old cookie from making it look fresh. So nothing is written while somebody works, and every server of one change
 * log comes to the same answer.
 */
export interface SessionCookie {
  readonly id: string;
  readonly secret: string;
  readonly seenAtMs: EpochMs;
}

/** Who read the whole change log could still not make one: it holds the hash of the secret only. */
export function sealCookie(cookie: SessionCookie, seal: string): string {
  const claim = `${cookie.id}.${cookie.secret}.${cookie.seenAtMs.toString(36)}`;
  return `${claim}.${signatureOf(claim, seal)}`;
}

/** What a cookie says of itself, to be believed once it fits; `undefined` for any other text. */
export function readCookie(text: string): SessionCookie | undefined {
  const match = COOKIE.exec(text);
  if (match === null) return undefined;
  const [, id = "", secret = "", seen = ""] = match;
  return { id, secret, seenAtMs: Number.parseInt(seen, 36) };
}

/** Was this cookie sealed so? In constant time. */
export function cookieFits(text: string, seal: string): boolean {
  const cut = text.lastIndexOf(".");
  const sent = Buffer.from(text.slice(cut + 1));
  const own = Buffer.from(signatureOf(text.slice(0, cut), seal));
  return sent.length === own.length && timingSafeEqual(sent, own);
}

const COOKIE = /^([a-z2-7]{12})\.([a-z2-7]{32})\.([0-9a-z]{1,10})\.[\w-]{43}$/;

/** The words before the claim keep this signature from ever meaning anything else. */
function signatureOf(claim: string, seal: string): string {
  return createHmac("sha256", seal).update(`belay session ${claim}`).digest("base64url");
}

/** Over https no page of another host or path can have set it: browsers take the prefix only from this very host. */
const SECURE_NAME = "__Host-belay";
const PLAIN_NAME = "belay";

/** The session cookie of a request. Over https the unprotected name is not looked at: a neighbour's http page may have set it. */
export function cookieOf(request: FastifyRequest, isHttps: boolean): string | undefined {
  return request.cookies[isHttps ? SECURE_NAME : PLAIN_NAME];
}

export function setCookie(reply: FastifyReply, text: string, isHttps: boolean, lifeMs: number): void {
  const maxAge = Math.floor(lifeMs / 1_000);
  reply.setCookie(isHttps ? SECURE_NAME : PLAIN_NAME, text, { ...ATTRIBUTES, secure: isHttps, maxAge });
}

export function clearCookie(reply: FastifyReply, isHttps: boolean): void {
  reply.clearCookie(isHttps ? SECURE_NAME : PLAIN_NAME, { ...ATTRIBUTES, secure: isHttps });
}

const ATTRIBUTES = { path: "/", httpOnly: true, sameSite: "strict" } as const;
