import { Socket } from "node:net";
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
  app.addHook("onRequest", (request, reply, done) => {
    const { raw, routeOptions } = request;
    const hasBody = raw.headers["content-length"] !== undefined || raw.headers["transfer-encoding"] !== undefined;
    // A request that was injected within the process has no connection to give up.
    const isSent = raw.socket instanceof Socket;
    if (isSent && hasBody && !raw.complete && routeOptions.config.bodyTakesLong !== true) {
      const slow = Object.assign(new Error("slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });
      const giveUp = (): void => {
        // A request may be answered before its body is there, for example with 401: a second answer would be taken for the next one's.
        if (reply.raw.headersSent) raw.destroy();
        else answerUnreadable(slow, raw.socket, limitMs);
      };
      const timer = setTimeout(giveUp, limitMs);
      const rest = (): void => clearTimeout(timer);
      raw.once("end", rest).once("close", rest);
    }
    done();
  });
}
