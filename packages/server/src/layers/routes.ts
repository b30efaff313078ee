import type { HoldoutCreation, LayerCreation } from "@belay/protocol";
import {
  HoldoutCreationSchema,
  HoldoutSchema,
  LayerCreationSchema,
  LayerSchema,
  pageSchema,
  ReasonSchema,
} from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { type FillRandom, newSpaces } from "../flags/salts.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { type PageQuery, PageQuerySchema, pathParams, projectOf } from "../http/params.ts";
import { createHoldout, createLayer, endHoldout, holdoutView, layerView } from "./domain.ts";

export interface LayerDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly fillRandom: FillRandom;
}

interface ProjectParams {
  readonly project: string;
}

/** Spaces that experiments share: layers, in which they exclude each other, and holdouts, which none of them touches. */
export const layerRoutes: FastifyPluginAsync<LayerDoors> = async (app, { access, control, fillRandom }) => {
  const layers = "/api/v1/projects/:project/layers";
  const holdouts = "/api/v1/projects/:project/holdouts";
  const params = pathParams("project");

  app.get<{ Params: ProjectParams; Querystring: PageQuery }>(
    layers,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: ["layers"],
        response: { 200: pageSchema(LayerSchema) },
        summary: "List layers with the ranges experiments hold",
        params,
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, query }) => {
      const state = projectOf(control.workspace, project);
      const views = [...state.layers].map(([key, held]) => layerView(state, key, held));
      return pageByKey("layers", views, query);
    },
  );

  app.post<{ Params: ProjectParams; Body: LayerCreation }>(
    layers,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: ["layers"],
        response: { 201: LayerSchema },
        summary: "Create a layer: a space that experiments share",
        params,
        body: LayerCreationSchema,
      },
    },
    async (request, reply) => {
      const { split: space } = newSpaces(fillRandom, request.body.by);
      return answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, at) =>
          createLayer(projectOf(workspace, request.params.project), request.body, { space, createdAt: timeText(at) }),
      });
    },
  );

  app.get<{ Params: ProjectParams; Querystring: PageQuery }>(
    holdouts,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: ["holdouts"],
        response: { 200: pageSchema(HoldoutSchema) },
        summary: "List holdouts",
        params,
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, query }) => {
      const state = projectOf(control.workspace, project);
      const views = [...state.holdouts].map(([key, held]) => holdoutView(project, key, held));
      return pageByKey("holdouts", views, query);
    },
  );

  app.post<{ Params: ProjectParams; Body: HoldoutCreation }>(
    holdouts,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: ["holdouts"],
        response: { 201: HoldoutSchema },
        summary: "Keep a share of units out of new treatments: no experiment starts that takes them",
        params,
        body: HoldoutCreationSchema,
      },
    },
    async (request, reply) => {
      const { split: space } = newSpaces(fillRandom, request.body.by);
      return answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, at) =>
          createHoldout(projectOf(workspace, request.params.project), request.body, { space, createdAt: timeText(at) }),
      });
    },
  );

  app.post<{ Params: ProjectParams & { readonly holdout: string }; Body: { reason?: string } }>(
    `${holdouts}/:holdout/end`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: ["holdouts"],
        response: { 200: HoldoutSchema },
        summary: "End a holdout",
        params: pathParams("project", "holdout"),
        body: ReasonSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace, at) => endHoldout(projectOf(workspace, request.params.project), request.params.holdout, timeText(at)),
      }),
  );
};

const timeText = (ms: number): string => new Date(ms).toISOString();
