import type { BatchReceipt } from "@belay/protocol";
import { BatchReceiptSchema, EventBatchSchema } from "@belay/protocol/schemas";
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import { ProblemError } from "../http/problem.ts";
import type { EventStore } from "../store/events/index.ts";
import { readBatch } from "./batch.ts";
import { EVENTS_BYTES_MAX, installEventBodies } from "./body.ts";
import { keyInBody, keyInHeader } from "./key-in-body.ts";
import { type PullDoors, pullRoutes } from "./pull-routes.ts";
import { EventTails, type TailLimits } from "./tail.ts";
import { tailRoute } from "./tail-routes.ts";

export interface EventDoorsDeps extends Pick<PullDoors, "events" | "hasEnvironment"> {
  readonly access: Pick<Access, "sdk" | "role">;
  /** This server's clock in ms; `Date.now` by default. */
  readonly now?: () => number;
  readonly tails?: Partial<TailLimits>;
}

/** The doors of events: SDKs bring them, analysts take them out. */
export function eventDoors({
  access,
  events,
  hasEnvironment,
  now = Date.now,
  tails: limits,
}: EventDoorsDeps): FastifyPluginAsync {
  return async (app) => {
    const tails = new EventTails(limits);
    await app.register(async (sdk) => ingestRoute(sdk, { access, events, now, tails }));
    pullRoutes(app, { access, events, hasEnvironment, now });
    tailRoute(app, { access, events, hasEnvironment, now }, tails);
  };
}

interface IngestDoors {
  readonly access: EventDoorsDeps["access"];
  readonly events: EventStore;
  readonly now: () => number;
  readonly tails: EventTails;
}

/** `POST /sdk/v1/events`: answered once what was accepted is on the disk. Its bodies are read in a way of their own. */
function ingestRoute(app: FastifyInstance, doors: IngestDoors): void {
  const { access, now } = doors;
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
      const receipt = await take(request, doors, now());
      return reply.code(202).type("application/json; charset=utf-8").send(JSON.stringify(receipt));
    },
  );
}

async function take(
  { body, sdk: identity }: FastifyRequest,
  { events, tails }: IngestDoors,
  receivedAtMs: number,
): Promise<BatchReceipt> {
  if (identity === undefined) throw new ProblemError("unauthenticated");
  const { head, rejected, ...lists } = readBatch(body);
  const { sentAtMs, ...sender } = head;
  const { project, environment } = identity;
  const batch = { project, environment, ...sender, receivedAtMs, clockOffsetMs: receivedAtMs - sentAtMs, ...lists };
  const { accepted, duplicates } = await events.append(batch);
  if (accepted > 0 && tails.size > 0) tails.publish(batch);
  return { accepted, duplicates, rejected };
}
