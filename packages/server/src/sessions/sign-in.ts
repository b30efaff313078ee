import type { FastifyReply, FastifyRequest } from "fastify";
import type { Origin } from "../control/command.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { FillRandom } from "../flags/salts.ts";
import { ProblemError } from "../http/problem.ts";
import { cookieOf, readCookie, sealCookie, setCookie } from "./cookie.ts";
import { newSession, SESSION_IDLE_MS, startSession } from "./domain.ts";
import type { OwnPages } from "./own-pages.ts";

/** Begins a session for the actor of `origin`, who was found to be who they say, and gives the reply its cookie. */
export type SignIn = (
  request: FastifyRequest,
  reply: FastifyReply,
  origin: Origin,
) => Promise<{ readonly id: string; readonly endsAtMs: number }>;

export function createSignIn(options: {
  readonly control: ControlPlane;
  readonly pages: OwnPages;
  readonly fillRandom: FillRandom;
  readonly now: () => number;
}): SignIn {
  const { control, pages, fillRandom, now } = options;
  return async (request, reply, origin) => {
    const { cookie, seal } = newSession(fillRandom);
    const isHttps = pages.isHttps(request);
    // What the browser had before is ended: no cookie outlives a change of who is signed in, nor is one ever taken over.
    const replaces = readCookie(cookieOf(request, isHttps) ?? "")?.id;
    const command = { token: origin.actor.id, session: { cookie, seal }, ...(replaces === undefined ? {} : { replaces }) };
    const started = await control.execute({ origin, decide: (workspace, at) => startSession(workspace, command, at) });
    if (started.status !== "done") throw new ProblemError("internal");
    setCookie(reply, sealCookie({ ...cookie, seenAtMs: now() }, seal), isHttps, SESSION_IDLE_MS);
    return { id: cookie.id, endsAtMs: started.answer.endsAtMs };
  };
}
