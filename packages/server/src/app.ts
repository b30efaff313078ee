import type { CompileOptions } from "@belay/core";
import type { EpochMs, Json } from "@belay/protocol";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Registry } from "prom-client";
import { type Access, createAccess } from "./access/access.ts";
import type { RateLimits } from "./access/rate-limits.ts";
import { accessRoutes } from "./access/routes.ts";
import { UseBook } from "./access/use-book.ts";
import { auditRoutes } from "./audit/routes.ts";
import { bundleRoutes } from "./bundles/routes.ts";
import { codePlaceRoutes } from "./code-places/routes.ts";
import type { ControlPlane } from "./control/control-plane.ts";
import { explainRoutes } from "./explain/routes.ts";
import type { Intake } from "./exposures/intake.ts";
import { bulkRoutes } from "./flags/bulk-routes.ts";
import { promotionRoutes } from "./flags/promotion-routes.ts";
import { flagRoutes } from "./flags/routes.ts";
import { staleRoutes } from "./flags/stale-routes.ts";
import { targetingRoutes } from "./flags/targeting-routes.ts";
import { healthRoutes } from "./health/routes.ts";
import { History } from "./history/history.ts";
import { historyRoutes } from "./history/routes.ts";
import { type BareAppOptions, bareApp, installHeaders } from "./http/bare-app.ts";
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
import { Briefs } from "./relays/briefs.ts";
import { relayRoutes } from "./relays/doors.ts";
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
export interface AppDependencies extends BareAppOptions {
  readonly log: ChangeLog;
  readonly control: ControlPlane;
  readonly compile: CompileOptions;
  readonly now: () => EpochMs;
  /** A fraction from 0 to below 1: spreads clients over time. */
  readonly random: () => number;
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
  /** Who decides with which revision; absent: a registry of the app's own. */
  readonly instances?: InstanceRegistry;
  /** How often somebody may ask; absent: as often as they like. */
  readonly limits?: RateLimits;
  /** Where the server keeps what it says of itself at `/metrics`; absent: it says nothing. */
  readonly meters?: { readonly registry: Registry; readonly isOpenHere: boolean };
  /** Doors of further parts; they use the same access and state. */
  readonly doors?: readonly ((access: Access, control: ControlPlane, log: ChangeLog) => FastifyPluginAsync)[];
}

/** Builds the server's app: every door, ready for `inject()` or `listen()`. Closing it ends its streams. */
export async function buildApp(dependencies: AppDependencies): Promise<FastifyInstance> {
  const { control, log, compile, now, random, fillRandom, streams = {}, ofrep = {} } = dependencies;
  const app = bareApp(dependencies);
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
  const briefs = new Briefs(control, () => feeds);
  const feeds: Feeds = new Feeds(control);
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
  await installHeaders(app);
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
  await app.register(codePlaceRoutes, { access, control });
  await app.register(accessRoutes, { access, control, fillRandom, uses });
  const { oidc } = dependencies;
  const signIn = createSignIn({ control, pages, fillRandom, now });
  await app.register(sessionRoutes, { access, control, pages, signIn, hasOidc: oidc !== undefined });
  if (oidc !== undefined) await app.register(oidcRoutes, { control, provider: oidc, pages, signIn });
  await app.register(auditRoutes, { access, control, log });
  await app.register(explainRoutes, { access, control, history, compile });
  await app.register(historyRoutes, { access, control, history });
  await app.register(requestRoutes, { access, control, history, compile, fillRandom, now });
  await app.register(snapshotRoutes, { access, feeds });
  await app.register(streamRoutes, { access, feeds, hub });
  await app.register(ofrepRoutes, { access, feeds, hub, compile, now, random, intake: dependencies.intake, limits: ofrep });
  const instances = dependencies.instances ?? new InstanceRegistry(now);
  await app.register(instanceRoutes, { access, instances });
  await app.register(relayRoutes, {
    access,
    briefs,
    hub,
    intake: dependencies.intake,
    instances,
    used: ({ project, environment }, id) => {
      const placed = control.workspace.sdkKeys.get(id);
      if (placed?.project === project && placed.document.environment === environment) uses.note("sdk-key", id);
    },
  });
  for (const doors of dependencies.doors ?? []) await app.register(doors(access, control, log));
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
