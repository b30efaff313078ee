import type { SegmentCreation, SegmentEdit } from "@belay/protocol";
import { pageSchema, SegmentCreationSchema, SegmentEditSchema, SegmentSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { type PageQuery, PageQuerySchema, pathParams, projectOf, ReasonQuerySchema } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { createSegment, deleteSegment, editSegment, segmentView } from "./domain.ts";

export interface SegmentDoors {
  readonly access: Access;
  readonly control: ControlPlane;
}

interface SegmentParams {
  readonly project: string;
  readonly segment: string;
}

const tags: readonly string[] = ["segments"];

/** Named conditions that the rules of many flags share. */
export const segmentRoutes: FastifyPluginAsync<SegmentDoors> = async (app, { access, control }) => {
  const all = "/api/v1/projects/:project/segments";
  const one = `${all}/:segment`;
  const params = pathParams("project", "segment");

  app.get<{ Params: { project: string }; Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(SegmentSchema) },
        summary: "List segments",
        params: pathParams("project"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project: key }, query }) => {
      const { segments } = projectOf(control.workspace, key);
      return pageByKey(
        "segments",
        [...segments].map(([segment, held]) => segmentView(key, segment, held)),
        query,
      );
    },
  );

  app.post<{ Params: { project: string }; Body: SegmentCreation }>(
    all,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 201: SegmentSchema },
        summary: "Create a segment",
        params: pathParams("project"),
        body: SegmentCreationSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, now) =>
          createSegment(projectOf(workspace, request.params.project), request.body, new Date(now).toISOString()),
      }),
  );

  app.get<{ Params: SegmentParams }>(
    one,
    { onRequest: access.role("viewer"), schema: { tags, response: { 200: SegmentSchema }, summary: "Read a segment", params } },
    async ({ params: { project: key, segment } }, reply) => {
      const held = projectOf(control.workspace, key).segments.get(segment);
      if (held === undefined) throw new ProblemError("segment_not_found", { key: segment });
      reply.header("etag", etagOf(held.revision));
      return segmentView(key, segment, held);
    },
  );

  app.put<{ Params: SegmentParams; Body: SegmentEdit }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: SegmentSchema },
        summary: "Edit a segment: every environment gets a new revision",
        params,
        body: SegmentEditSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: segmentPrecondition(request.params),
        decide: (workspace) => editSegment(projectOf(workspace, request.params.project), request.params.segment, request.body),
      }),
  );

  app.delete<{ Params: SegmentParams }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 204: Type.Null() },
        summary: "Delete a segment that nothing uses",
        params,
        querystring: ReasonQuerySchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: segmentPrecondition(request.params),
        decide: (workspace) => deleteSegment(projectOf(workspace, request.params.project), request.params.segment),
      }),
  );
};

function segmentPrecondition({ project, segment }: SegmentParams): TargetPrecondition {
  return projectPrecondition({ project, kind: "segment", key: segment }, ({ segments }) => segments.get(segment));
}
