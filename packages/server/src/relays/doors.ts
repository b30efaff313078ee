/* What a relay asks for and brings: the rules of its environment with whom to let in, events, receipts. */
import type { BatchReceipt, RelayedEvents, RelayedReceipts } from "@belay/protocol";
import {
  BatchReceiptSchema,
  RelayBriefSchema,
  RelayedEnvelopeSchema,
  RelayedEventsSchema,
  RelayedReceiptsSchema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import type { SdkIdentity } from "../access/identity.ts";
import { EVENTS_BYTES_MAX, installEventBodies } from "../exposures/body.ts";
import type { Intake } from "../exposures/intake.ts";
import { tagMatches } from "../http/etag.ts";
import { ProblemError } from "../http/problem.ts";
import { compileValidator } from "../http/validation.ts";
import type { InstanceRegistry } from "../instances/registry.ts";
import type { Hub } from "../stream/hub.ts";
import { assertRoom, openStream, readRevision, STREAM_ANSWER } from "../stream/routes.ts";
import type { BriefedFeed } from "./briefed-feed.ts";
import type { BriefSource } from "./briefs.ts";

export interface RelayDoors {
  readonly access: Pick<Access, "relay">;
  readonly briefs: BriefSource;
  readonly hub: Hub;
  /** What batches go through; without one there is no door for them. */
  readonly intake: Pick<Intake, "take"> | undefined;
  readonly instances: Pick<InstanceRegistry, "note">;
  /** Told which keys of its environment a relay says it was shown; it may name any. */
  readonly used: (place: Pick<SdkIdentity, "project" | "environment">, keyId: string) => void;
}

const tags: readonly string[] = ["relay"];

export const relayRoutes: FastifyPluginAsync<RelayDoors> = async (app, { access, briefs, hub, intake, instances, used }) => {
  app.get(
    "/relay/v1/state",
    {
      onRequest: access.relay,
      schema: {
        tags,
        summary: "For relays: all rules, whom to let in, what pages may see; the ETag covers all of it",
        response: { 200: StateSchema, 304: Type.Null() },
      },
    },
    async (request, reply) => {
      const briefed = briefedOf(briefs, request);
      const { etag } = briefed;
      reply.header("cache-control", "private, no-cache").header("etag", etag);
      if (tagMatches(request.headers["if-none-match"], etag)) return reply.code(304).send();
      return reply.send(briefed.state as never);
    },
  );

  app.get(
    "/relay/v1/stream",
    {
      onRequest: access.relay,
      schema: {
        tags,
        summary:
          "For relays: server-sent events; a `brief` first and whenever it differs, else what /sdk/v1/stream says to servers",
        response: { 200: STREAM_ANSWER },
      },
    },
    (request, reply) => {
      assertRoom(hub);
      const briefed = briefedOf(briefs, request);
      const held = readRevision(request.headers["last-event-id"]);
      openStream(reply);
      hub.open(reply.raw, request.sdk?.id ?? "", briefed, briefed.catchUp(held));
    },
  );

  app.post<{ Body: RelayedReceipts }>(
    "/relay/v1/receipts",
    {
      onRequest: access.relay,
      schema: {
        tags,
        summary: "For relays: say which revision instances decide with, and which keys were shown",
        body: RelayedReceiptsSchema,
        response: { 204: Type.Null() },
      },
    },
    async ({ sdk, body: { receipts, usedKeys = [] } }, reply) => {
      if (sdk === undefined) throw new ProblemError("unauthenticated");
      for (const { via, ...receipt } of receipts) instances.note(sdk, receipt, via.length === 0 ? undefined : via);
      for (const id of usedKeys) used(sdk, id);
      return reply.code(204).send();
    },
  );

  if (intake !== undefined) await app.register(async (scope) => eventsRoute(scope, access, intake));
};

/** Bodies of events are read in a way of their own. */
function eventsRoute(app: FastifyInstance, access: RelayDoors["access"], intake: Pick<Intake, "take">): void {
  installEventBodies(app);
  app.post<{ Body: RelayedEvents }>(
    "/relay/v1/events",
    {
      onRequest: access.relay,
      bodyLimit: EVENTS_BYTES_MAX,
      // The schema is for readers: each batch is looked at as if its instance had sent it.
      validatorCompiler: () => (body) => isEnvelope(body),
      schema: {
        tags,
        summary: "For relays: batches they acknowledged, answered once they are durable here, in their order",
        body: RelayedEventsSchema,
        response: { 202: Type.Object({ receipts: Type.Array(BatchReceiptSchema) }, { additionalProperties: false }) },
      },
    },
    async ({ body, sdk }, reply) => {
      if (sdk === undefined) throw new ProblemError("unauthenticated");
      const receipts: readonly BatchReceipt[] = await Promise.all(
        body.batches.map(({ batch, duplicates }) => intake.take(batch, sdk, duplicates)),
      );
      return reply.code(202).send({ receipts });
    },
  );
}

const StateSchema = Type.Object(
  { brief: RelayBriefSchema, snapshot: Type.Object({}, { description: "As GET /sdk/v1/snapshot gives it to servers" }) },
  { additionalProperties: false },
);

const isEnvelope = compileValidator({
  schema: RelayedEnvelopeSchema,
  method: "POST",
  url: "/relay/v1/events",
  httpPart: "body",
});

function briefedOf(briefs: BriefSource, { sdk }: FastifyRequest): BriefedFeed {
  const briefed = sdk === undefined ? undefined : briefs.of(sdk);
  if (briefed === undefined) throw new ProblemError("environment_not_found", { key: sdk?.environment ?? "" });
  return briefed;
}
