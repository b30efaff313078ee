import { ERRORS } from "@belay/protocol";
import swagger from "@fastify/swagger";
import swaggerUi from "@fastify/swagger-ui";
import { Type } from "@sinclair/typebox";
import fastify, { type FastifyInstance, type RouteOptions } from "fastify";
import { withPrefixItems } from "./tuples.ts";
import { SHARED_SCHEMAS } from "./validation.ts";

export type DescribedRoute = Required<Pick<RouteOptions, "method" | "url" | "schema">>;

/** An app that describes routes and serves nothing else: the OpenAPI document at `/docs/json`, a page that shows it at `/docs`. */
export async function docPages(routes: readonly DescribedRoute[]): Promise<FastifyInstance> {
  const app = fastify({ exposeHeadRoutes: false, routerOptions: { maxParamLength: 512 } });
  // Nothing is asked at these routes: they are described.
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  for (const schema of [...SHARED_SCHEMAS, PROBLEM]) app.addSchema(schema);
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
    transformObject: (described) => withPrefixItems("openapiObject" in described ? described.openapiObject : {}),
    refResolver: {
      buildLocalReference: (json, _base, _fragment, index) => (typeof json["$id"] === "string" ? json["$id"] : `def-${index}`),
    },
  });
  await app.register(swaggerUi, { routePrefix: "/docs" });
  const isShown = ({ method, schema }: DescribedRoute): boolean =>
    method !== "HEAD" && !("hide" in schema && schema.hide === true);
  for (const route of routes.filter(isShown)) app.route({ ...route, handler: describedOnly });
  await app.ready();
  return app;
}

function describedOnly(): never {
  throw new Error("only described here");
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
