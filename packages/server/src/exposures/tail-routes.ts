import type { Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance } from "fastify";
import { pathParams } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { STREAM_ANSWER } from "../stream/routes.ts";
import { DIFFERS_FILTER, eventQueryOf, type FilterQuery } from "./pull-query.ts";
import { KINDS, type Name, type PullDoors, sightOf } from "./pull-routes.ts";
import type { EventTails } from "./tail.ts";

interface TailQuery extends Omit<FilterQuery, "from" | "to"> {
  readonly kind?: Name;
  readonly perSecond?: number;
}

const text = Type.Optional(Type.String({ minLength: 1, maxLength: 4_096 }));

const TailQuerySchema: Schema<TailQuery> = Type.Unsafe<TailQuery>(
  Type.Object(
    {
      kind: Type.Optional(Type.Union([Type.Literal("exposures"), Type.Literal("metric-events")], { description: "exposures" })),
      environment: text,
      flag: text,
      experiment: text,
      release: text,
      variant: text,
      differs: DIFFERS_FILTER,
      name: text,
      unit: text,
      perSecond: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: "At most so many events a second; 20" })),
    },
    { additionalProperties: false },
  ),
);

const PER_SECOND = 20;

/** Which filters a kind of events does not have. */
const FOREIGN: Readonly<Record<Name, readonly (keyof TailQuery)[]>> = {
  exposures: ["name"],
  "metric-events": ["flag", "experiment", "release", "variant", "differs"],
};

/** `GET .../events/tail`: events as they come in, as server-sent events. */
export function tailRoute(app: FastifyInstance, doors: PullDoors, tails: EventTails): void {
  app.addHook("preClose", async () => tails.close());
  app.get<{ Params: { project: string }; Querystring: TailQuery }>(
    "/api/v1/projects/:project/events/tail",
    {
      onRequest: doors.access.role("analyst"),
      exposeHeadRoute: false,
      schema: {
        tags: ["events"],
        summary:
          "Server-sent events: the first `exposure`s or `metric-event`s of each second as this server takes them in, and how many were `skipped`; ends after ten minutes",
        params: pathParams("project"),
        querystring: TailQuerySchema,
        response: { 200: STREAM_ANSWER },
      },
    },
    (request, reply) => {
      const { kind: name = "exposures", perSecond = PER_SECOND, ...filters } = request.query;
      const foreign = FOREIGN[name].find((field) => request.query[field] !== undefined);
      if (foreign !== undefined) throw new ProblemError("unknown_field", { field: foreign });
      const { project } = request.params;
      const query = eventQueryOf(KINDS[name], project, filters, sightOf(doors, project, request.actor?.environments));
      if (tails.isFull) throw new ProblemError("too_many_streams", { limit: tails.size, retryAfterS: 10 });
      reply.hijack();
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-store, no-transform",
        "x-accel-buffering": "no",
      });
      tails.open(reply.raw, { query, perSecond });
    },
  );
}
