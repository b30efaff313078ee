import type { GuardrailState, Release } from "@belay/protocol";
import { GuardrailStatesSchema, oneOf, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { environmentOf, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { ReleaseDesk } from "./desk.ts";
import { heldRelease, releaseView } from "./document.ts";
import type { GuardrailFact } from "./facts.ts";
import { PAGE_POLICY } from "./page.ts";
import { runbookOf, runbookPage, runbookText } from "./runbook.ts";

export interface RecordDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly desk: ReleaseDesk;
}

interface Params {
  readonly project: string;
  readonly environment: string;
  readonly release: string;
}

interface RunbookQuery {
  readonly format?: RunbookFormat;
}

type RunbookFormat = "markdown" | "html";

const RunbookQuerySchema: Schema<RunbookQuery> = Type.Object(
  { format: Type.Optional(oneOf<RunbookFormat>(["markdown", "html"])) },
  { additionalProperties: false },
);

const text = { schema: Type.String() };

const tags: readonly string[] = ["releases"];

/** What a release writes by itself: how its guardrails stand, and what to run at 3 a.m. */
export const recordRoutes: FastifyPluginAsync<RecordDoors> = async (app, { access, control, desk }) => {
  const one = "/api/v1/projects/:project/environments/:environment/releases/:release";
  const params = pathParams("project", "environment", "release");
  const read = ({ project: name, environment: key, release }: Params): Release => {
    const project = projectOf(control.workspace, name);
    const place = { project, environment: environmentOf(project, key), key: release };
    const held = heldRelease(place);
    if ("code" in held) throw new ProblemError(held.code, held.data);
    return releaseView(place, held);
  };

  app.get<{ Params: Params }>(
    `${one}/guardrails`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        summary: "How the guardrails of a live release stand now: their evidence of harm, and when they last heard",
        params,
        response: { 200: GuardrailStatesSchema },
      },
    },
    async ({ params: at }): Promise<{ readonly items: readonly GuardrailState[] }> => {
      const { project, environment, key } = read(at);
      const reading = desk.tower.reading({ project, environment, key });
      return { items: (reading?.guardrails ?? []).map(stateOf) };
    },
  );

  app.get<{ Params: Params; Querystring: RunbookQuery }>(
    `${one}/runbook`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        summary: "The runbook, as Markdown or as a page: what you see, and the exact command for it",
        params,
        querystring: RunbookQuerySchema,
        response: { 200: { description: "The runbook", content: { "text/markdown": text, "text/html": text } } },
      },
    },
    async (request, reply) => {
      const book = runbookOf(read(request.params), `${request.protocol}://${request.host}`);
      reply.header("cache-control", "no-store");
      if (request.query.format !== "html") return reply.type("text/markdown; charset=utf-8").send(runbookText(book));
      return reply.type("text/html; charset=utf-8").header("content-security-policy", PAGE_POLICY).send(runbookPage(book));
    },
  );
};

function stateOf({ metric, treatment, verdict, logE, isNonInferior, daysToTell, lastEventAt }: GuardrailFact): GuardrailState {
  return {
    metric,
    verdict,
    logEvidence: logE,
    ...(isNonInferior === undefined ? {} : { isNonInferior }),
    ...(daysToTell === undefined ? {} : { daysToTell }),
    ...(lastEventAt === undefined ? {} : { lastEventAt: new Date(lastEventAt).toISOString() }),
    ...(treatment === undefined ? {} : { treatment }),
  };
}
