import type { Lesson, LessonDraft, ReleaseLog } from "@belay/protocol";
import { LessonDraftSchema, LessonsSchema, oneOf, ReleaseLogSchema, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../../access/access.ts";
import type { Origin } from "../../control/command.ts";
import type { ControlPlane } from "../../control/control-plane.ts";
import type { FillRandom } from "../../flags/salts.ts";
import { answerWrite, originOf } from "../../http/commands.ts";
import { projectOf } from "../../http/params.ts";
import { ProblemError } from "../../http/problem.ts";
import { readTime } from "../../http/times.ts";
import { firstSigningKey, newSigningKey, presentKey, signatureOf } from "../../signing/keys.ts";
import { idOf, ONE_RELEASE, placeOf, RELEASE_PARAMS, RELEASE_TAGS, type ReleaseParams } from "../named-release.ts";
import { PAGE_POLICY } from "../page.ts";
import { teach } from "./lessons.ts";
import { type LogSources, writeLog } from "./log.ts";
import { logPage, logText } from "./writings.ts";

export interface LogDoors extends Omit<LogSources, "control"> {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly fillRandom: FillRandom;
}

type LogFormat = "json" | "markdown" | "html";

interface LogQuery {
  readonly format?: LogFormat;
  readonly at?: string;
}

const LogQuerySchema: Schema<LogQuery> = Type.Object(
  {
    format: Type.Optional(oneOf<LogFormat>(["json", "markdown", "html"])),
    at: Type.Optional(Type.String({ maxLength: 64, description: "As of this moment; RFC 3339" })),
  },
  { additionalProperties: false },
);

const ORIGIN: Origin = { actor: { id: "system", name: "Belay" }, requestId: "signing-key" };

const text = { schema: Type.String() };

/** A file as it is answered, signed and told apart by its name. */
interface Written {
  readonly log: ReleaseLog;
  readonly bytes: string;
  readonly signature: Buffer;
  readonly keyId: string;
}

/** What a release writes once it is over: its log, the signature of that, and what people add to it. */
export const logRoutes: FastifyPluginAsync<LogDoors> = async (app, { access, control, fillRandom, ...sources }) => {
  app.get<{ Params: ReleaseParams; Querystring: LogQuery }>(
    `${ONE_RELEASE}/log`,
    {
      onRequest: access.role("viewer"),
      // A HEAD would read every event to say nothing.
      exposeHeadRoute: false,
      schema: {
        tags: RELEASE_TAGS,
        summary: "The log of a release: what happened, who decided, what was seen; as JSON, Markdown or a page to keep",
        params: RELEASE_PARAMS,
        querystring: LogQuerySchema,
        response: {
          200: {
            description: "The log; `belay-signature` has the key's id and the Ed25519 signature of its bytes",
            content: { "application/json": { schema: ReleaseLogSchema }, "text/markdown": text, "text/html": text },
          },
        },
      },
    },
    async (request, reply) => {
      const { log, bytes, signature, keyId } = await written(request);
      reply.header("belay-signature", `${keyId} ${signature.toString("base64")}`).header("cache-control", "no-store");
      reply.header("belay-lag-ms", log.lagMs);
      const { format = "json" } = request.query;
      if (format === "json") return reply.type("application/json; charset=utf-8").send(log);
      if (format === "markdown") return reply.type("text/markdown; charset=utf-8").send(bytes);
      return reply.type("text/html; charset=utf-8").header("content-security-policy", PAGE_POLICY).send(bytes);
    },
  );

  app.get<{ Params: ReleaseParams; Querystring: LogQuery }>(
    `${ONE_RELEASE}/log/signature`,
    {
      onRequest: access.role("viewer"),
      exposeHeadRoute: false,
      schema: {
        tags: RELEASE_TAGS,
        summary: "The Ed25519 signature of the log in the same format and as of the same moment: 64 bytes",
        params: RELEASE_PARAMS,
        querystring: LogQuerySchema,
        response: { 200: { description: "64 bytes", content: { "application/octet-stream": text } } },
      },
    },
    async (request, reply) => {
      const { signature, keyId } = await written(request);
      return reply.type("application/octet-stream").header("belay-signing-key", keyId).send(signature);
    },
  );

  app.post<{ Params: ReleaseParams; Body: LessonDraft }>(
    `${ONE_RELEASE}/lessons`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags: RELEASE_TAGS,
        summary: "Say what a release taught, and what to do otherwise next time; it stands in the log",
        params: RELEASE_PARAMS,
        body: LessonDraftSchema,
        response: { 201: LessonsSchema },
      },
    },
    async (request, reply) =>
      answerWrite<{ readonly items: readonly Lesson[] }>(control, request, reply, {
        status: 201,
        decide: (workspace, at) => {
          const by = originOf(request).actor.name;
          return teach(placeOf(workspace, request.params), request.body, { by, at: new Date(at).toISOString() });
        },
      }),
  );

  let last: Promise<unknown> = Promise.resolve();
  /** One log at a time: each reads all events of its release, and holds its units while it does. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = last.then(work);
    last = next.catch(() => undefined);
    return next;
  }

  async function written(request: FastifyRequest<{ Params: ReleaseParams; Querystring: LogQuery }>): Promise<Written> {
    const { params: at, query } = request;
    placeOf(control.workspace, at);
    const asOf = readTime("at", query.at);
    if (asOf !== undefined && asOf > sources.now()) {
      throw new ProblemError("invalid_field", { field: "at", received: query.at, reason: "it has not come yet" });
    }
    const log = await inTurn(() => writeLog({ control, ...sources }, idOf(at), asOf));
    const [keyId, { body }] = await signingKey(at.project);
    const bytes = WRITERS[query.format ?? "json"](log, keyId);
    return { log, bytes, signature: signatureOf(bytes, body), keyId };
  }

  /** The project's key, made the first time that something is to be signed. */
  async function signingKey(name: string): Promise<NonNullable<ReturnType<typeof presentKey>>> {
    const known = presentKey(projectOf(control.workspace, name));
    if (known !== undefined) return known;
    const made = newSigningKey(fillRandom);
    await control.execute({
      origin: ORIGIN,
      decide: (workspace, now) => firstSigningKey(projectOf(workspace, name), made, new Date(now).toISOString()),
    });
    const key = presentKey(projectOf(control.workspace, name));
    if (key === undefined) throw new Error("A signing key was made and is not there.");
    return key;
  }
};

const WRITERS: Readonly<Record<LogFormat, (log: ReleaseLog, keyId: string) => string>> = {
  json: (log) => JSON.stringify(log),
  markdown: (log, keyId) => logText(log, verifyCommand(log, keyId, "md")),
  html: (log, keyId) => logPage(log, verifyCommand(log, keyId, "html")),
};

/** One command, once the signature and the public key lie beside the file under these names. */
function verifyCommand({ release }: ReleaseLog, keyId: string, ending: string): string {
  const file = `${release}.${ending}`;
  return `openssl pkeyutl -verify -rawin -pubin -inkey ${keyId}.pem -in ${file} -sigfile ${file}.sig`;
}
