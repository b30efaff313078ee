import { pipeline, Readable } from "node:stream";
import { constants, createGzip } from "node:zlib";
import { oneOf, type Schema } from "@belay/protocol/schemas";
import { type TSchema, Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import { pathParams } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { Estimate, EventKind, EventQuery, EventStore, PrintedSql, Pull, PullFormat } from "../store/events/index.ts";
import { fileStem, printCurl } from "./printed-pull.ts";
import { FORMAT_NAMES, FORMATS, formatOf } from "./pull-formats.ts";
import {
  type EstimateQuery,
  estimateQuerySchema,
  eventQueryOf,
  type FilterQuery,
  type PullQuery,
  pullQuerySchema,
  type Sight,
} from "./pull-query.ts";

export interface PullDoors {
  readonly access: Pick<Access, "role">;
  readonly events: EventStore;
  /** Has the project this environment? */
  readonly hasEnvironment: (project: string, environment: string) => boolean;
  readonly now: () => number;
}

interface ProjectParams {
  readonly project: string;
}

export type Name = "exposures" | "metric-events";

export const KINDS: Readonly<Record<Name, EventKind>> = { exposures: "exposures", "metric-events": "metrics" };

/** `GET .../exposures`, `.../metric-events`, an estimate of each, and `.../exports/<day>`. */
export function pullRoutes(app: FastifyInstance, doors: PullDoors): void {
  for (const name of ["exposures", "metric-events"] as const) {
    rowsRoute(app, doors, name);
    estimateRoute(app, doors, name);
  }
  exportRoute(app, doors);
}

const BINARY = Type.String({ format: "binary" });
const TEXT = Type.String();

const FILE_SCHEMAS: Readonly<Record<PullFormat, TSchema>> = { ndjson: TEXT, csv: TEXT, parquet: BINARY, arrow: BINARY };

/** A file of rows as OpenAPI shows it: a stream, in one of some formats. */
function fileIn(formats: readonly PullFormat[]): { readonly description: string; readonly content: object } {
  const content = formats.map((format) => [FORMATS[format].mediaTypes[0], { schema: FILE_SCHEMAS[format] }]);
  return { description: "The rows", content: Object.fromEntries(content) };
}

function rowsRoute(app: FastifyInstance, doors: PullDoors, name: Name): void {
  const kind = KINDS[name];
  app.get<{ Params: ProjectParams; Querystring: PullQuery }>(
    `/api/v1/projects/:project/${name}`,
    {
      onRequest: doors.access.role("analyst"),
      // A HEAD would read everything to say nothing.
      exposeHeadRoute: false,
      schema: {
        tags: ["events"],
        response: { 200: fileIn(FORMAT_NAMES) },
        summary: `The ${words(name)} received so far, in order of arrival, as NDJSON, CSV, Parquet or Arrow; the last row's cursor resumes`,
        params: pathParams("project"),
        querystring: pullQuerySchema(kind),
      },
    },
    async (request, reply) => {
      const { format: asked, limit, cursor } = request.query;
      const format = formatOf(asked, request.headers.accept);
      const paging = { ...(limit === undefined ? {} : { limit }), ...(cursor === undefined ? {} : { after: cursor }) };
      const pull = await doors.events.pull({ ...queryOf(doors, kind, request), ...paging, format });
      return sendPull(request, reply, format, fileStem(request.params.project, name), pull);
    },
  );
}

/** How much a pull would bring, and how to make it elsewhere. */
interface PrintedEstimate extends Estimate, PrintedSql {
  readonly curl: string;
}

const PrintedEstimateSchema: Schema<PrintedEstimate> = Type.Object(
  {
    rows: Type.Integer({ minimum: 0 }),
    lagMs: Type.Number({ minimum: 0 }),
    curl: TEXT,
    dialect: oneOf<PrintedSql["dialect"]>(["duckdb", "clickhouse"]),
    sql: TEXT,
  },
  { additionalProperties: false },
);

function estimateRoute(app: FastifyInstance, doors: PullDoors, name: Name): void {
  const kind = KINDS[name];
  app.get<{ Params: ProjectParams; Querystring: EstimateQuery }>(
    `/api/v1/projects/:project/${name}/estimate`,
    {
      onRequest: doors.access.role("analyst"),
      schema: {
        tags: ["events"],
        response: { 200: PrintedEstimateSchema },
        summary: `How many ${words(name)} a pull would bring, and the same pull as curl and as SQL`,
        params: pathParams("project"),
        querystring: estimateQuerySchema(kind),
      },
    },
    async (request): Promise<PrintedEstimate> => {
      const query = queryOf(doors, kind, request);
      const { format = "ndjson", ...filters } = request.query;
      const curl = printCurl(originOf(request), { project: query.project, name, filters, format });
      const printed = doors.events.print(query, `${fileStem(query.project, name)}*.parquet`);
      return { ...(await doors.events.estimate(query)), curl, ...printed };
    },
  );
}

interface ExportQuery {
  readonly kind?: Name;
  readonly environment?: string;
}

const ExportQuerySchema: Schema<ExportQuery> = Type.Unsafe<ExportQuery>(
  Type.Object(
    {
      kind: Type.Optional(Type.Union([Type.Literal("exposures"), Type.Literal("metric-events")], { default: "exposures" })),
      environment: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: "Only this environment" })),
    },
    { additionalProperties: false },
  ),
);

const DAY_MS = 86_400_000;

/**
 * A day by this server's clock, in UTC: once it is over nothing can be added to it, so that a warehouse takes each day once.
 * Erasing a unit takes rows out.
 */
function exportRoute(app: FastifyInstance, doors: PullDoors): void {
  app.get<{ Params: ProjectParams & { readonly day: string }; Querystring: ExportQuery }>(
    "/api/v1/projects/:project/exports/:day",
    {
      onRequest: doors.access.role("analyst"),
      exposeHeadRoute: false,
      schema: {
        tags: ["events"],
        response: { 200: fileIn(["parquet"]) },
        summary: "What was received on one day in UTC, as Parquet; `belay-final: true` once the day is over",
        params: pathParams("project", "day"),
        querystring: ExportQuerySchema,
      },
    },
    async (request, reply) => {
      const { params, query, actor } = request;
      const { kind: name = "exposures", ...filters } = query;
      const fromMs = dayOf(params.day);
      const isFinal = doors.now() >= fromMs + DAY_MS;
      const asked = eventQueryOf(KINDS[name], params.project, filters, sightOf(doors, params.project, actor?.environments));
      const pull = await doors.events.pull({ ...asked, fromMs, toMs: fromMs + DAY_MS, format: "parquet" });
      reply.header("belay-final", isFinal && pull.lagMs === 0);
      return sendPull(request, reply, "parquet", `${fileStem(params.project, name)}-${params.day}`, pull);
    },
  );
}

function dayOf(day: string): number {
  const ms = /^\d{4}-\d\d-\d\d$/.test(day) ? Date.parse(day) : Number.NaN;
  // `Date.parse` moves a 31st of a shorter month on, where it does not refuse it.
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== day) {
    throw new ProblemError("invalid_field", { field: "day", received: day, reason: "it is no day such as 2026-11-22" });
  }
  return ms;
}

function queryOf(
  doors: PullDoors,
  kind: EventKind,
  { params: { project }, query, actor }: FastifyRequest<{ Params: ProjectParams; Querystring: FilterQuery }>,
): EventQuery {
  return eventQueryOf(kind, project, query, sightOf(doors, project, actor?.environments));
}

/** What the caller can see of a project. */
export function sightOf({ hasEnvironment }: PullDoors, project: string, visible: readonly string[] | undefined): Sight {
  return { visible, has: (environment) => hasEnvironment(project, environment) };
}

/** A pull that fails on its way is cut off, never ended: a reader who got the end has everything. */
function sendPull(request: FastifyRequest, reply: FastifyReply, format: PullFormat, stem: string, pull: Pull): FastifyReply {
  const { contentType, extension, isPacked } = FORMATS[format];
  const rows = Readable.from(pull.pages, { objectMode: false, highWaterMark: 1 });
  reply
    .type(contentType)
    .header("belay-rows", pull.rows)
    .header("belay-lag-ms", pull.lagMs)
    .header("content-disposition", `attachment; filename="${stem}.${extension}"`)
    .header("cache-control", "no-store")
    .header("vary", "accept, accept-encoding");
  if (isPacked || !takesGzip(request.headers["accept-encoding"])) return reply.send(rows);
  const gzip = createGzip({ level: constants.Z_BEST_SPEED });
  pipeline(rows, gzip, () => undefined);
  return reply.header("content-encoding", "gzip").send(gzip);
}

function takesGzip(header: string | undefined): boolean {
  return (header ?? "").split(",").some((part) => /^\s*(gzip|\*)\s*(;\s*q\s*=\s*(?!0(\.0*)?\s*$)[\d.]+\s*)?$/i.test(part));
}

/** Scheme, host and port as the caller knows this server; what is no host is not repeated. */
function originOf({ protocol, host }: FastifyRequest): string {
  return `${protocol}://${/^[A-Za-z0-9.:[\]_-]+$/.test(host) ? host : "127.0.0.1:4400"}`;
}

function words(name: Name): string {
  return name.replace("-", " ");
}
