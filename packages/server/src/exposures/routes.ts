import type { BatchReceipt } from "@belay/protocol";
import { BatchReceiptSchema, EventBatchSchema } from "@belay/protocol/schemas";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import { ProblemError } from "../http/problem.ts";
import type { GatheredLedger } from "../ledger/gathered-ledger.ts";
import { nameNotCounted } from "../ledger/not-counted.ts";
import { EVENTS_BYTES_MAX, installEventBodies } from "./body.ts";
import { Intake } from "./intake.ts";
import { keyInBody, keyInHeader } from "./key-in-body.ts";
import { type PullDoors, pullRoutes } from "./pull-routes.ts";
import type { TailLimits } from "./tail.ts";
import { tailRoute } from "./tail-routes.ts";

export interface EventDoorsDeps extends Pick<PullDoors, "events" | "hasEnvironment"> {
  readonly access: Pick<Access, "sdk" | "role">;
  /** This server's clock in ms; `Date.now` by default. */
  readonly now?: () => number;
  readonly tails?: Partial<TailLimits>;
  /** What batches go through, where other doors use it too; one of its own by default. */
  readonly intake?: Intake;
  /** Where other servers keep events of their own. */
  readonly gathered?: GatheredLedger;
}

/** The doors of events: SDKs bring them, analysts take them out. */
export function eventDoors({
  access,
  events,
  hasEnvironment,
  now = Date.now,
  tails = {},
  gathered,
  intake = new Intake({ events, now, tails }),
}: EventDoorsDeps): FastifyPluginAsync {
  return async (app) => {
    await app.register(async (sdk) => ingestRoute(sdk, access, intake));
    await app.register(async (pulls) => {
      nameNotCounted(pulls, gathered);
      pullRoutes(pulls, { access, events, hasEnvironment, now });
    });
    tailRoute(app, { access, events, hasEnvironment, now }, intake.tails);
  };
}

/** `POST /sdk/v1/events`: answered once what was accepted is on the disk. Its bodies are read in a way of their own. */
export function ingestRoute(app: FastifyInstance, access: Pick<EventDoorsDeps["access"], "sdk">, intake: Intake): void {
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
      if (request.sdk === undefined) throw new ProblemError("unauthenticated");
      const receipt: BatchReceipt = await intake.take(request.body, request.sdk);
      return reply.code(202).type("application/json; charset=utf-8").send(JSON.stringify(receipt));
    },
  );
}
