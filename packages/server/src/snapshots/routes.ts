import { ServedSnapshotSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { SdkIdentity } from "../access/identity.ts";
import { etagOf, noneMatches } from "../http/etag.ts";
import { ProblemError } from "../http/problem.ts";
import { bestEncoding } from "./encoding.ts";
import type { Feed } from "./feed.ts";
import type { FeedSource } from "./feeds.ts";
import { JSON_TYPE, KEPT_BY_ITS_HOLDER, readySnapshots } from "./ready-snapshots.ts";

export interface SnapshotDoors {
  readonly access: Access;
  readonly feeds: FeedSource;
}

const PATH = "/sdk/v1/snapshot";

/** `GET /sdk/v1/snapshot`: everything an SDK needs to decide, as it is now. */
export const snapshotRoutes: FastifyPluginAsync<SnapshotDoors> = async (app: FastifyInstance, { access, feeds }) => {
  app.front.put(PATH, readySnapshots(access, feeds));
  app.get(
    PATH,
    {
      onRequest: access.sdk,
      schema: {
        tags: ["sdk"],
        response: { 200: ServedSnapshotSchema, 304: Type.Null() },
        summary: "The environment's snapshot; its ETag is the revision",
      },
    },
    async (request, reply) => {
      const feed = feedOfRules(feeds, request.sdk);
      reply.headers(KEPT_BY_ITS_HOLDER).header("etag", etagOf(feed.revision));
      if (noneMatches(request.headers["if-none-match"], feed.revision)) return reply.code(304).send();
      const encoding = bestEncoding(request.headers["accept-encoding"]);
      if (encoding !== "identity") reply.header("content-encoding", encoding);
      return reply.type(JSON_TYPE).send(await feed.body(encoding));
    },
  );
};

/** The feed whose rules a key reads. Throws `wrong_key_kind` for one that may see answers only. */
export function feedOfRules(feeds: FeedSource, sdk: SdkIdentity | undefined): Feed {
  if (sdk?.kind === "remote") throw new ProblemError("wrong_key_kind", { needed: "an SDK key of kind `server` or `client`" });
  return feedOf(feeds, sdk);
}

/** The feed that answers a key. */
export function feedOf(feeds: FeedSource, sdk: SdkIdentity | undefined): Feed {
  const feed = sdk === undefined ? undefined : feeds.of(sdk);
  if (feed === undefined) throw new ProblemError("environment_not_found", { key: sdk?.environment ?? "" });
  return feed;
}
