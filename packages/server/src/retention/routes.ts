import type { Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { pathParams, projectOf } from "../http/params.ts";
import {
  RETENTION_DAYS_DEFAULT,
  RETENTION_DAYS_MAX,
  RETENTION_DAYS_MIN,
  type Retention,
  retentionOf,
  setRetention,
} from "./domain.ts";

export interface RetentionDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
}

interface RetentionEdit extends Retention {
  readonly reason?: string;
}

const RetentionEditSchema: Schema<RetentionEdit> = Type.Object(
  {
    days: Type.Integer({
      minimum: RETENTION_DAYS_MIN,
      maximum: RETENTION_DAYS_MAX,
      description: `Days after which events are forgotten; ${RETENTION_DAYS_DEFAULT} until it is set`,
    }),
    reason: Type.Optional(Type.String({ maxLength: 1_000 })),
  },
  { additionalProperties: false },
);

const RetentionSchema: Schema<Retention> = Type.Object({ days: Type.Integer({ minimum: 1 }) }, { additionalProperties: false });

const tags: readonly string[] = ["events"];

/** For how long a project keeps its events. */
export const retentionRoutes: FastifyPluginAsync<RetentionDoors> = async (app, { access, control }) => {
  const path = "/api/v1/projects/:project/retention";
  const params = pathParams("project");

  app.get<{ Params: { project: string } }>(
    path,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: RetentionSchema }, summary: "For how many days events are kept", params },
    },
    async ({ params: { project } }) => retentionOf(projectOf(control.workspace, project)),
  );

  app.put<{ Params: { project: string }; Body: RetentionEdit }>(
    path,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: RetentionSchema },
        summary: "Set for how many days events are kept",
        params,
        body: RetentionEditSchema,
      },
    },
    (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace) => setRetention(projectOf(workspace, request.params.project), request.body),
      }),
  );
};
