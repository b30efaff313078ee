import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { Backups } from "./backup.ts";

const ARCHIVE = {
  description: "The archive",
  content: { "application/gzip": { schema: Type.String({ format: "binary" }) } },
};

/** `GET /api/v1/backup`: everything this server keeps, for `restore`. It holds secrets of webhooks and hashes of keys. */
export function backupDoors(backups: Pick<Backups, "archive">): (access: Access) => FastifyPluginAsync {
  return (access) => async (app) => {
    app.get(
      "/api/v1/backup",
      {
        onRequest: access.role("admin"),
        schema: {
          tags: ["health"],
          summary: "A copy of all this server keeps, as a gzipped tar",
          response: { 200: ARCHIVE },
        },
      },
      async (_, reply) =>
        reply
          .type("application/gzip")
          .header("cache-control", "no-store")
          .send(await backups.archive()),
    );
  };
}
