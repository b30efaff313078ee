import { ppmFromPercent } from "@belay/core";
import type { Emergency, FlagTargeting } from "@belay/protocol";
import { EmergencySchema, FlagTargetingSchema } from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Decision } from "../control/decision.ts";
import { lowerRollout, setEnabled } from "../flags/targeting.ts";
import { type PlaceParams, placeOf } from "../flags/targeting-routes.ts";
import { targetingView } from "../flags/views.ts";
import { answerWrite, originOf } from "../http/commands.ts";
import { etagOf } from "../http/etag.ts";
import { pathParams } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { Workspace } from "../state/workspace.ts";
import type { Emergencies } from "./emergencies.ts";
import { isUnwritable, markUnkept } from "./unwritable.ts";

/** Showing less, whatever is away. */
export function emergencyDoors(emergencies: Emergencies): (access: Access, control: ControlPlane) => FastifyPluginAsync {
  return (access, control) => async (app) => {
    app.post<{ Params: PlaceParams; Body: Emergency }>(
      "/api/v1/projects/:project/environments/:environment/flags/:flag/emergency",
      {
        onRequest: access.role("operator"),
        schema: {
          tags: ["targeting"],
          summary:
            "Switch a flag off, or lower its rollout, also while the change log is away: 202 where this server serves it so and the log will have it when it is back; belay-kept: no where a restart of it forgets that",
          params: pathParams("project", "environment", "flag"),
          body: EmergencySchema,
          response: { 200: FlagTargetingSchema, 202: FlagTargetingSchema },
        },
      },
      async (request, reply) => {
        const { percentage } = request.body;
        const decide = (workspace: Workspace): Decision<FlagTargeting> => {
          const place = placeOf(workspace, request.params);
          return percentage === undefined ? setEnabled(place, false) : lowerRollout(place, percentage);
        };
        try {
          return await answerWrite(control, request, reply, { decide });
        } catch (error) {
          if (!isUnwritable(error)) throw error;
        }
        const decision = decide(control.workspace);
        if (decision.kind === "refused") throw new ProblemError(decision.code, decision.data);
        const ppm = percentage === undefined ? undefined : ppmFromPercent(percentage);
        markUnkept(reply, await emergencies.lower(request.params, originOf(request), ppm));
        const { project, environment, flag } = placeOf(control.workspace, request.params);
        const held = environment.targetings.get(flag);
        if (held === undefined) throw new ProblemError("flag_not_found", { key: flag });
        reply.code(202).header("etag", etagOf(environment.revision));
        return targetingView(project, environment, flag, held);
      },
    );
  };
}
