import type { GuardrailState, Release } from "@belay/protocol";
import { GuardrailStatesSchema, oneOf, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { ReleaseDesk } from "./desk.ts";
import { releaseView } from "./document.ts";
import type { GuardrailFact } from "./facts.ts";
import { heldAt, ONE_RELEASE, RELEASE_PARAMS, RELEASE_TAGS, type ReleaseParams } from "./named-release.ts";
import { PAGE_POLICY } from "./page.ts";
import { runbookOf, runbookPage, runbookText } from "./runbook.ts";

export interface RecordDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly desk: ReleaseDesk;
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

/** What a release writes by itself: how its guardrails stand, and what to run at 3 a.m. */
export const recordRoutes: FastifyPluginAsync<RecordDoors> = async (app, { access, control, desk }) => {
  const read = (at: ReleaseParams): Release => {
    const { place, held } = heldAt(control.workspace, at);
    return releaseView(place, held);
  };

  app.get<{ Params: ReleaseParams }>(
    `${ONE_RELEASE}/guardrails`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: RELEASE_TAGS,
        summary: "How the guardrails of a live release stand now: their evidence of harm, and when they last heard",
        params: RELEASE_PARAMS,
        response: { 200: GuardrailStatesSchema },
      },
    },
    async ({ params: at }): Promise<{ readonly items: readonly GuardrailState[] }> => {
      const { project, environment, key } = read(at);
      const reading = desk.tower.reading({ project, environment, key });
      return { items: (reading?.guardrails ?? []).map(stateOf) };
    },
  );

  app.get<{ Params: ReleaseParams; Querystring: RunbookQuery }>(
    `${ONE_RELEASE}/runbook`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: RELEASE_TAGS,
        summary: "The runbook, as Markdown or as a page: what you see, and the exact command for it",
        params: RELEASE_PARAMS,
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
