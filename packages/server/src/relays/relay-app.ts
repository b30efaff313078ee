import type { CompileOptions } from "@belay/core";
import type { EpochMs } from "@belay/protocol";
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import { type Access, createAccess, type RelayHook, type SdkHook } from "../access/access.ts";
import type { RateLimits } from "../access/rate-limits.ts";
import type { Intake } from "../exposures/intake.ts";
import { ingestRoute } from "../exposures/routes.ts";
import { healthRoutes } from "../health/routes.ts";
import { type BareAppOptions, bareApp, installHeaders } from "../http/bare-app.ts";
import { ProblemError } from "../http/problem.ts";
import { receiptRoute } from "../instances/routes.ts";
import { meterHttp } from "../meters/http-meter.ts";
import { meterRoutes } from "../meters/routes.ts";
import { meterStreams } from "../meters/stream-meters.ts";
import { type OfrepLimits, ofrepRoutes } from "../ofrep/routes.ts";
import { ownPages } from "../sessions/own-pages.ts";
import { snapshotRoutes } from "../snapshots/routes.ts";
import { Hub, type HubLimits } from "../stream/hub.ts";
import { streamRoutes } from "../stream/routes.ts";
import type { Branches } from "./branches.ts";
import { relayRoutes } from "./doors.ts";

/** What a relay's doors are made of. */
export interface RelayAppDependencies extends BareAppOptions {
  readonly branches: Branches;
  readonly upstreamUrl: string;
  readonly intake: Intake;
  readonly compile: CompileOptions;
  readonly now: () => EpochMs;
  readonly random: () => number;
  readonly unready: () => string | undefined;
  readonly streams?: Partial<HubLimits>;
  readonly limits: Pick<RateLimits, "countWrong">;
  readonly ofrep?: Partial<OfrepLimits>;
  readonly meters: { readonly registry: Registry; readonly isOpenHere: boolean };
}

/** Builds the app of a relay: the doors of SDKs, providers and further relays, and a way sign at every other. */
export async function buildRelayApp(dependencies: RelayAppDependencies): Promise<FastifyInstance> {
  const { branches, intake, compile, now, random, meters, unready, streams = {}, ofrep = {} } = dependencies;
  const app = bareApp({ ...dependencies, elsewhere: (path) => servedUpstream(path, dependencies.upstreamUrl) });
  const access = relayAccess(dependencies);
  const hub = new Hub({ random, limits: streams });
  branches.onRevoked((keyId) => hub.cut(keyId));
  meterHttp(app, meters.registry);
  meterStreams(meters.registry, hub);
  // Before connections are awaited: an open stream never ends by itself.
  app.addHook("preClose", () => hub.close());
  await installHeaders(app);
  await app.register(healthRoutes, { unready });
  await app.register(meterRoutes, { access, ...meters });
  await app.register(welcomeOf(dependencies.upstreamUrl));
  await app.register(snapshotRoutes, { access, feeds: branches.feeds });
  await app.register(streamRoutes, { access, feeds: branches.feeds, hub });
  await app.register(ofrepRoutes, { access, feeds: branches.feeds, hub, compile, now, random, intake, limits: ofrep });
  await app.register(async (scope) => receiptRoute(scope, { access, instances: branches }));
  await app.register(async (scope) => ingestRoute(scope, access, intake));
  await app.register(relayRoutes, {
    access,
    briefs: branches.briefs,
    hub,
    intake,
    instances: branches,
    used: (place, keyId) => branches.noteUse(place, keyId),
  });
  return app;
}

/** As a server's; but while it does not know all keys yet, a key it does not know may be right. */
function relayAccess({ branches, limits, now }: Pick<RelayAppDependencies, "branches" | "limits" | "now">): Access {
  const access = createAccess({
    workspace: () => branches.workspace,
    now,
    pages: ownPages(undefined),
    used: (kind, id) => {
      const placed = kind === "sdk-key" ? branches.workspace.sdkKeys.get(id) : undefined;
      if (placed !== undefined) branches.noteUse({ project: placed.project, environment: placed.document.environment }, id);
    },
    limits: { countWrong: async (request) => (branches.unready === undefined ? limits.countWrong(request) : undefined) },
  });
  const patient = <H extends SdkHook | RelayHook>(hook: H): H => {
    const ask = async (request: FastifyRequest): Promise<void> => {
      try {
        await hook(request);
      } catch (error) {
        const reason = branches.unready;
        if (reason === undefined || !(error instanceof ProblemError) || error.code !== "unauthenticated") throw error;
        // Clients told that their key is wrong stay away for minutes.
        throw new ProblemError("store_unavailable", { store: "The relay", reason, retryAfterS: 2 });
      }
    };
    return Object.assign(ask, { needs: hook.needs }) as H;
  };
  const { sdk, ofrep, relay, stream } = access;
  return { ...access, sdk: patient(sdk), ofrep: patient(ofrep), relay: patient(relay), stream: patient(stream) };
}

/** Doors that a server has and a relay has not. */
function servedUpstream(path: string, upstream: string): ProblemError | undefined {
  return /^\/(api|triggers|signin)(\/|$)/.test(path) ? new ProblemError("served_upstream", { path, upstream }) : undefined;
}

/** `GET /`: says what this is, to people and programs that came without knowing. */
function welcomeOf(upstream: string): FastifyPluginAsync {
  return async (app) => {
    app.get("/", { schema: { hide: true } }, async () => ({
      name: "Belay relay",
      upstream,
      doors: {
        docs: "/docs",
        openapi: "/docs/json",
        snapshot: "/sdk/v1/snapshot",
        stream: "/sdk/v1/stream",
        events: "/sdk/v1/events",
        health: "/health/ready",
      },
    }));
  };
}
