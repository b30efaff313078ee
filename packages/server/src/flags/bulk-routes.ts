import type { BulkDraft } from "@belay/protocol";
import { BulkResultSchema, bulkDraftSchema } from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { environmentOf, pathParams, projectOf } from "../http/params.ts";
import { archiveFlags, switchFlags } from "./bulk.ts";

export interface BulkDoors {
  readonly access: Access;
  readonly control: ControlPlane;
}

/** One command for many flags. */
export const bulkRoutes: FastifyPluginAsync<BulkDoors> = async (app, { access, control }) => {
  app.post<{ Params: { project: string }; Body: BulkDraft<"archive" | "restore"> }>(
    "/api/v1/projects/:project/flags/bulk",
    {
      onRequest: access.role("editor"),
      schema: {
        tags: ["flags"],
        response: { 200: BulkResultSchema },
        summary: "Archive or restore many flags in one change",
        params: pathParams("project"),
        body: bulkDraftSchema(["archive", "restore"]),
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace) => {
          const { action, flags } = request.body;
          return archiveFlags(projectOf(workspace, request.params.project), flags, action === "archive");
        },
      }),
  );

  app.post<{ Params: { project: string; environment: string }; Body: BulkDraft<"enable" | "disable"> }>(
    "/api/v1/projects/:project/environments/:environment/flags/bulk",
    {
      onRequest: access.role("operator"),
      schema: {
        tags: ["targeting"],
        response: { 200: BulkResultSchema },
        summary: "Switch many flags on or off in one change",
        params: pathParams("project", "environment"),
        body: bulkDraftSchema(["enable", "disable"]),
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace) => {
          const project = projectOf(workspace, request.params.project);
          const { action, flags } = request.body;
          return switchFlags(project, environmentOf(project, request.params.environment), flags, action === "enable");
        },
      }),
  );
};
