import type { Revision } from "@belay/protocol";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync, FastifyReply } from "fastify";
import type { Access } from "../access/access.ts";
import { ProblemError } from "../http/problem.ts";
import type { FeedSource } from "../snapshots/feeds.ts";
import { feedOfRules } from "../snapshots/routes.ts";
import type { Hub } from "./hub.ts";

export interface StreamDoors {
  readonly access: Access;
  readonly feeds: FeedSource;
  readonly hub: Hub;
}

/** A stream as OpenAPI shows it. It is written to the socket: no schema has a say in it. */
export const STREAM_ANSWER: object = {
  description: "The stream",
  content: { "text/event-stream": { schema: Type.String() } },
};

/** `GET /sdk/v1/stream`: server-sent events; the snapshot or the missing changes, then a change per revision. */
export const streamRoutes: FastifyPluginAsync<StreamDoors> = async (app: FastifyInstance, { access, feeds, hub }) => {
  app.get(
    "/sdk/v1/stream",
    {
      onRequest: access.sdk,
      schema: {
        tags: ["sdk"],
        summary:
          "Server-sent events: `snapshot`, or the missing `change`s after Last-Event-ID, then a `change` per revision; a comment `: revision n` every 15 s",
        response: { 200: STREAM_ANSWER },
      },
    },
    (request, reply) => {
      assertRoom(hub);
      const feed = feedOfRules(feeds, request.sdk);
      const held = readRevision(request.headers["last-event-id"]);
      openStream(reply);
      hub.open(reply.raw, request.sdk?.id ?? "", feed, feed.catchUp(held));
    },
  );
};

/** @throws ProblemError `too_many_streams` where one more has no place */
export function assertRoom(hub: Hub): void {
  if (!hub.isFull) return;
  hub.refuse();
  const retryAfterS = Math.ceil(hub.retryMs() / 1_000);
  throw new ProblemError("too_many_streams", { limit: hub.size, retryAfterS });
}

/** Sends the head of a stream; what follows is written to the socket. */
export function openStream(reply: FastifyReply): void {
  reply.hijack();
  // What hooks set so far (CORS, security headers) belongs to this answer too.
  reply.raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>),
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store, no-transform",
    "transfer-encoding": "chunked",
    // Some proxies would otherwise collect a stream before they pass it on.
    "x-accel-buffering": "no",
  });
  reply.raw.flushHeaders();
}

/** The revision a client says it holds; anything else is none. */
export function readRevision(text: string | string[] | undefined): Revision | undefined {
  return typeof text === "string" && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}
