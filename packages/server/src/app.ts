import type { CompileOptions } from "@belay/core";
import type { EpochMs, Json } from "@belay/protocol";
import cookie from "@fastify/cookie";
import type { TSchema } from "@sinclair/typebox";
import fastify, {
  type FastifyInstance,
  type FastifyPluginAsync,
  type FastifyRequest,
  type FastifySerializerCompiler,
} from "fastify";
import type { Registry } from "prom-client";
import { type Access, createAccess } from "./access/access.ts";
import type { RateLimits } from "./access/rate-limits.ts";
import { accessRoutes } from "./access/routes.ts";
import { UseBook } from "./access/use-book.ts";
import { auditRoutes } from "./audit/routes.ts";
import { bundleRoutes } from "./bundles/routes.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import { explainRoutes } from "./explain/routes.ts";
import type { Intake } from "./exposures/intake.ts";
import { bulkRoutes } from "./flags/bulk-routes.ts";
import { promotionRoutes } from "./flags/promotion-routes.ts";
import { flagRoutes } from "./flags/routes.ts";
import type { FillRandom } from "./flags/salts.ts";
import { staleRoutes } from "./flags/stale-routes.ts";
import { targetingRoutes } from "./flags/targeting-routes.ts";
import { healthRoutes } from "./health/routes.ts";
import { History } from "./history/history.ts";
import { historyRoutes } from "./history/routes.ts";
import { allowOtherOrigins } from "./http/cross-origin.ts";
import { answerUnreadable, installProblems } from "./http/errors.ts";
import { parseJsonBody } from "./http/json-body.ts";
import { installOpenApi } from "./http/openapi.ts";
import { requestIds } from "./http/request-ids.ts";
import { setSecurityHeaders } from "./http/security-headers.ts";
import { watchBodies } from "./http/slow-bodies.ts";
import { compileValidator } from "./http/validation.ts";
import { incidentRoutes } from "./incidents/routes.ts";
import { InstanceRegistry } from "./instances/registry.ts";
import { instanceRoutes } from "./instances/routes.ts";
import { layerRoutes } from "./layers/routes.ts";
import { meterHttp } from "./meters/http-meter.ts";
import { meterRoutes } from "./meters/routes.ts";
import { meterStreams } from "./meters/stream-meters.ts";
import { type OfrepLimits, ofrepRoutes } from "./ofrep/routes.ts";
import type { OidcProvider } from "./oidc/provider.ts";
import { oidcRoutes } from "./oidc/routes.ts";
import { previewRoutes } from "./preview/routes.ts";
import { projectRoutes } from "./projects/routes.ts";
import { requestRoutes } from "./requests/routes.ts";
import { segmentRoutes } from "./segments/routes.ts";
import { ownPages } from "./sessions/own-pages.ts";
import { sessionRoutes } from "./sessions/routes.ts";
import { createSignIn } from "./sessions/sign-in.ts";
import { Feeds } from "./snapshots/feeds.ts";
import { snapshotRoutes } from "./snapshots/routes.ts";
import type { SdkKeyDocument } from "./state/workspace.ts";
import type { ChangeLog } from "./store/changes/index.ts";
import { Hub, type HubLimits } from "./stream/hub.ts";
import { streamRoutes } from "./stream/routes.ts";
import { welcomeRoutes } from "./welcome.ts";

/** What a server is made of. Effects come in here and nowhere else. */
export interface AppDependencies {
  readonly log: ChangeLog;
  readonly control: ControlPlane;
  readonly compile: CompileOptions;
  readonly now: () => EpochMs;
  /** A fraction from 0 to below 1: spreads clients over time. */
  readonly random: () => number;
  /** Random bytes fit for secrets. */
  readonly fillRandom: FillRandom;
  /** Absent: no log. `stream` takes the lines instead of the terminal. */
  readonly logger?: { readonly level: string; readonly stream?: { write(line: string): void } };
  /** Why the server does not take traffic yet, or any more; absent: it always does. */
  readonly unready?: () => string | undefined;
  readonly streams?: Partial<HubLimits>;
  /** Takes the exposures of remote evaluations; absent: none are recorded. */
  readonly intake?: Intake;
  readonly ofrep?: Partial<OfrepLimits>;
  /** How people reach the server, where a proxy changes its name: `https://belay.example`. */
  readonly publicUrl?: string;
  /** When keys and tokens were last used; absent: kept in memory. */
  readonly uses?: UseBook;
  /** Signs people in with accounts of their company; absent: tokens only. */
  readonly oidc?: OidcProvider;
  /** How long a client may take to send a request whole; 30 s by default. */
  readonly requestTimeoutMs?: number;
  /** Who decides with which revision; absent: a registry of the app's own. */
  readonly instances?: InstanceRegistry;
  /** How often somebody may ask; absent: as often as they like. */
  readonly limits?: RateLimits;
  /** Where the server keeps what it says of itself at `/metrics`; absent: it says nothing. */
  readonly meters?: { readonly registry: Registry; readonly isOpenHere: boolean };
  /** Writes answers that have a schema; plain JSON when absent. Tests hold every answer to its schema by it. */
  readonly serializer?: FastifySerializerCompiler<TSchema>;
  /** Doors of further parts; they use the same access and state. */
  readonly doors?: readonly ((access: Access, control: ControlPlane) => FastifyPluginAsync)[];
}

/** Bytes of a body outside the event door. */
const BODY_LIMIT_BYTES = 1024 * 1024;

const REQUEST_TIMEOUT_MS = 30_000;

/** Builds the server's app: every door, ready for `inject()` or `listen()`. Closing it ends its streams. */
export async function buildApp(dependencies: AppDependencies): Promise<FastifyInstance> {
  const { control, log, compile, now, random, fillRandom, streams = {}, ofrep = {} } = dependencies;
  const { requestTimeoutMs = REQUEST_TIMEOUT_MS } = dependencies;
  const app = fastify({
    logger: dependencies.logger === undefined ? false : { ...dependencies.logger, ...LOG_WITHOUT_SECRETS },
    bodyLimit: BODY_LIMIT_BYTES,
    // Node's own limit knows no routes: bodies are watched below.
    requestTimeout: 0,
    // Node looks for slow heads at this interval only; its default of 30 s would double the time they have.
    http: { headersTimeout: requestTimeoutMs, connectionsCheckingInterval: Math.ceil(requestTimeoutMs / 10) },
    clientErrorHandler: (error, socket) => answerUnreadable(error, socket, requestTimeoutMs),
    genReqId: requestIds(fillRandom),
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => void app.errorHandler(error as never, request, reply as never),
  });
  app.decorateRequest("actor", undefined);
  app.decorateRequest("sdk", undefined);
  app.setValidatorCompiler(compileValidator as never);
  // Answers are JSON as they are: no schema may leave out or change what a route says.
  app.setSerializerCompiler(dependencies.serializer ?? (() => (data) => JSON.stringify(data)));
  installProblems(app);
  watchBodies(app, requestTimeoutMs);
  readJsonBodies(app);
  const uses = dependencies.uses ?? new UseBook({ now });
  const pages = ownPages(dependencies.publicUrl);
  const { limits } = dependencies;
  const access = createAccess({
    workspace: () => control.workspace,
    now,
    pages,
    used: (kind, id) => uses.note(kind, id),
    ...(limits === undefined ? {} : { limits }),
  });
  if (limits !== undefined) countRequests(app, limits);
  const history = new History(log);
  const feeds = new Feeds(control);
  const hub = new Hub({ random, limits: streams });
  control.onCommit((_, { documents }) => {
    for (const { kind, key, body } of documents) if (kind === "sdk-key" && isRevoked(body)) hub.cut(key);
  });
  const { meters } = dependencies;
  if (meters !== undefined) {
    meterHttp(app, meters.registry);
    meterStreams(meters.registry, hub);
  }
  // Before connections are awaited: an open stream never ends by itself.
  app.addHook("preClose", () => hub.close());
  setSecurityHeaders(app);
  allowOtherOrigins(app);
  await app.register(cookie);
  await installOpenApi(app);
  await app.register(healthRoutes, { unready: dependencies.unready ?? (() => undefined) });
  if (meters !== undefined) await app.register(meterRoutes, { access, ...meters });
  await app.register(welcomeRoutes);
  await app.register(projectRoutes, { access, control });
  await app.register(flagRoutes, { access, control, fillRandom });
  await app.register(staleRoutes, { access, control });
  await app.register(targetingRoutes, { access, control });
  await app.register(previewRoutes, { access, control, compile });
  await app.register(bulkRoutes, { access, control });
  await app.register(promotionRoutes, { access, control, compile });
  await app.register(bundleRoutes, { access, control, compile, now });
  await app.register(segmentRoutes, { access, control });
  await app.register(layerRoutes, { access, control, fillRandom });
  await app.register(incidentRoutes, { access, control });
  await app.register(accessRoutes, { access, control, fillRandom, uses });
  const { oidc } = dependencies;
  const signIn = createSignIn({ control, pages, fillRandom, now });
  await app.register(sessionRoutes, { access, control, pages, signIn, hasOidc: oidc !== undefined });
  if (oidc !== undefined) await app.register(oidcRoutes, { control, provider: oidc, pages, signIn });
  await app.register(auditRoutes, { access, log });
  await app.register(explainRoutes, { access, control, history, compile });
  await app.register(historyRoutes, { access, control, history });
  await app.register(requestRoutes, { access, control, history, compile, fillRandom, now });
  await app.register(snapshotRoutes, { access, feeds });
  await app.register(streamRoutes, { access, feeds, hub });
  await app.register(ofrepRoutes, { access, feeds, hub, compile, now, random, intake: dependencies.intake, limits: ofrep });
  await app.register(instanceRoutes, { access, instances: dependencies.instances ?? new InstanceRegistry(now) });
  for (const doors of dependencies.doors ?? []) await app.register(doors(access, control));
  return app;
}

/** After access has said who asks. Who shows an SDK key has no actor, and costs nothing here. */
function countRequests(app: FastifyInstance, limits: RateLimits): void {
  app.addHook("preParsing", (request, _reply, payload, done) => {
    if (request.actor === undefined) return done(null, payload);
    limits.spend(request.actor.id).then(
      () => done(null, payload),
      (error) => done(error),
    );
  });
}

/** Whichever node revoked it. */
function isRevoked(body: Json | undefined): boolean {
  return (body as unknown as SdkKeyDocument | undefined)?.revoked !== false;
}

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
