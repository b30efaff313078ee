import { type CompileOptions, compile, explain, type Ruleset } from "@belay/core";
import type { ExplainRequest, Snapshot } from "@belay/protocol";
import { ExplainRequestSchema } from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { History } from "../history/history.ts";
import { environmentOf, pathParams, projectOf } from "../http/params.ts";
import { ExplanationSchema } from "./views.ts";

export interface ExplainDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly history: History;
  readonly compile: CompileOptions;
}

/** Why a flag decides as it does for a context, or did at a revision, step by step. */
export const explainRoutes: FastifyPluginAsync<ExplainDoors> = async (app, { access, control, history, compile: options }) => {
  // A snapshot is compiled when first asked about and forgotten with it.
  const rulesets = new WeakMap<Snapshot, Ruleset>();
  const rulesetOf = (snapshot: Snapshot): Ruleset => {
    const ruleset = rulesets.get(snapshot) ?? compile(snapshot, options);
    rulesets.set(snapshot, ruleset);
    return ruleset;
  };

  app.post<{ Params: { project: string; environment: string }; Body: ExplainRequest }>(
    "/api/v1/projects/:project/environments/:environment/explain",
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: ["targeting"],
        response: { 200: ExplanationSchema },
        summary: "Explain what a flag decides for a context, or did, and why",
        params: pathParams("project", "environment"),
        body: ExplainRequestSchema,
      },
    },
    async ({ params, body }) => {
      const isPast = body.revision !== undefined || body.at !== undefined;
      const { snapshot } = isPast
        ? (await history.read(params, body)).environment
        : environmentOf(projectOf(control.workspace, params.project), params.environment);
      return explain(rulesetOf(snapshot.whole), body.flag, body.context);
    },
  );
};
