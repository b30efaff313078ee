import type { FastifyInstance } from "fastify";
import { answerUnreadable } from "./errors.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The body may take its time: the route watches it itself. */
    readonly bodyTakesLong?: boolean;
  }
}

/** Gives up on requests whose bodies are not there after `limitMs`, except where the route says that they may take long. */
export function watchBodies(app: FastifyInstance, limitMs: number): void {
  app.addHook("onRequest", (request, _, done) => {
    const { raw, routeOptions } = request;
    const hasBody = raw.headers["content-length"] !== undefined || raw.headers["transfer-encoding"] !== undefined;
    if (hasBody && !raw.complete && routeOptions.config.bodyTakesLong !== true) {
      const slow = Object.assign(new Error("slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });
      const timer = setTimeout(() => answerUnreadable(slow, raw.socket, limitMs), limitMs);
      const rest = (): void => clearTimeout(timer);
      raw.once("end", rest).once("close", rest);
    }
    done();
  });
}
