import type { EnvironmentCreation, ProjectCreation } from "@belay/protocol";
import {
  EnvironmentCreationSchema,
  EnvironmentSchema,
  ProjectCreationSchema,
  ProjectSchema,
  pageSchema,
} from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import { type Access, reaches, reachesProject } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { environmentOf, type PageQuery, PageQuerySchema, pathParams, projectOf } from "../http/params.ts";
import { createEnvironment, createProject, environmentView, projectView } from "./domain.ts";

export interface ProjectDoors {
  readonly access: Access;
  readonly control: ControlPlane;
}

const tags: readonly string[] = ["projects"];

/** Projects and their environments; a token sees those in its scope. */
export const projectRoutes: FastifyPluginAsync<ProjectDoors> = async (app, { access, control }) => {
  const all = "/api/v1/projects";
  const one = `${all}/:project`;
  const environments = `${one}/environments`;
  const params = pathParams("project");

  app.get<{ Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: pageSchema(ProjectSchema) }, summary: "List projects", querystring: PageQuerySchema },
    },
    async ({ actor, query }) => {
      const visible = [...control.workspace.projects.values()].filter(
        ({ key }) => actor !== undefined && reachesProject(actor, key),
      );
      return pageByKey("projects", visible.map(projectView), query);
    },
  );

  app.post<{ Body: ProjectCreation }>(
    all,
    {
      onRequest: access.role("admin"),
      schema: { tags, response: { 201: ProjectSchema }, summary: "Create a project", body: ProjectCreationSchema },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, now) => createProject(workspace, request.body, new Date(now).toISOString()),
      }),
  );

  app.get<{ Params: { project: string } }>(
    one,
    { onRequest: access.role("viewer"), schema: { tags, response: { 200: ProjectSchema }, summary: "Read a project", params } },
    async ({ params: { project } }) => projectView(projectOf(control.workspace, project)),
  );

  app.get<{ Params: { project: string }; Querystring: PageQuery }>(
    environments,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(EnvironmentSchema) },
        summary: "List environments",
        params,
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, actor, query }) => {
      const states = [...projectOf(control.workspace, project).environments.values()];
      const visible = states.filter(({ key }) => actor !== undefined && reaches(actor, key));
      return pageByKey(
        "environments",
        visible.map((environment) => environmentView(project, environment)),
        query,
      );
    },
  );

  app.post<{ Params: { project: string }; Body: EnvironmentCreation }>(
    environments,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 201: EnvironmentSchema },
        summary: "Create an environment in which every flag is off",
        params,
        body: EnvironmentCreationSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, now) =>
          createEnvironment(projectOf(workspace, request.params.project), request.body, new Date(now).toISOString()),
      }),
  );

  app.get<{ Params: { project: string; environment: string } }>(
    `${environments}/:environment`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: EnvironmentSchema },
        summary: "Read an environment and its revision",
        params: pathParams("project", "environment"),
      },
    },
    async ({ params: { project, environment } }) =>
      environmentView(project, environmentOf(projectOf(control.workspace, project), environment)),
  );
};
