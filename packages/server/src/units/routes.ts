import { EVENT_LIMITS } from "@belay/protocol";
import type { Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { originOf } from "../http/commands.ts";
import { pathParams, projectOf, ReasonQuerySchema } from "../http/params.ts";
import type { EventStore } from "../store/events/index.ts";
import { noteErasure, unitDigest } from "./domain.ts";

export interface UnitDoors {
  readonly access: Pick<Access, "role">;
  readonly control: Pick<ControlPlane, "execute">;
  readonly events: Pick<EventStore, "erase">;
}

interface Erasure {
  readonly unit: string;
  readonly reason?: string;
}

const ErasureSchema: Schema<Erasure> = Type.Object(
  {
    unit: Type.String({ minLength: 1, maxLength: EVENT_LIMITS.unitLength }),
    reason: Type.Optional(Type.String({ maxLength: 1_000 })),
  },
  { additionalProperties: false },
);

/** What was forgotten, and under which name the audit log has it. */
interface Erased {
  readonly events: number;
  readonly target: string;
}

const ErasedSchema: Schema<Erased> = Type.Object(
  {
    events: Type.Integer({ minimum: 0 }),
    target: Type.String({ description: "What the audit log calls the unit: a hash, never its name" }),
  },
  { additionalProperties: false },
);

const tags: readonly string[] = ["events"];

/** Forgetting what one unit did, in every environment of a project. */
export const unitRoutes: FastifyPluginAsync<UnitDoors> = async (app, { access, control, events }) => {
  /** The audit row comes first: nothing is ever gone that the log does not know of. Asked again, it forgets what came since. */
  async function erase(request: FastifyRequest, project: string, unit: string): Promise<Erased> {
    const decide = (workspace: ControlPlane["workspace"]) => noteErasure(projectOf(workspace, project), unit);
    await control.execute({ origin: originOf(request), decide });
    return { events: await events.erase(project, unit), target: unitDigest(project, unit) };
  }

  app.delete<{ Params: { project: string; unit: string } }>(
    "/api/v1/projects/:project/units/:unit",
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: ErasedSchema },
        summary: "Forget a unit's exposures and metric events",
        params: pathParams("project", "unit"),
        querystring: ReasonQuerySchema,
      },
    },
    (request) => erase(request, request.params.project, request.params.unit),
  );

  app.post<{ Params: { project: string }; Body: Erasure }>(
    "/api/v1/projects/:project/erasures",
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: ErasedSchema },
        summary: "The same for a unit of any length, which a path may not hold",
        params: pathParams("project"),
        body: ErasureSchema,
      },
    },
    (request) => erase(request, request.params.project, request.body.unit),
  );
};
