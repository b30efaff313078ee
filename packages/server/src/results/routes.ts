import type { ResultsPopulation } from "@belay/protocol";
import type { Schema } from "@belay/protocol/schemas";
import { ExperimentResultsSchema, InteractionScreenSchema, oneOf } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { seen } from "../experiments/routes.ts";
import { pathParams, projectOf } from "../http/params.ts";
import { resultsCsv } from "./csv.ts";
import { REPORT_POLICY, resultsReport } from "./report.ts";
import type { ResultsService } from "./service.ts";

export interface ResultsDoors {
  readonly access: Pick<Access, "role">;
  readonly control: Pick<ControlPlane, "workspace">;
  readonly results: Pick<ResultsService, "results" | "interactions">;
}

type ResultsFormat = "json" | "csv" | "html";

interface ResultsQuery {
  readonly format?: ResultsFormat;
  readonly population?: ResultsPopulation;
}

const POPULATIONS: readonly ResultsPopulation[] = ["exposed", "triggered"];
const FORMATS: readonly ResultsFormat[] = ["json", "csv", "html"];

const ResultsQuerySchema: Schema<ResultsQuery> = Type.Unsafe<ResultsQuery>(
  Type.Object(
    { format: Type.Optional(oneOf(FORMATS)), population: Type.Optional(oneOf(POPULATIONS)) },
    { additionalProperties: false },
  ),
);

interface ScreenQuery {
  readonly environment: string;
  readonly metric: string;
}

const ScreenQuerySchema: Schema<ScreenQuery> = Type.Unsafe<ScreenQuery>(
  Type.Object({ environment: Type.String(), metric: Type.String() }, { additionalProperties: false }),
);

const ANSWER = {
  description: "The results",
  content: {
    "application/json": { schema: ExperimentResultsSchema },
    "text/csv": { schema: Type.String() },
    "text/html": { schema: Type.String() },
  },
};

/** What an experiment has shown. Reading it is no look: however often, no alpha is spent. */
export const resultsRoutes: FastifyPluginAsync<ResultsDoors> = async (app, { access, control, results }) => {
  app.get<{ Params: { project: string; experiment: string }; Querystring: ResultsQuery }>(
    "/api/v1/projects/:project/experiments/:experiment/results",
    {
      onRequest: access.role("viewer"),
      // A HEAD would compute everything to say nothing.
      exposeHeadRoute: false,
      schema: {
        tags: ["experiments"],
        summary: "The results: the decision in words, quality, effects with intervals; as JSON, CSV or a page to keep",
        params: pathParams("project", "experiment"),
        querystring: ResultsQuerySchema,
        response: { 200: ANSWER },
      },
    },
    async (request, reply) => {
      seen(control, request);
      const found = await results.results(request.params, request.query.population);
      reply.header("belay-lag-ms", found.lagMs).header("cache-control", "no-store");
      const { format = "json" } = request.query;
      if (format === "json") return reply.send(found);
      const name = `${request.params.experiment}-results`;
      if (format === "csv") {
        reply.type("text/csv; charset=utf-8").header("content-disposition", `attachment; filename="${name}.csv"`);
        return reply.send(resultsCsv(found));
      }
      reply.type("text/html; charset=utf-8").header("content-security-policy", REPORT_POLICY);
      return reply.send(resultsReport(found));
    },
  );

  app.get<{ Params: { project: string }; Querystring: ScreenQuery }>(
    "/api/v1/projects/:project/interactions",
    {
      onRequest: access.role("analyst"),
      exposeHeadRoute: false,
      schema: {
        tags: ["experiments"],
        summary: "All pairs of the experiments that run in an environment, screened for interaction by one metric",
        params: pathParams("project"),
        querystring: ScreenQuerySchema,
        response: { 200: InteractionScreenSchema },
      },
    },
    async ({ params, query }, reply) => {
      projectOf(control.workspace, params.project);
      const found = await results.interactions({ ...params, ...query });
      return reply.header("belay-lag-ms", found.lagMs).header("cache-control", "no-store").send(found);
    },
  );
};
