import type { ReleaseTemplateDraft } from "@belay/protocol";
import { ReleaseTemplateDraftSchema, ReleaseTemplateSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { answerWrite } from "../http/commands.ts";
import { etagOf } from "../http/etag.ts";
import { pathParams, projectOf, ReasonQuerySchema } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { listOfProject } from "../http/project-list.ts";
import { deleteTemplate, putTemplate, templateView } from "./templates.ts";

interface Params {
  readonly project: string;
  readonly template: string;
}

const tags: readonly string[] = ["releases"];

/** The ladders that a project uses again. */
export const templateRoutes: FastifyPluginAsync<{
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
}> = async (app, { access, control }) => {
  const all = "/api/v1/projects/:project/release-templates";
  const one = `${all}/:template`;
  const params = pathParams("project", "template");

  listOfProject(
    app,
    { access, control },
    {
      name: "release-templates",
      tags,
      summary: "List release templates",
      schema: ReleaseTemplateSchema,
      documents: ({ releaseTemplates }) => releaseTemplates,
      view: templateView,
    },
  );

  app.get<{ Params: Params }>(
    one,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: ReleaseTemplateSchema }, summary: "Read a release template", params },
    },
    async ({ params: { project, template } }, reply) => {
      const held = projectOf(control.workspace, project).releaseTemplates.get(template);
      if (held === undefined) throw new ProblemError("template_not_found", { key: template });
      reply.header("etag", etagOf(held.revision));
      return templateView(project, template, held);
    },
  );

  app.put<{ Params: Params; Body: ReleaseTemplateDraft }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: ReleaseTemplateSchema },
        summary: "Make a release template, or replace it",
        params,
        body: ReleaseTemplateDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: preconditionOf(request.params),
        decide: (workspace) => putTemplate(projectOf(workspace, request.params.project), request.params.template, request.body),
      }),
  );

  app.delete<{ Params: Params }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 204: Type.Null() },
        summary: "Delete a release template; releases made from it stay",
        params,
        querystring: ReasonQuerySchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: preconditionOf(request.params),
        decide: (workspace) => deleteTemplate(projectOf(workspace, request.params.project), request.params.template),
      }),
  );
};

function preconditionOf({ project, template }: Params): TargetPrecondition {
  return projectPrecondition({ project, kind: "release-template", key: template }, ({ releaseTemplates }) =>
    releaseTemplates.get(template),
  );
}
