import type { Readable } from "node:stream";
import type { Page } from "@belay/protocol";
import { pageSchema, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { FORMATS } from "../exposures/pull-formats.ts";
import { originOf } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { environmentOf, type PageQuery, PageQuerySchema, pathParams, projectOf, ReasonQuerySchema } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { compileValidator } from "../http/validation.ts";
import { noteImport } from "./domain.ts";
import { type ImportLog, refuseElsewhere, type ToldImport } from "./import-log.ts";
import { type ImportQuery, ImportQuerySchema, planOf } from "./import-query.ts";
import { hasEnded, type ImportRecord } from "./import-record.ts";
import type { Importer } from "./importer.ts";
import type { ImportFormat } from "./plan.ts";
import { type RejectedFormat, rejectedRows } from "./rejected.ts";
import { type ImportView, ImportViewSchema, viewOf } from "./views.ts";

interface ImportDoors {
  readonly access: Pick<Access, "role">;
  readonly control: Pick<ControlPlane, "execute" | "workspace">;
  readonly imports: Importer;
  /** Where other servers may have imports too. */
  readonly others: ImportLog | undefined;
}

interface ProjectParams {
  readonly project: string;
}

interface ImportParams extends ProjectParams {
  readonly import: string;
}

const tags: readonly string[] = ["events"];
const path = "/api/v1/projects/:project/imports";

/** A company's own history: files of exposures, assignments and metric events. */
export function importDoors(
  imports: Importer,
  others?: ImportLog,
): (access: Access, control: ControlPlane) => FastifyPluginAsync {
  return (access, control) => async (app) => {
    const doors: ImportDoors = { access, control, imports, others };
    await app.register(async (files) => sendRoute(files, doors));
    readRoutes(app, doors);
    rejectedRoute(app, doors);
    cancelRoute(app, doors);
  };
}

const MEDIA_TYPES: Readonly<Record<ImportFormat, readonly string[]>> = {
  csv: FORMATS.csv.mediaTypes,
  // One JSON document is not one a line.
  ndjson: FORMATS.ndjson.mediaTypes.filter((type) => type !== "application/json"),
  parquet: FORMATS.parquet.mediaTypes,
};

/** The file is the body, written to the disk as it comes: its size is no matter of memory. */
function sendRoute(app: FastifyInstance, doors: ImportDoors): void {
  const { access, control, imports, others } = doors;
  app.removeAllContentTypeParsers();
  // What is not read here is refused by the route, which knows what is.
  app.addContentTypeParser("*", (_, body, done) => done(null, body));
  app.post<{ Params: ProjectParams; Querystring: ImportQuery }>(
    path,
    {
      onRequest: access.role("editor"),
      config: { bodyTakesLong: true },
      bodyLimit: Number.MAX_SAFE_INTEGER,
      // A body that is a stream has nothing to check.
      validatorCompiler: (route) => (route.httpPart === "body" ? () => true : compileValidator(route as never)),
      schema: {
        tags,
        summary: "Import a file of exposures, assignments or metric events; the same file counts once",
        params: pathParams("project"),
        querystring: ImportQuerySchema,
        body: { content: Object.fromEntries(Object.values(MEDIA_TYPES).map(([type = ""]) => [type, { schema: BINARY }])) },
        response: { 200: ImportViewSchema, 201: ImportViewSchema },
      },
    },
    async (request, reply) => {
      const { params, query, headers, body } = request;
      const project = (): ReturnType<typeof projectOf> => projectOf(control.workspace, params.project);
      environmentOf(project(), query.environment);
      const order = {
        project: params.project,
        environment: query.environment,
        plan: planOf(query, formatOf(request)),
        encoding: encodingOf(headers["content-encoding"]),
      };
      const arrival = await imports.receive(body as Readable, order);
      if (arrival.file === undefined) return answer(reply, 200, arrival.record);
      try {
        const { record } = arrival;
        return await alone(others, record.id, async () => {
          const known = await elsewhere(doors, record);
          if (known !== undefined) {
            await imports.abandon(arrival);
            return known.state === "finished" ? answer(reply, 200, known) : refuseElsewhere(known);
          }
          // The audit row comes first: nothing is ever there that the log does not know of.
          const decide = () => noteImport(project(), "events.import", record, imports.place);
          await control.execute({ origin: originOf(request), decide });
          return answer(reply, 201, await imports.begin(arrival));
        });
      } catch (error) {
        await imports.abandon(arrival);
        throw error;
      }
    },
  );
}

function alone<T>(others: ImportLog | undefined, id: string, work: () => Promise<T>): Promise<T> {
  return others === undefined ? work() : others.alone(id, work);
}

/** What the log says of an import that is not here; nothing where it is, or nobody has it. */
async function elsewhere(
  { imports, others }: Pick<ImportDoors, "imports" | "others">,
  { project, id }: Pick<ImportRecord, "project" | "id">,
): Promise<ToldImport | undefined> {
  if (others === undefined || imports.find(project, id) !== undefined) return undefined;
  const told = await others.find(project, id);
  // One that was noted here and not begun is nowhere.
  return told?.folder === imports.place.folder ? undefined : told;
}

const BINARY = Type.String({ format: "binary" });

function answer(reply: FastifyReply, status: 200 | 201, record: AnyImport): FastifyReply {
  return reply
    .code(status)
    .header("location", `${path.replace(":project", record.project)}/${record.id}`)
    .send(viewOf(record));
}

function mediaTypeOf({ headers }: Pick<FastifyRequest, "headers">): string {
  return (headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
}

function formatOf(request: FastifyRequest): ImportFormat {
  const type = mediaTypeOf(request);
  for (const format of ["csv", "ndjson", "parquet"] as const) if (MEDIA_TYPES[format].includes(type)) return format;
  throw notReadHere(request);
}

function notReadHere(request: Pick<FastifyRequest, "headers">): ProblemError {
  const allowed = Object.values(MEDIA_TYPES).map(([type = ""]) => type);
  return new ProblemError("unsupported_media_type", { received: mediaTypeOf(request), allowed });
}

function encodingOf(header: string | undefined): "gzip" | "identity" {
  const encoding = (header ?? "identity").toLowerCase();
  if (encoding === "gzip" || encoding === "identity") return encoding;
  throw new ProblemError("unsupported_media_type", { received: `content-encoding: ${header}`, allowed: ["gzip", "identity"] });
}

function readRoutes(app: FastifyInstance, doors: ImportDoors): void {
  const { access } = doors;
  app.get<{ Params: ProjectParams; Querystring: PageQuery }>(
    path,
    {
      onRequest: access.role("analyst"),
      schema: {
        tags,
        response: { 200: pageSchema(ImportViewSchema) },
        summary: "List the imports of a project",
        params: pathParams("project"),
        querystring: PageQuerySchema,
      },
    },
    async (request): Promise<Page<ImportView>> => {
      const visible = (await everywhere(doors, request.params.project)).filter((record) => isVisible(request, record));
      const { items, ...page } = pageByKey(
        "imports",
        visible.map((record) => ({ key: `${new Date(record.createdAtMs).toISOString()} ${record.id}`, record })),
        request.query,
      );
      return { items: items.map(({ record }) => viewOf(record)), ...page };
    },
  );

  app.get<{ Params: ImportParams }>(
    `${path}/:import`,
    {
      onRequest: access.role("analyst"),
      schema: {
        tags,
        summary: "How far an import is",
        params: pathParams("project", "import"),
        response: { 200: ImportViewSchema },
      },
    },
    async (request) => viewOf(await importOf(doors, request)),
  );
}

function rejectedRoute(app: FastifyInstance, doors: ImportDoors): void {
  const { access, imports } = doors;
  app.get<{ Params: ImportParams; Querystring: { format?: RejectedFormat } }>(
    `${path}/:import/rejected`,
    {
      onRequest: access.role("analyst"),
      exposeHeadRoute: false,
      schema: {
        tags,
        response: { 200: REJECTED },
        summary:
          "The rows that were not fit to be stored, each with its number, field, value and what is wrong; the first 100,000",
        params: pathParams("project", "import"),
        querystring: RejectedQuerySchema,
      },
    },
    async (request, reply) => {
      const { format = "csv" } = request.query;
      const record = await importHere(doors, request);
      const { path: file, bytes } = imports.rejected(record);
      return reply
        .type(FORMATS[format].contentType)
        .header("content-disposition", `attachment; filename="rejected-${record.id}.${FORMATS[format].extension}"`)
        .header("cache-control", "no-store")
        .send(rejectedRows(file, bytes, format));
    },
  );
}

const REJECTED = {
  description: "The rows, in the format asked for",
  content: { "text/csv": { schema: Type.String() }, "application/x-ndjson": { schema: Type.String() } },
};

const RejectedQuerySchema: Schema<{ format?: RejectedFormat }> = Type.Unsafe<{ format?: RejectedFormat }>(
  Type.Object(
    { format: Type.Optional(Type.Union([Type.Literal("csv"), Type.Literal("ndjson")], { description: "csv" })) },
    { additionalProperties: false },
  ),
);

function cancelRoute(app: FastifyInstance, doors: ImportDoors): void {
  const { access, control, imports } = doors;
  app.post<{ Params: ImportParams }>(
    `${path}/:import/cancel`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        summary: "Read no further; what was stored stays. The same file sent again goes on after it",
        params: pathParams("project", "import"),
        querystring: ReasonQuerySchema,
        response: { 200: ImportViewSchema },
      },
    },
    async (request) => {
      const record = await importHere(doors, request);
      if (hasEnded(record)) return viewOf(record);
      const decide = () =>
        noteImport(projectOf(control.workspace, record.project), "events.import.cancel", record, imports.place);
      await control.execute({ origin: originOf(request), decide });
      return viewOf(await imports.cancel(record));
    },
  );
}

function isVisible({ actor }: Pick<FastifyRequest, "actor">, { environment }: ImportRecord): boolean {
  return actor !== undefined && reaches(actor, environment);
}

type AnyImport = ImportRecord & { readonly server?: string };

/** The imports of a project, this server's own and those of others. */
async function everywhere({ imports, others }: ImportDoors, project: string): Promise<readonly AnyImport[]> {
  const own = imports.list(project);
  const told = (await others?.list(project)) ?? [];
  return [...own, ...told.filter(({ id, folder }) => folder !== imports.place.folder && imports.find(project, id) === undefined)];
}

async function importOf(doors: ImportDoors, request: FastifyRequest<{ Params: ImportParams }>): Promise<AnyImport> {
  const { project, import: id } = request.params;
  const record = doors.imports.find(project, id) ?? (await elsewhere(doors, { project, id }));
  if (record === undefined || !isVisible(request, record)) throw new ProblemError("import_not_found", { key: id });
  return record;
}

/** An import whose file is here. @throws `import_elsewhere`. */
async function importHere(doors: ImportDoors, request: FastifyRequest<{ Params: ImportParams }>): Promise<ImportRecord> {
  const record = await importOf(doors, request);
  return record.server === undefined ? record : refuseElsewhere(record);
}
