import type { Session } from "@belay/protocol";
import { SessionSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import { type Actor, ROLES } from "../access/identity.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { originOf } from "../http/commands.ts";
import { ProblemError } from "../http/problem.ts";
import { clearCookie } from "./cookie.ts";
import { endSession } from "./domain.ts";
import type { OwnPages } from "./own-pages.ts";
import type { SignIn } from "./sign-in.ts";

export interface SessionDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly pages: OwnPages;
  readonly signIn: SignIn;
  /** People can sign in with accounts of their company too. */
  readonly hasOidc: boolean;
}

const PATH = "/api/v1/session";
const tags: readonly string[] = ["session"];

/** Signing a browser in and out, and who one is. */
export const sessionRoutes: FastifyPluginAsync<SessionDoors> = async (app, doors) => {
  const { access, control, pages, signIn, hasOidc } = doors;

  app.get(
    "/signin",
    {
      schema: {
        tags,
        response: {
          200: Type.Object({ token: Type.String(), oidc: Type.Optional(Type.String()) }, { additionalProperties: false }),
        },
        summary: "The ways to sign in",
      },
    },
    async () => ({
      token: PATH,
      ...(hasOidc ? { oidc: "/signin/oidc" } : {}),
    }),
  );

  app.post(
    PATH,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 201: SessionSchema },
        summary: "Sign in: gives a session cookie for the token of the `authorization` header",
      },
    },
    async (request, reply) => {
      const actor = actorOf(request);
      // A session cannot beget another: it would outlive its own end.
      if (actor.session !== undefined) throw new ProblemError("unauthenticated");
      const session = await signIn(request, reply, originOf(request));
      return reply.code(201).send(sessionView({ ...actor, session }));
    },
  );

  app.get(
    PATH,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: SessionSchema }, summary: "Who this is, and what they may do" },
    },
    async (request, reply) => {
      reply.header("cache-control", "no-store");
      return sessionView(actorOf(request));
    },
  );

  app.delete(
    PATH,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 204: Type.Null() }, summary: "Sign out: ends the session on every server" },
    },
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
