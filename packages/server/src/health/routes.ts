import type { FastifyPluginAsync } from "fastify";
import { ProblemError } from "../http/problem.ts";

export interface HealthDoors {
  /** Why the server cannot take traffic; `undefined` when it can. */
  readonly unready: () => string | undefined;
}

const tags: readonly string[] = ["health"];

/** For those who watch the process: it lives; it can take traffic. */
export const healthRoutes: FastifyPluginAsync<HealthDoors> = async (app, { unready }) => {
  app.get("/health/live", { schema: { tags, summary: "The process lives" } }, async () => ({ status: "live" }));

  app.get("/health/ready", { schema: { tags, summary: "The server takes traffic" } }, async () => {
    const reason = unready();
    if (reason !== undefined) throw new ProblemError("store_unavailable", { store: "The server", reason, retryAfterS: 1 });
    return { status: "ready" };
  });
};
