import { pageSchema, type Schema } from "@belay/protocol/schemas";
import type { FastifyInstance } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Held, ProjectState } from "../state/workspace.ts";
import { pageByKey } from "./cursor.ts";
import { type PageQuery, PageQuerySchema, pathParams, projectOf } from "./params.ts";

/** A list of documents of one kind that all environments of a project share. */
export interface ProjectList<T, V extends { readonly key: string }> {
  /** Its name in the path and in cursors: `/api/v1/projects/:project/<name>`. */
  readonly name: string;
  readonly tags: readonly string[];
  readonly summary: string;
  /** One of them, as `view` answers it. */
  readonly schema: Schema<V>;
  readonly documents: (project: ProjectState) => ReadonlyMap<string, Held<T>>;
  readonly view: (project: string, key: string, held: Held<T>) => V;
}

/** Lists them to whoever may look, in pages by key. */
export function listOfProject<T, V extends { readonly key: string }>(
  app: FastifyInstance,
  { access, control }: { readonly access: Pick<Access, "role">; readonly control: ControlPlane },
  { name, tags, summary, schema, documents, view }: ProjectList<T, V>,
): void {
  app.get<{ Params: { project: string }; Querystring: PageQuery }>(
    `/api/v1/projects/:project/${name}`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(schema) },
        summary,
        params: pathParams("project"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, query }) => {
      const held = [...documents(projectOf(control.workspace, project))];
      return pageByKey(
        name,
        held.map(([key, document]) => view(project, key, document)),
        query,
      );
    },
  );
}
