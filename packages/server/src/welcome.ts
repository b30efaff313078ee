import type { FastifyPluginAsync } from "fastify";

/** `GET /`: says what this is and where its doors are, to people and programs that came without knowing. */
export const welcomeRoutes: FastifyPluginAsync = async (app) => {
  app.get("/", { schema: { hide: true } }, async () => ({
    name: "Belay",
    doors: {
      docs: "/docs",
      openapi: "/docs/json",
      api: "/api/v1/projects",
      snapshot: "/sdk/v1/snapshot",
      stream: "/sdk/v1/stream",
      events: "/sdk/v1/events",
      health: "/health/ready",
    },
  }));
};
