import { pipeline, Readable } from "node:stream";
import { constants, createGzip } from "node:zlib";
import type { BatchReceipt } from "@belay/protocol";
import { BatchReceiptSchema, EventBatchSchema } from "@belay/protocol/schemas";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import { pathParams } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { EventKind, EventQuery, EventStore, PullFormat } from "../store/events/index.ts";
import { readBatch } from "./batch.ts";
import { EVENTS_BYTES_MAX, installEventBodies } from "./body.ts";
import { keyInBody, keyInHeader } from "./key-in-body.ts";
import { eventQueryOf, type FilterQuery, filterQuerySchema, formatOf, type PullQuery, pullQuerySchema } from "./pull-query.ts";

export interface EventDoorsDeps {
  readonly access: Pick<Access, "sdk" | "role">;
  readonly events: EventStore;
  /** This server's clock in ms; `Date.now` by default. */
  readonly now?: () => number;
}

/** The doors of events: SDKs bring them, analysts take them out. */
export function eventDoors({ access, events, now = Date.now }: EventDoorsDeps): FastifyPluginAsync {
  return async (app) => {
    await app.register(async (sdk) => ingestRoute(sdk, access, events, now));
    pullRoutes(app, access, events, "exposures", "exposures");
    pullRoutes(app, access, events, "metrics", "metric-events");
  };
}

/** `POST /sdk/v1/events`: answered once what was accepted is on the disk. Its bodies are read in a way of their own. */
function ingestRoute(app: FastifyInstance, access: EventDoorsDeps["access"], events: EventStore, now: () => number): void {
  installEventBodies(app);
  app.post(
    "/sdk/v1/events",
    {
      onRequest: keyInHeader(access.sdk),
      preHandler: keyInBody(access.sdk),
      bodyLimit: EVENTS_BYTES_MAX,
      // The schema is for readers: one event that is wrong must not cost the others.
      validatorCompiler: () => () => true,
      schema: {
        tags: ["sdk"],
        summary: "Exposures, metric events and counts; answered once they are durable, counted once however often they are sent",
        body: EventBatchSchema,
        response: { 202: BatchReceiptSchema },
      },
    },
    async (request, reply) => {
      const receipt = await take(request, events, now());
      return reply.code(202).type("application/json; charset=utf-8").send(JSON.stringify(receipt));
    },
  );
}

async function take({ body, sdk: identity }: FastifyRequest, events: EventStore, receivedAtMs: number): Promise<BatchReceipt> {
  if (identity === undefined) throw new ProblemError("unauthenticated");
  const { head, rejected, ...lists } = readBatch(body);
  const { sentAtMs, ...sender } = head;
  const { project, environment } = identity;
  const batch = { project, environment, ...sender, receivedAtMs, clockOffsetMs: receivedAtMs - sentAtMs, ...lists };
  const { accepted, duplicates } = await events.append(batch);
  return { accepted, duplicates, rejected };
}

interface ProjectParams {
  readonly project: string;
}

function pullRoutes(
  app: FastifyInstance,
  access: EventDoorsDeps["access"],
  events: EventStore,
  kind: EventKind,
  name: string,
): void {
  const path = `/api/v1/projects/:project/${name}`;
  const params = pathParams("project");
  const words = name.replace("-", " ");

  app.get<{ Params: ProjectParams; Querystring: PullQuery }>(
    path,
    {
      onRequest: access.role("analyst"),
      // A HEAD would read everything to say nothing.
      exposeHeadRoute: false,
      schema: {
        tags: ["events"],
        summary: `The ${words} received so far, in order of arrival, as NDJSON or CSV; the last row's cursor resumes`,
        params,
        querystring: pullQuerySchema(kind),
      },
    },
    async (request, reply) => {
      const { format: asked, limit, cursor } = request.query;
      const format = formatOf(asked, request.headers.accept);
      const paging = { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { after: cursor }) };
      const pull = await events.pull({ ...queryOf(kind, request), ...paging, format });
      reply.header("belay-rows", pull.rows).header("belay-lag-ms", pull.lagMs);
      return sendRows(request, reply, format, `${request.params.project}-${name}`, pull.pages);
    },
  );

  app.get<{ Params: ProjectParams; Querystring: FilterQuery }>(
    `${path}/estimate`,
    {
      onRequest: access.role("analyst"),
      schema: { tags: ["events"], summary: `How many ${words} a pull would bring`, params, querystring: filterQuerySchema(kind) },
    },
    (request) => events.estimate(queryOf(kind, request)),
  );
}

function queryOf(kind: EventKind, request: FastifyRequest<{ Params: ProjectParams; Querystring: FilterQuery }>): EventQuery {
  return eventQueryOf(kind, request.params.project, request.query, request.actor?.environments);
}

const CONTENT_TYPES: Readonly<Record<PullFormat, string>> = {
  ndjson: "application/x-ndjson; charset=utf-8",
  csv: "text/csv; charset=utf-8; header=present",
};

/** A pull that fails on its way is cut off, never ended: a reader who got the end has everything. */
function sendRows(
  request: FastifyRequest,
  reply: FastifyReply,
  format: PullFormat,
  name: string,
  pages: AsyncIterable<Uint8Array>,
): FastifyReply {
  const rows = Readable.from(pages, { objectMode: false, highWaterMark: 1 });
  reply
    .type(CONTENT_TYPES[format])
    .header("content-disposition", `attachment; filename="${name}.${format}"`)
    .header("cache-control", "no-store")
    .header("vary", "accept, accept-encoding");
  if (!takesGzip(request.headers["accept-encoding"])) return reply.send(rows);
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  pipeline(rows, gzip, () => undefined);
  return reply.header("content-encoding", "gzip").send(gzip);
}

function takesGzip(header: string | undefined): boolean {
  return (header ?? "").split(",").some((part) => /^\s*(gzip|\*)\s*(;\s*q\s*=\s*(?!0(\.0*)?\s*$)[\d.]+\s*)?$/i.test(part));
}
