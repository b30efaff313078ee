import type { CodePlacesDraft } from "@belay/protocol";
import { CodePlacesDraftSchema, CodePlacesSchema, pageSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { type PageQuery, PageQuerySchema, pathParams, projectOf, ReasonQuerySchema } from "../http/params.ts";
import { codePlacesView, deleteCodePlaces, putCodePlaces } from "./domain.ts";

export interface CodePlaceDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
}

interface RepositoryParams {
  readonly project: string;
  readonly repository: string;
}

const tags: readonly string[] = ["flags"];

/** Where code asks for flags, as scans of repositories say: what a stale flag costs to take out. */
export const codePlaceRoutes: FastifyPluginAsync<CodePlaceDoors> = async (app, { access, control }) => {
  const all = "/api/v1/projects/:project/code-places";

  app.get<{ Params: { readonly project: string }; Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(CodePlacesSchema) },
        summary: "List where code asks for flags, by repository",
        params: pathParams("project"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, query }) => {
      const { codePlaces } = projectOf(control.workspace, project);
      const keyed = [...codePlaces].map(([key, held]) => ({ key, ...codePlacesView(project, key, held) }));
      const { items, ...page } = pageByKey("code-places", keyed, query);
      return { items: items.map(({ key: _, ...view }) => view), ...page };
    },
  );

  app.put<{ Params: RepositoryParams; Body: CodePlacesDraft }>(
    `${all}/:repository`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: CodePlacesSchema },
        summary: "Say where the code of a repository asks for flags, in the place of what was said before",
        params: pathParams("project", "repository"),
        body: CodePlacesDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace, at) => {
          const { project, repository } = request.params;
          return putCodePlaces(projectOf(workspace, project), repository, request.body, new Date(at).toISOString());
        },
      }),
  );

  app.delete<{ Params: RepositoryParams }>(
    `${all}/:repository`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 204: Type.Null() },
        summary: "Forget a repository",
        params: pathParams("project", "repository"),
        querystring: ReasonQuerySchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace) => deleteCodePlaces(projectOf(workspace, request.params.project), request.params.repository),
      }),
  );
};
