import type { FastifyInstance } from "fastify";

const FOR_SDKS = /^\/(sdk|ofrep)\//;

/** What answers to SDKs have. Any origin, no credentials: nothing in these answers depends on who asks but on the key that is sent. */
export const OTHER_ORIGINS_ALLOWED: Readonly<Record<string, string>> = {
  "access-control-allow-origin": "*",
  "access-control-expose-headers": "etag, retry-after",
};

const PREFLIGHT = {
  "access-control-allow-methods": "GET, POST",
  "access-control-max-age": "7200",
  vary: "access-control-request-headers",
  "content-length": "0",
};

/**
 * Browsers of any origin may ask at /sdk and /ofrep, where a key and no cookie says who they are; nowhere else. Preflights
 * are answered before anything is asked of whoever sent them, since browsers send no key with them.
 */
export function allowOtherOrigins(app: FastifyInstance): void {
  app.addHook("onRequest", (request, reply, done) => {
    if (!FOR_SDKS.test(request.url)) return done();
    reply.headers(OTHER_ORIGINS_ALLOWED);
    if (request.method !== "OPTIONS") return done();
    const wanted = request.headers["access-control-request-headers"];
    if (wanted !== undefined) reply.header("access-control-allow-headers", wanted);
    reply.code(204).headers(PREFLIGHT).send();
  });
}
