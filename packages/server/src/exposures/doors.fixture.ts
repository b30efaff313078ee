import { type TempDir, tempDir } from "@belay/testkit";
import Fastify, { type FastifyInstance } from "fastify";
import type { RoleHook, SdkHook } from "../access/access.ts";
import type { Actor, SdkIdentity } from "../access/identity.ts";
import { installProblems } from "../http/errors.ts";
import { ProblemError } from "../http/problem.ts";
import { compileValidator } from "../http/validation.ts";
import { type EventStore, openEventStore } from "../store/events/index.ts";
import { eventDoors } from "./routes.ts";

export interface Doors {
  readonly app: FastifyInstance;
  readonly events: EventStore;
  readonly close: () => Promise<void>;
}

/** The event doors alone, on a store in a folder of its own. The bearer says who calls: `sdk`, `client`, or an actor as JSON. */
export async function openDoors(now?: () => number): Promise<Doors> {
  const folder: TempDir = await tempDir("doors");
  const events = await openEventStore({
    directory: folder.path,
    database: "here",
    segmentAgeMs: 50,
    ...(now === undefined ? {} : { now }),
  });
  const app = Fastify({ forceCloseConnections: true });
  installProblems(app);
  app.setValidatorCompiler(compileValidator);
  await app.register(
    eventDoors({ access: { sdk: SDK, role: () => ROLE }, events, hasEnvironment, ...(now === undefined ? {} : { now }) }),
  );
  const close = async (): Promise<void> => {
    await app.close();
    await events.close();
    await folder.remove();
  };
  return { app, events, close };
}

const hasEnvironment = (_: string, environment: string): boolean => ["production", "staging"].includes(environment);

export const SDK_BEARER = { authorization: "Bearer server" };
export const ANALYST = { authorization: `Bearer ${JSON.stringify({})}` };

const SDK: SdkHook = Object.assign(
  async (request: Parameters<SdkHook>[0]) => {
    const kind = request.headers.authorization?.slice("Bearer ".length);
    if (kind !== "server" && kind !== "client") throw new ProblemError("unauthenticated");
    request.sdk = { id: "key-1", project: "default", environment: "production", kind } satisfies SdkIdentity;
  },
  { needs: "sdk" as const },
);

const ROLE: RoleHook = Object.assign(
  async (request: Parameters<SdkHook>[0]) => {
    const scope = request.headers.authorization?.slice("Bearer ".length);
    if (scope === undefined) throw new ProblemError("unauthenticated");
    request.actor = { id: "token-1", name: "Ann", role: "analyst", ...(JSON.parse(scope) as Partial<Actor>) };
  },
  { needs: "analyst" as const },
);
