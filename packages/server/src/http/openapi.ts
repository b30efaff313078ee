import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from "fastify";
import type { AccessHook } from "../access/access.ts";
import type { DescribedRoute } from "./doc-pages.ts";

/** Headers of a page or file that its reader needs; the others are for the connection it was never sent over. */
const PAGE_HEADERS = ["content-type", "location", "etag", "last-modified", "cache-control", "accept-ranges", "content-range"];

/**
 * The description of every door at `/docs` and `/docs/json`. Register before the routes. What it takes to write it and the
 * pages that show it is loaded when somebody first asks: few do, and every start and every idle server would pay.
 */
export function installOpenApi(app: FastifyInstance): void {
  const routes: DescribedRoute[] = [];
  app.addHook("onRoute", (route) => {
    declareAccess(route);
    routes.push({ method: route.method, url: route.url, schema: route.schema ?? {} });
  });
  let pages: Promise<FastifyInstance> | undefined;
  const show = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    pages ??= import("./doc-pages.ts").then(({ docPages }) => docPages(routes));
    const page = await (await pages).inject({ method: "GET", url: request.url, headers: request.headers });
    if (page.statusCode === 404) {
      reply.callNotFound();
      return reply;
    }
    for (const name of PAGE_HEADERS) if (page.headers[name] !== undefined) reply.header(name, page.headers[name]);
    return reply.code(page.statusCode).send(page.rawPayload);
  };
  for (const url of ["/docs", "/docs/*"]) app.get(url, { schema: { hide: true }, logLevel: "warn" }, show);
}

const REFUSED = {
  description: "Refused",
  content: { "application/problem+json": { schema: Type.Ref("Problem#") } },
};

const NO_QUERY = Type.Object({}, { additionalProperties: false });

/**
 * Moves each access hook before the body is read, wherever its route put it, and writes what it asks for into the
 * route's description. An `/api`, `/sdk`, `/ofrep` or `/relay` route without one does not start.
 */
function declareAccess(route: RouteOptions): void {
  const hook = [route.onRequest, route.preParsing, route.preValidation, route.preHandler].flat().find(isAccessHook);
  if (hook === undefined) {
    if (/^\/(api|sdk|ofrep|relay)(\/|$)/.test(route.url))
      throw new Error(`${route.method} ${route.url} does not say who may call it`);
    return;
  }
  const others = [route.onRequest ?? []].flat().filter((other) => other !== (hook as unknown));
  route.onRequest = [hook as never, ...others];
  route.schema = {
    // A route that takes no query takes none: what is meant to hold a write back must not be overlooked.
    ...(route.url.startsWith("/api/") ? { querystring: NO_QUERY } : {}),
    ...route.schema,
    ...securityOf(hook),
    response: { ...(route.schema?.response as object | undefined), "4xx": REFUSED },
  } as never;
}

function securityOf({ needs }: AccessHook): object {
  if (needs === "sdk") return { security: [{ sdkKey: [] }] };
  if (needs === "relay") return { security: [{ relayKey: [] }] };
  return { security: [{ token: [] }, { session: [] }], "x-role": needs };
}

function isAccessHook(hook: unknown): hook is AccessHook {
  return typeof hook === "function" && "needs" in hook;
}
