import cookie from "@fastify/cookie";
import type { TSchema } from "@sinclair/typebox";
import fastify, { type FastifyInstance, type FastifyRequest, type FastifySerializerCompiler } from "fastify";
import type { FillRandom } from "../flags/salts.ts";
import { allowOtherOrigins } from "./cross-origin.ts";
import { answerUnreadable, installProblems } from "./errors.ts";
import { Front } from "./front.ts";
import { parseJsonBody } from "./json-body.ts";
import { installOpenApi } from "./openapi.ts";
import type { ProblemError } from "./problem.ts";
import { requestIds } from "./request-ids.ts";
import { setSecurityHeaders } from "./security-headers.ts";
import { watchBodies } from "./slow-bodies.ts";
import { compileValidator } from "./validation.ts";

declare module "fastify" {
  interface FastifyInstance {
    /** What is answered before the framework sees the request. */
    readonly front: Front;
  }
}

export interface BareAppOptions {
  /** Random bytes fit for secrets. */
  readonly fillRandom: FillRandom;
  /** Absent: no log. `stream` takes the lines instead of the terminal. */
  readonly logger?: { readonly level: string; readonly stream?: { write(line: string): void } };
  /** How long a client may take to send a request whole; 30 s by default. */
  readonly requestTimeoutMs?: number;
  /** Writes answers that have a schema; plain JSON when absent. Tests hold every answer to its schema by it. */
  readonly serializer?: FastifySerializerCompiler<TSchema>;
  /** What a path is answered that has no route; `route_not_found` where it says nothing. */
  readonly elsewhere?: (path: string) => ProblemError | undefined;
}

/** Bytes of a body outside the event door. */
const BODY_LIMIT_BYTES = 1024 * 1024;

const REQUEST_TIMEOUT_MS = 30_000;

/** An app without a door: how requests are read, refused, timed out and logged, whatever they ask for. */
export function bareApp(options: BareAppOptions): FastifyInstance {
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS, fillRandom } = options;
  // Answers are JSON as they are: no schema may leave out or change what a route says.
  const serializer: FastifySerializerCompiler<TSchema> = options.serializer ?? (() => (data) => JSON.stringify(data));
  // Given here and not set later: the framework's own compilers are not even loaded.
  const compilersFactory = { buildValidator: () => compileValidator as never, buildSerializer: () => serializer as never };
  const app = fastify({
    schemaController: { compilersFactory },
    logger: options.logger === undefined ? false : { ...options.logger, ...LOG_WITHOUT_SECRETS },
    bodyLimit: BODY_LIMIT_BYTES,
    // Node's own limit knows no routes: bodies are watched below.
    requestTimeout: 0,
    // Node looks for slow heads at this interval only; its default of 30 s would double the time they have.
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 10) },
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket, requestTimeoutMs),
    // What comes over an open connection while the server ends is answered like everything else, and the connection closed.
    return503OnClosing: false,
    genReqId: requestIds(fillRandom),
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => void app.errorHandler(error as never, request, reply as never),
  });
  app.decorateRequest("actor", undefined);
  app.decorateRequest("sdk", undefined);
  standInFront(app);
  installProblems(app, options.elsewhere);
  watchBodies(app, requestTimeoutMs);
  readJsonBodies(app);
  return app;
}

/** Headers for the safety of pages, cookies, and the description at `/docs`; before the routes. */
export async function installHeaders(app: FastifyInstance): Promise<void> {
  setSecurityHeaders(app);
  allowOtherOrigins(app);
  await app.register(cookie);
  installOpenApi(app);
}

/** What `app.front` has ready goes out before the framework sees the request, unless every request is to be logged. */
function standInFront(app: FastifyInstance): void {
  const front = new Front(!EVERY_REQUEST.has(app.log.level));
  front.stand(app.server);
  app.decorate("front", front);
  app.addHook("preClose", (done) => {
    front.close();
    done();
  });
}

/** Levels at which the framework writes a line when a request comes and when it was answered. */
const EVERY_REQUEST: ReadonlySet<string> = new Set(["info", "debug", "trace"]);

/** Keys travel in headers; what ends by itself, tokens of streams and what a sign-in provider sends, in the query. */
const LOG_WITHOUT_SECRETS = {
  redact: ["req.headers", "headers"],
  serializers: {
    req: ({ method, url, ip }: FastifyRequest) => ({
      method,
      url: url.replace(/([?&](?:token|code|state)=)[^&]*/g, "$1…"),
      remoteAddress: ip,
    }),
  },
};

function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "string" }, (_, text, done) => {
    try {
      done(null, parseJsonBody(text as string));
    } catch (error) {
      done(error as Error);
    }
  });
}
