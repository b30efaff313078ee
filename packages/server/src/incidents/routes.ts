import type { IncidentDraft } from "@belay/protocol";
import { IncidentDraftSchema, IncidentSchema, pageSchema, ReasonSchema } from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { type PageQuery, PageQuerySchema, pathParams, projectOf } from "../http/params.ts";
import { endIncident, incidentView, recordIncident } from "./domain.ts";

export interface IncidentDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
}

interface ProjectParams {
  readonly project: string;
}

const tags: readonly string[] = ["incidents"];

/** Stretches in which something else was wrong: results are shown with them, without them, and by whether they mattered. */
export const incidentRoutes: FastifyPluginAsync<IncidentDoors> = async (app, { access, control }) => {
  const all = "/api/v1/projects/:project/incidents";

  app.get<{ Params: ProjectParams; Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(IncidentSchema) },
        summary: "List incidents",
        params: pathParams("project"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, query }) => {
      const { incidents } = projectOf(control.workspace, project);
      const views = [...incidents].map(([key, held]) => incidentView(project, key, held));
      return pageByKey("incidents", views, query);
    },
  );

  app.post<{ Params: ProjectParams; Body: IncidentDraft }>(
    all,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 201: IncidentSchema },
        summary: "Record an incident, also one that is over",
        params: pathParams("project"),
        body: IncidentDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, at) =>
          recordIncident(projectOf(workspace, request.params.project), request.body, new Date(at).toISOString()),
      }),
  );

  app.post<{ Params: ProjectParams & { readonly incident: string }; Body: { reason?: string } }>(
    `${all}/:incident/end`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: IncidentSchema },
        summary: "Say that an incident is over",
        params: pathParams("project", "incident"),
        body: ReasonSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace, at) =>
          endIncident(projectOf(workspace, request.params.project), request.params.incident, new Date(at).toISOString()),
      }),
  );
};
