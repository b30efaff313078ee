import type { CumulativeReport, HoldoutReport } from "@belay/protocol";
import { CumulativeReportSchema, HoldoutReportSchema, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { readTime } from "../http/times.ts";
import type { ShippedService } from "./shipped-service.ts";

export interface ShippedDoors {
  readonly access: Pick<Access, "role">;
  readonly control: Pick<ControlPlane, "workspace">;
  readonly shipped: ShippedService;
}

interface MeasuredQuery {
  readonly environment: string;
  readonly metric: string;
}

interface CumulativeQuery extends MeasuredQuery {
  readonly holdout?: string;
  readonly from?: string;
  readonly until?: string;
}

const name = Type.String({ maxLength: 128 });
const time = Type.Optional(Type.String({ maxLength: 64, description: "RFC 3339; of the decision" }));

const MeasuredQuerySchema: Schema<MeasuredQuery> = Type.Unsafe<MeasuredQuery>(
  Type.Object({ environment: name, metric: name }, { additionalProperties: false }),
);

const CumulativeQuerySchema: Schema<CumulativeQuery> = Type.Unsafe<CumulativeQuery>(
  Type.Object(
    { environment: name, metric: name, holdout: Type.Optional(name), from: time, until: time },
    { additionalProperties: false },
  ),
);

interface ProjectParams {
  readonly project: string;
}

/** What all that shipped did together. */
export const shippedRoutes: FastifyPluginAsync<ShippedDoors> = async (app, { access, control, shipped }) => {
  app.get<{ Params: ProjectParams & { readonly holdout: string }; Querystring: MeasuredQuery }>(
    "/api/v1/projects/:project/holdouts/:holdout/results",
    {
      onRequest: access.role("viewer"),
      exposeHeadRoute: false,
      schema: {
        tags: ["holdouts"],
        summary: "Units kept out beside all the rest, by one metric as it is defined now",
        params: pathParams("project", "holdout"),
        querystring: MeasuredQuerySchema,
        response: { 200: HoldoutReportSchema },
      },
    },
    async (request, reply): Promise<HoldoutReport> => {
      assertReached(control, request);
      const found = await shipped.holdout({ ...request.params, ...request.query });
      reply.header("belay-lag-ms", found.lagMs).header("cache-control", "no-store");
      return found;
    },
  );

  app.get<{ Params: ProjectParams; Querystring: CumulativeQuery }>(
    "/api/v1/projects/:project/cumulative-effect",
    {
      onRequest: access.role("viewer"),
      exposeHeadRoute: false,
      schema: {
        tags: ["experiments"],
        summary: "What the experiments that shipped add up to, raw and shrunken, beside a holdout where one is named",
        params: pathParams("project"),
        querystring: CumulativeQuerySchema,
        response: { 200: CumulativeReportSchema },
      },
    },
    async (request, reply): Promise<CumulativeReport> => {
      assertReached(control, request);
      const { from, until, ...query } = request.query;
      const [fromMs, untilMs] = [readTime("from", from), readTime("until", until)];
      reply.header("cache-control", "no-store");
      return shipped.cumulative({
        ...request.params,
        ...query,
        ...(fromMs === undefined ? {} : { fromMs }),
        ...(untilMs === undefined ? {} : { untilMs }),
      });
    },
  );
};

/** An environment out of the caller's scope is not there. */
function assertReached(
  { workspace }: Pick<ControlPlane, "workspace">,
  { params, query: { environment }, actor }: FastifyRequest<{ Params: ProjectParams; Querystring: MeasuredQuery }>,
): void {
  const { environments } = projectOf(workspace, params.project);
  if (environments.has(environment) && actor !== undefined && reaches(actor, environment)) return;
  const allowed = [...environments.keys()].filter((key) => actor !== undefined && reaches(actor, key));
  throw new ProblemError("environment_not_found", { key: environment, allowed });
}
