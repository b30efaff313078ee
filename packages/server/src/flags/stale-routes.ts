import type { StaleRule } from "@belay/protocol";
import { StaleRuleReadSchema, StaleRuleSchema } from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { pathParams, projectOf } from "../http/params.ts";
import { setStaleRule, staleRuleOf } from "./lifecycle.ts";

export interface StaleDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
}

const tags: readonly string[] = ["flags"];

/** After how many days a project calls a flag stale. */
export const staleRoutes: FastifyPluginAsync<StaleDoors> = async (app, { access, control }) => {
  const path = "/api/v1/projects/:project/stale-rule";
  const params = pathParams("project");

  app.get<{ Params: { project: string } }>(
    path,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: StaleRuleReadSchema }, summary: "Read when flags count as stale", params },
    },
    async ({ params: { project } }) => staleRuleOf(projectOf(control.workspace, project)),
  );

  app.put<{ Params: { project: string }; Body: StaleRule }>(
    path,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: StaleRuleReadSchema },
        summary: "Say when flags count as stale",
        params,
        body: StaleRuleSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace) => setStaleRule(projectOf(workspace, request.params.project), request.body),
      }),
  );
};
