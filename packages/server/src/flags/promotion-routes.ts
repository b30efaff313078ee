import type { CompileOptions } from "@belay/core";
import type { Promotion, PromotionDraft } from "@belay/protocol";
import { FlagTargetingSchema, KeySchema, PromotionDraftSchema, PromotionSchema, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import { rehearse } from "../control/consequence.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { environmentOf, pathParams } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { definitionsOf, movementBetween } from "../preview/movement.ts";
import type { EnvironmentState, ProjectState } from "../state/workspace.ts";
import { planPromotion, promoteFlag } from "./promotion.ts";
import { type PlaceParams, placeOf, targetingPrecondition } from "./targeting-routes.ts";

export interface PromotionDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly compile: CompileOptions;
}

const FromSchema: Schema<{ from: string }> = Type.Object({ from: KeySchema }, { additionalProperties: false });

const tags: readonly string[] = ["targeting"];

/** A flag's way from one environment to another: looked at, then made as it was looked at. */
export const promotionRoutes: FastifyPluginAsync<PromotionDoors> = async (app, { access, control, compile }) => {
  const path = "/api/v1/projects/:project/environments/:environment/flags/:flag/promotion";
  const params = pathParams("project", "environment", "flag");

  app.get<{ Params: PlaceParams; Querystring: { from: string } }>(
    path,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: PromotionSchema },
        summary: "Say what promoting a flag from another environment would change",
        params,
        querystring: FromSchema,
      },
    },
    async (request): Promise<Promotion> => {
      const { workspace } = control;
      const place = placeOf(workspace, request.params);
      const source = sourceOf(request, place.project, request.query.from);
      const plan = planPromotion(place, source);
      if ("code" in plan) throw new ProblemError(plan.code, plan.data);
      const next = rehearse(workspace, promoteFlag(place, source, { plan: plan.plan, newEpoch: true }), compile);
      const { environment } = placeOf(next, request.params);
      const movement = movementBetween(
        definitionsOf(place.environment.snapshot),
        definitionsOf(environment.snapshot),
        place.flag,
      );
      return { ...plan, movement };
    },
  );

  app.post<{ Params: PlaceParams; Body: PromotionDraft }>(
    path,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: FlagTargetingSchema },
        summary: "Promote a flag from another environment as planned",
        params,
        body: PromotionDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: targetingPrecondition(request.params),
        decide: (workspace) => {
          const place = placeOf(workspace, request.params);
          return promoteFlag(place, sourceOf(request, place.project, request.body.from), request.body);
        },
      }),
  );
};

/** The environment promoted from; one outside the token's scope looks as if it did not exist, like those in paths. */
function sourceOf({ actor }: FastifyRequest, project: ProjectState, from: string): EnvironmentState {
  if (actor === undefined || !reaches(actor, from)) throw new ProblemError("environment_not_found", { key: from });
  return environmentOf(project, from);
}
