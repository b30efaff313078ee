import { ERRORS } from "@belay/protocol";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, RouteOptions } from "fastify";
import type { AccessHook } from "../access/access.ts";
import { SHARED_SCHEMAS } from "./validation.ts";

/** The description of every door at `/docs` and `/docs/json`. Register before the routes. */
export async function installOpenApi(app: FastifyInstance): Promise<void> {
  for (const schema of [...SHARED_SCHEMAS, PROBLEM]) app.addSchema(schema);
  app.addHook("onRoute", declareAccess);
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "Belay",
        version: "0.1.0",
        description: "Feature flags and experiments. Every error is a problem document whose `code` is one of the list below.",
      },
      components: {
        securitySchemes: {
          token: { type: "http", scheme: "bearer", description: "An access token, for /api" },
          session: { type: "apiKey", in: "cookie", name: "belay", description: "A signed-in browser; `__Host-belay` over https" },
          sdkKey: { type: "http", scheme: "bearer", description: "An SDK key, for /sdk and /ofrep" },
          relayKey: { type: "http", scheme: "bearer", description: "An SDK key of kind `relay`, for /relay" },
        },
      },
    },
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => (typeof json["$id"] === "string" ? json["$id"] : `def-${index}`),
    },
  });
  await app.register(swaggerUi, { routePrefix: "/docs", logLevel: "warn" });
}

const PROBLEM = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.Unsafe({ type: "string", enum: Object.keys(ERRORS) }),
    hint: Type.String(),
    field: Type.Optional(Type.String()),
  },
  { $id: "Problem" },
);

const REFUSED = {
  description: "Refused",
  content: { "application/problem+json": { schema: Type.Ref("Problem#") } },
};

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
