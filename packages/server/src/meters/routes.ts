import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { Registry } from "prom-client";
import type { Access, RoleHook } from "../access/access.ts";
import { ProblemError } from "../http/problem.ts";

export interface MeterDoors {
  readonly access: Pick<Access, "role">;
  readonly registry: Registry;
  /** Lets callers on this machine in without a token. */
  readonly isOpenHere: boolean;
}

/** `GET /metrics`, as Prometheus reads it. */
export const meterRoutes: FastifyPluginAsync<MeterDoors> = async (app, { access, registry, isOpenHere }) => {
  app.get(
    "/metrics",
    {
      onRequest: isOpenHere ? openHere(access.role("viewer")) : access.role("viewer"),
      preHandler: assertSeesAll,
      schema: {
        tags: ["health"],
        summary: "What the server says of itself, in Prometheus' text format",
        response: { 200: { description: "Every series", content: { "text/plain": { schema: Type.String() } } } },
      },
    },
    async (_, reply) =>
      reply
        .type(registry.contentType)
        .header("cache-control", "no-store")
        .send(await registry.metrics()),
  );
};

/** Series name every project: a token for some of them sees none. */
async function assertSeesAll({ actor }: FastifyRequest): Promise<void> {
  const isNarrow = actor?.projects !== undefined || actor?.environments !== undefined;
  if (isNarrow) throw new ProblemError("forbidden", { needed: "viewer for all projects" });
}

function openHere(hook: RoleHook): RoleHook {
  const check = async (request: FastifyRequest, reply: FastifyReply): Promise<void> =>
    isFromHere(request) ? undefined : hook(request, reply);
  return Object.assign(check, { needs: hook.needs });
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;

/** A proxy on this machine speaks for callers elsewhere, and says so. */
function isFromHere({ socket, headers }: FastifyRequest): boolean {
  const isForwarded = headers["x-forwarded-for"] !== undefined || headers.forwarded !== undefined || headers.via !== undefined;
  return !isForwarded && LOOPBACK.test(socket.remoteAddress ?? "");
}
