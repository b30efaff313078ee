import type { FastifyInstance } from "fastify";
import type { GatheredLedger } from "./gathered-ledger.ts";

/** Header with the names of servers whose events an answer has not. */
const NOT_COUNTED = "belay-not-counted";

/**
 * Lets every answer of these doors name the other servers that have events of what is asked about: the doors read this server's
 * own. Does nothing where there are no others.
 */
export function nameNotCounted(app: FastifyInstance, gathered: Pick<GatheredLedger, "elsewhere"> | undefined): void {
  if (gathered === undefined) return;
  app.addHook("onSend", async ({ method, params, query }, reply) => {
    const { project, environment } = { ...(query as Asked), ...(params as Asked) };
    if (method !== "GET" || project === undefined) return;
    const names = gathered.elsewhere({ project, ...(typeof environment === "string" ? { environment } : {}) });
    if (names.length > 0) reply.header(NOT_COUNTED, names.join(","));
  });
}

interface Asked {
  readonly project?: string;
  readonly environment?: unknown;
}
