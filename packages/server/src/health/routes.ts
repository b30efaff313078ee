import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import { ProblemError } from "../http/problem.ts";

export interface HealthDoors {
  /** Why the server cannot take traffic; `undefined` when it can. */
  readonly unready: () => string | undefined;
}

const Status = Type.Object({ status: Type.String() }, { additionalProperties: false });

const tags: readonly string[] = ["health"];

/** For those who watch the process: it lives; it can take traffic. */
export const healthRoutes: FastifyPluginAsync<HealthDoors> = async (app, { unready }) => {
  app.get("/health/live", { schema: { tags, response: { 200: Status }, summary: "The process lives" } }, async () => ({
    status: "live",
  }));

  app.get("/health/ready", { schema: { tags, response: { 200: Status }, summary: "The server takes traffic" } }, async () => {
    const reason = unready();
    if (reason !== undefined) throw new ProblemError("store_unavailable", { store: "The server", reason, retryAfterS: 1 });
    return { status: "ready" };
  });
};
