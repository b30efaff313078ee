/* OpenFeature's remote evaluation protocol: one flag, all flags, and a stream that says when to ask again. */
import { type CompileOptions, canonicalJson } from "@belay/core";
import type { EpochMs, Json } from "@belay/protocol";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import { sha256 } from "../access/sha256.ts";
import { windowOf } from "../access/stream-token.ts";
import type { Intake } from "../exposures/intake.ts";
import { tagMatches } from "../http/etag.ts";
import { ProblemError } from "../http/problem.ts";
import type { Feed } from "../snapshots/feed.ts";
import type { FeedSource } from "../snapshots/feeds.ts";
import { feedOf } from "../snapshots/routes.ts";
import type { Hub } from "../stream/hub.ts";
import { assertRoom, openStream, readRevision, STREAM_ANSWER } from "../stream/routes.ts";
import { missing, useDefault } from "./answer.ts";
import { listed } from "./bytes.ts";
import { installOfrepErrors } from "./errors.ts";
import { Recorder } from "./exposures.ts";
import { FlagSet } from "./flag-set.ts";
import { RateLimit } from "./rate-limit.ts";
import { contextOf, defaultsModeOf, keyOf, prefixOf } from "./request.ts";
import { BulkEvaluationSchema, ContextBodySchema, EvaluationSchema, RefusalSchema, StreamQuerySchema } from "./schemas.ts";
import { Notices } from "./stream.ts";

export interface OfrepLimits {
  /** Requests one SDK key may make a second; beyond, 429. */
  readonly requestsPerSecond: number;
}

/** Above what a core of the server can evaluate in bulk: it bounds what one key takes from the others. */
const OFREP_LIMITS: OfrepLimits = { requestsPerSecond: 10_000 };

export interface OfrepDoors {
  readonly access: Access;
  readonly feeds: FeedSource;
  readonly hub: Hub;
  readonly compile: CompileOptions;
  readonly now: () => EpochMs;
  readonly random: () => number;
  /** Takes exposures of single evaluations; absent: none are recorded. */
  readonly intake: Intake | undefined;
  readonly limits: Partial<OfrepLimits>;
}

/** Everything kept for one feed. */
interface Answering {
  readonly flags: FlagSet;
  readonly notices: Notices;
  readonly recorder: Recorder | undefined;
}

/** Seconds a hidden page may go on listening; OFREP's own default. */
const INACTIVITY_DELAY_S = 120;

const SINGLE = "/ofrep/v1/evaluate/flags/*";
const BULK = "/ofrep/v1/evaluate/flags";
const STREAM = "/ofrep/v1/stream";

export const ofrepRoutes: FastifyPluginAsync<OfrepDoors> = async (app, doors) => {
  installOfrepErrors(app);
  const answering = answeringOf(app, doors);
  const limit = new RateLimit({ ...OFREP_LIMITS, ...doors.limits }.requestsPerSecond, doors.now);
  const onRequest = [doors.access.ofrep, async (request: FastifyRequest) => assertRate(limit, request)];
  singleRoute(app, onRequest, answering);
  bulkRoute(app, onRequest, answering, doors);
  streamRoute(app, answering, doors);
};

type Hooks = ((request: FastifyRequest) => Promise<void>)[];
type AnsweringOf = (request: FastifyRequest) => Answering;

function singleRoute(app: FastifyInstance, onRequest: Hooks, answering: AnsweringOf): void {
  app.post(
    SINGLE,
    {
      onRequest,
      // The schema is for readers: a context that is wrong is refused in the protocol's own words.
      validatorCompiler: () => () => true,
      schema: {
        tags: ["ofrep"],
        response: { 200: EvaluationSchema, 400: RefusalSchema, 404: RefusalSchema },
        summary: "OFREP: evaluate one flag; records the exposure",
        body: ContextBodySchema,
      },
    },
    async (request, reply) => {
      const context = contextOf(request.body);
      const defaults = defaultsModeOf(request);
      const { flags, recorder } = answering(request);
      const key = keyOf(request);
      const outcome = flags.decide(key, context);
      const answer = flags.say(key, outcome, context);
      reply.header("cache-control", "no-store").type("application/json; charset=utf-8");
      if ("failure" in answer) return reply.code(answer.failure.errorCode === "FLAG_NOT_FOUND" ? 404 : 400).send(answer.failure);
      if (answer.isValueless && defaults === "omit") return reply.code(404).send(missing(key));
      if (answer.isValueless && defaults === "error") return reply.code(400).send(useDefault(key));
      recorder?.note(key, outcome, context);
      return reply.serializer(AS_IT_IS).send(answer.text);
    },
  );
}

function bulkRoute(app: FastifyInstance, onRequest: Hooks, answering: AnsweringOf, { access, now }: OfrepDoors): void {
  app.post(
    BULK,
    {
      onRequest,
      validatorCompiler: () => () => true,
      schema: {
        tags: ["ofrep"],
        response: { 200: BulkEvaluationSchema, 304: Type.Null() },
        summary: "OFREP: evaluate all flags the key may see; the ETag covers the revision and the context. Records no exposure",
        body: ContextBodySchema,
      },
    },
    async (request, reply) => {
      const context = contextOf(request.body);
      const defaults = defaultsModeOf(request);
      const { flags } = answering(request);
      const prefix = prefixOf(request);
      const parts = [request.sdk?.id ?? "", flags.id, prefix, windowOf(now()), defaults, context as unknown as Json];
      const tag = bulkTag(flags, parts);
      reply.header("etag", tag).header("cache-control", "private, no-cache").header("vary", "authorization, x-api-key");
      if (tagMatches(request.headers["if-none-match"], tag)) return reply.code(304).send();
      const url = `${prefix}${STREAM}?token=${access.streamToken(request)}&revision=${flags.revision}`;
      const body = bulkBody(flags, flags.all(context, defaults), url);
      return reply.type("application/json; charset=utf-8").send(body);
    },
  );
}

/** The stream a page opens without headers: the token of the answer that named it says who listens. */
function streamRoute(app: FastifyInstance, answering: AnsweringOf, { access, hub }: OfrepDoors): void {
  app.get<{ Querystring: { readonly token: string; readonly revision?: string } }>(
    STREAM,
    {
      onRequest: access.stream,
      schema: {
        tags: ["ofrep"],
        summary: "OFREP: server-sent events that say when to evaluate again; opened by the URL of a bulk evaluation",
        response: { 200: STREAM_ANSWER },
        querystring: StreamQuerySchema,
      },
    },
    (request, reply) => {
      assertRoom(hub);
      const { notices } = answering(request);
      const held = readRevision(request.headers["last-event-id"]) ?? readRevision(request.query.revision);
      openStream(reply);
      hub.open(reply.raw, request.sdk?.id ?? "", notices, notices.catchUp(held));
    },
  );
}

/** Finds what answers a request, made at the first one of its feed; what was recorded is handed over before the app closes. */
function answeringOf(app: FastifyInstance, { feeds, compile, intake, now, random }: OfrepDoors): AnsweringOf {
  const known = new Map<Feed, Answering>();
  app.addHook("onClose", async () => {
    await Promise.all([...known.values()].map(({ recorder }) => recorder?.close()));
  });
  const onFault = (detail: string): void => app.log.warn(`exposures of remote evaluations: ${detail}`);
  return ({ sdk }) => {
    const feed = feedOf(feeds, sdk);
    const found = known.get(feed);
    if (found !== undefined || sdk === undefined) return found as Answering;
    const flags = new FlagSet(feed, compile);
    const recorder = intake === undefined ? undefined : new Recorder({ id: sdk, flags, intake, now, random, onFault });
    const made = { flags, notices: new Notices(feed, now), recorder };
    known.set(feed, made);
    return made;
  };
}

function assertRate(limit: RateLimit, { sdk }: FastifyRequest): void {
  if (sdk === undefined || limit.take(sdk.id)) return;
  throw new ProblemError("too_many_requests", { limit: `${limit.perSecond} evaluations a second`, retryAfterS: 1 });
}

/**
 * The revision, then a hash of everything else the answer depends on: the context above all, since clients keep their tag
 * when only attributes change. It turns with the window of stream tokens too: who is told that nothing changed goes on
 * with the token it has, which must not be about to end.
 */
function bulkTag({ revision }: FlagSet, parts: readonly Json[]): string {
  return `"${revision}-${sha256(canonicalJson(parts), "base64url").slice(0, 22)}"`;
}

function bulkBody({ metadata }: FlagSet, answers: readonly Buffer[], requestUri: string): Buffer {
  const endpoint = `{"requestUri":${JSON.stringify(requestUri)}}`;
  const stream = `{"type":"sse","endpoint":${endpoint},"inactivityDelaySec":${INACTIVITY_DELAY_S}}`;
  return listed('{"flags":[', answers, `],"metadata":{${metadata}},"eventStreams":[${stream}]}`);
}

/** The text is JSON already. */
const AS_IT_IS = (text: unknown): string => text as string;
