import type { Revision } from "@belay/protocol";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import { ProblemError } from "../http/problem.ts";
import type { Feeds } from "../snapshots/feeds.ts";
import { feedOf } from "../snapshots/routes.ts";
import type { Hub } from "./hub.ts";

export interface StreamDoors {
  readonly access: Access;
  readonly feeds: Feeds;
  readonly hub: Hub;
}

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
        produces: ["text/event-stream"],
      },
    },
    (request, reply) => {
      if (hub.isFull) {
        const retryAfterS = Math.ceil(hub.retryMs() / 1_000);
        throw new ProblemError("too_many_streams", { limit: hub.size, retryAfterS });
      }
      const feed = feedOf(feeds, request.sdk);
      const held = readLastEventId(request.headers["last-event-id"]);
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
      hub.open(reply.raw, request.sdk?.id ?? "", feed, feed.catchUp(held));
    },
  );
};

/** The revision a client says it holds; anything else asks for the whole snapshot. */
function readLastEventId(header: string | string[] | undefined): Revision | undefined {
  return typeof header === "string" && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}
