import type { Session } from "@belay/protocol";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import { type Actor, ROLES } from "../access/identity.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { FillRandom } from "../flags/salts.ts";
import { originOf } from "../http/commands.ts";
import { ProblemError } from "../http/problem.ts";
import { clearCookie, cookieOf, readCookie, sealCookie, setCookie } from "./cookie.ts";
import { endSession, newSession, SESSION_IDLE_MS, startSession } from "./domain.ts";
import type { OwnPages } from "./own-pages.ts";

export interface SessionDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly pages: OwnPages;
  readonly fillRandom: FillRandom;
  readonly now: () => number;
}

const PATH = "/api/v1/session";
const tags: readonly string[] = ["session"];

/** Signing a browser in and out, and who one is. */
export const sessionRoutes: FastifyPluginAsync<SessionDoors> = async (app, doors) => {
  const { access, control, pages, fillRandom, now } = doors;

  app.post(
    PATH,
    {
      onRequest: access.role("viewer"),
      schema: { tags, summary: "Sign in: gives a session cookie for the token of the `authorization` header" },
    },
    async (request, reply) => {
      const actor = actorOf(request);
      // A session cannot beget another: it would outlive its own end.
      if (actor.session !== undefined) throw new ProblemError("unauthenticated");
      const session = newSession(fillRandom);
      const isHttps = pages.isHttps(request);
      const replaces = readCookie(cookieOf(request, isHttps) ?? "")?.id;
      const started = await control.execute({
        origin: originOf(request),
        decide: (workspace, at) =>
          startSession(workspace, { token: actor.id, session, ...(replaces === undefined ? {} : { replaces }) }, at),
      });
      if (started.status !== "done") throw new ProblemError("internal");
      setCookie(reply, sealCookie({ ...session.cookie, seenAtMs: now() }, session.seal), isHttps, SESSION_IDLE_MS);
      const { endsAtMs } = started.answer;
      return reply.code(201).send(sessionView({ ...actor, session: { id: session.cookie.id, endsAtMs } }));
    },
  );

  app.get(
    PATH,
    { onRequest: access.role("viewer"), schema: { tags, summary: "Who this is, and what they may do" } },
    async (request, reply) => {
      reply.header("cache-control", "no-store");
      return sessionView(actorOf(request));
    },
  );

  app.delete(
    PATH,
    { onRequest: access.role("viewer"), schema: { tags, summary: "Sign out: ends the session on every server" } },
    async (request, reply) => {
      const { session } = actorOf(request);
      if (session !== undefined) {
        await control.execute({ origin: originOf(request), decide: (workspace) => endSession(workspace, session.id) });
      }
      clearCookie(reply, pages.isHttps(request));
      return reply.code(204).send();
    },
  );
};

function actorOf({ actor }: FastifyRequest): Actor {
  if (actor === undefined) throw new ProblemError("unauthenticated");
  return actor;
}

function sessionView({ id, name, role, projects, environments, session }: Actor): Session {
  return {
    actor: { id, name },
    roles: ROLES.slice(0, ROLES.indexOf(role) + 1),
    ...(projects === undefined ? {} : { projects }),
    ...(environments === undefined ? {} : { environments }),
    ...(session === undefined ? {} : { endsAt: new Date(session.endsAtMs).toISOString() }),
  };
}
