import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { ControlPlane } from "../control/control-plane.ts";
import { ProblemError } from "../http/problem.ts";
import type { OwnPages } from "../sessions/own-pages.ts";
import type { SignIn } from "../sessions/sign-in.ts";
import { keepLeave, takeLeave } from "./leave-cookie.ts";
import { admitPerson, personOf } from "./person.ts";
import { CALLBACK_PATH, type OidcProvider } from "./provider.ts";

export interface OidcDoors {
  readonly control: ControlPlane;
  readonly provider: OidcProvider;
  readonly pages: OwnPages;
  readonly signIn: SignIn;
}

const tags: readonly string[] = ["session"];

/** Signing in with an account of the company: away to its provider, and back with a session. */
export const oidcRoutes: FastifyPluginAsync<OidcDoors> = async (app, { control, provider, pages, signIn }) => {
  app.get(
    "/signin/oidc",
    {
      schema: {
        tags,
        response: { 302: Type.Null({ description: "To the provider" }) },
        summary: "Sign in with an account of your company",
      },
    },
    async (request, reply) => {
      const { url, leave } = await provider.leave();
      keepLeave(reply, leave, pages.isHttps(request));
      return reply.header("cache-control", "no-store").redirect(url.href, 302);
    },
  );

  app.get(
    CALLBACK_PATH,
    {
      schema: {
        tags,
        response: { 302: Type.Null({ description: "To the console, signed in" }) },
        summary: "Where the provider sends people back: gives a session cookie",
        querystring: Type.Object({}, { additionalProperties: true }),
      },
    },
    async (request, reply) => {
      const leave = takeLeave(request, reply, pages.isHttps(request));
      if (leave === undefined) throw new ProblemError("sign_in_refused", { reason: "it did not begin in this browser" });
      const url = new URL(provider.redirectUri);
      url.search = new URL(request.url, provider.redirectUri).search;
      const person = personOf(await provider.arrive(url, leave), provider.settings);
      const origin = { actor: { id: person.id, name: person.name }, requestId: request.id };
      await control.execute({
        origin,
        decide: (workspace, now) => admitPerson(workspace, person, new Date(now).toISOString()),
      });
      await signIn(request, reply, origin);
      return reply.header("cache-control", "no-store").redirect("/", 302);
    },
  );
};
