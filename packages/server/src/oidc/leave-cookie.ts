import type { FastifyReply, FastifyRequest } from "fastify";
import type { Leave } from "./provider.ts";

/**
 * The cookie between leaving for the provider and coming back. The provider sends people back from its own pages, so that
 * it is `Lax` where the session's is `Strict`. Over https its prefix keeps other hosts from planting theirs, which would sign
 * somebody in as somebody else.
 */
const name = (isHttps: boolean): string => (isHttps ? "__Host-belay-oidc" : "belay-oidc");

const LIFE_S = 600;

export function keepLeave(reply: FastifyReply, { state, nonce, verifier }: Leave, isHttps: boolean): void {
  const attributes = { path: "/", httpOnly: true, sameSite: "lax", secure: isHttps, maxAge: LIFE_S } as const;
  reply.setCookie(name(isHttps), [state, nonce, verifier].join("."), attributes);
}

/** What the browser left with, once: it is forgotten whatever comes of it. */
export function takeLeave(request: FastifyRequest, reply: FastifyReply, isHttps: boolean): Leave | undefined {
  const text = request.cookies[name(isHttps)];
  reply.clearCookie(name(isHttps), { path: "/", httpOnly: true, sameSite: "lax", secure: isHttps });
  const [state = "", nonce = "", verifier = "", ...more] = text?.split(".") ?? [];
  return state === "" || nonce === "" || verifier === "" || more.length > 0 ? undefined : { state, nonce, verifier };
}
