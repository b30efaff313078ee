import type { CompileOptions } from "@belay/core";
import type { Movement, Preview, PreviewRequest, Targeting, TargetingDraft } from "@belay/protocol";
import { PreviewRequestSchema, PreviewSchema } from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import { rehearse } from "../control/consequence.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Decision } from "../control/decision.ts";
import { editFlag } from "../flags/domain.ts";
import { reshuffleFlag } from "../flags/reshuffle.ts";
import { type Place, putTargeting, setRollout } from "../flags/targeting.ts";
import { type PlaceParams, placeOf } from "../flags/targeting-routes.ts";
import { pathParams } from "../http/params.ts";
import type { EnvironmentState } from "../state/workspace.ts";
import { leastMovement } from "./least-movement.ts";
import { definitionsOf, movementBetween } from "./movement.ts";

export interface PreviewDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly compile: CompileOptions;
}

/** Who would move if an edit were made. Nothing is. */
export const previewRoutes: FastifyPluginAsync<PreviewDoors> = async (app, { access, control, compile }) => {
  app.post<{ Params: PlaceParams; Body: PreviewRequest }>(
    "/api/v1/projects/:project/environments/:environment/flags/:flag/preview",
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: ["targeting"],
        response: { 200: PreviewSchema },
        summary: "Say which share of units an edit would move, before it is made",
        params: pathParams("project", "environment", "flag"),
        body: PreviewRequestSchema,
      },
    },
    async ({ params, body }): Promise<Preview> => {
      const { workspace } = control;
      const place = placeOf(workspace, params);
      const after = (decision: Decision<unknown>): EnvironmentState =>
        placeOf(rehearse(workspace, decision, compile), params).environment;
      const movementTo = (next: EnvironmentState): Movement =>
        movementBetween(definitionsOf(place.environment.snapshot), definitionsOf(next.snapshot), place.flag);
      const movement = movementTo(after(decisionOf(place, body)));
      const least = "targeting" in body ? leastDraft(place, body.targeting) : undefined;
      const leastNext = least === undefined ? undefined : after(putTargeting(place, { ...least, newEpoch: true }));
      const targeting = leastNext?.targetings.get(place.flag)?.body;
      const changed = leastNext === undefined ? undefined : movementTo(leastNext).changed;
      return {
        project: place.project.key,
        environment: place.environment.key,
        flag: place.flag,
        revision: place.environment.revision,
        ...movement,
        ...(targeting !== undefined && changed !== undefined && changed.max < movement.changed.max
          ? { leastMovement: { targeting, changed } }
          : {}),
      };
    },
  );
};

/** The edit as it would be decided; that it moves units between arms is what is asked, and no reason to refuse. */
function decisionOf(place: Place, body: PreviewRequest): Decision<unknown> {
  if ("rollout" in body) return setRollout(place, { ...body.rollout, newEpoch: true });
  if ("targeting" in body) return putTargeting(place, { ...body.targeting, newEpoch: true });
  if ("flag" in body) return editFlag(place.project, place.flag, body.flag);
  return reshuffleFlag(place.project, place.flag, { ...body.reshuffle, newEpoch: true });
}

function leastDraft({ environment, flag }: Place, draft: TargetingDraft): TargetingDraft | undefined {
  const live: Targeting | undefined = environment.targetings.get(flag)?.body;
  return live === undefined ? undefined : leastMovement(live, draft);
}
