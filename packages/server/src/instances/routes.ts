import type { Instance, Receipt } from "@belay/protocol";
import { InstanceSchema, pageSchema, ReceiptSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import { pageByKey } from "../http/cursor.ts";
import { type PageQuery, PageQuerySchema, pathParams } from "../http/params.ts";
import type { InstanceRegistry } from "./registry.ts";

export interface InstanceDoors {
  readonly access: Access;
  readonly instances: InstanceRegistry;
}

/** Propagation receipts: SDKs say which revision they run, people read it. */
export const instanceRoutes: FastifyPluginAsync<InstanceDoors> = async (app, { access, instances }) => {
  receiptRoute(app, { access, instances });

  app.get<{ Params: { project: string }; Querystring: PageQuery }>(
    "/api/v1/projects/:project/instances",
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: ["instances"],
        response: { 200: pageSchema(InstanceSchema) },
        summary: "List running SDKs and the revision each decides with",
        params: pathParams("project"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, actor, query }) => {
      const visible = instances.of(project).filter(({ environment }) => actor !== undefined && reaches(actor, environment));
      const { items, ...page } = pageByKey(
        "instances",
        // One instance may run in two environments.
        visible.map((seen) => ({ key: `${seen.instance} ${seen.environment}`, ...seen })),
        query,
      );
      const views = items.map(
        ({ instance, sdk, environment, revision, seenAt, via }): Instance => ({
          instance,
          sdk,
          environment,
          revision,
          seenAt: new Date(seenAt).toISOString(),
          ...(via === undefined ? {} : { via }),
        }),
      );
      return { items: views, ...page };
    },
  );
};

/** `POST /sdk/v1/receipt`: what becomes of it is the registry's business, or the relay's. */
export function receiptRoute(
  app: FastifyInstance,
  { access, instances }: { readonly access: Pick<Access, "sdk">; readonly instances: Pick<InstanceRegistry, "note"> },
): void {
  app.post<{ Body: Receipt }>(
    "/sdk/v1/receipt",
    {
      onRequest: access.sdk,
      schema: {
        tags: ["sdk"],
        response: { 204: Type.Null() },
        summary: "Say which revision this instance decides with",
        body: ReceiptSchema,
      },
    },
    async (request, reply) => {
      if (request.sdk !== undefined) instances.note(request.sdk, request.body);
      return reply.code(204).send();
    },
  );
}
