import type { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import type { FastifyInstance } from "fastify";
import { answerUnreadable } from "./errors.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** The body may take its time: the route watches it itself. */
    readonly bodyTakesLong?: boolean;
  }
}

/**
 * Gives up on requests whose bodies are not there after `limitMs`, a tenth more at most, except where the route says that
 * they may take long.
 */
export function watchBodies(app: FastifyInstance, limitMs: number): void {
  const waiting = new WaitingBodies(limitMs);
  app.addHook("onRequest", (request, reply, done) => {
    const { raw } = request;
    const hasBody = raw.headers["content-length"] !== undefined || raw.headers["transfer-encoding"] !== undefined;
    // A request that was injected within the process has no connection to give up.
    const isSent = raw.socket instanceof Socket;
    // The route is asked last: the answer is an object made for this request.
    const isWatched = isSent && hasBody && !raw.complete && request.routeOptions.config.bodyTakesLong !== true;
    if (isWatched) waiting.add(raw, reply.raw);
    done();
  });
}

interface Waiting {
  readonly request: IncomingMessage;
  readonly answer: ServerResponse;
  readonly dueAtMs: number;
}

/** One clock for all of them: a timer a request cost a tenth of what evaluating a hundred flags does. */
class WaitingBodies {
  readonly #limitMs: number;
  /** In the order they came, so in the order they are due. */
  readonly #waiting = new Set<Waiting>();
  #clock: NodeJS.Timeout | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  add(request: IncomingMessage, answer: ServerResponse): void {
    const waiting = { request, answer, dueAtMs: performance.now() + this.#limitMs };
    const rest = (): void => void this.#waiting.delete(waiting);
    request.once("end", rest).once("close", rest);
    this.#waiting.add(waiting);
    this.#clock ??= this.#tick();
  }

  /** Runs while anybody waits, and once more: stopping it whenever the last body came would make it a timer a request again. */
  #tick(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#giveUpWhatIsDue(performance.now());
      this.#clock = this.#waiting.size === 0 ? undefined : this.#tick();
    }, this.#limitMs / 10).unref();
  }

  #giveUpWhatIsDue(now: number): void {
    for (const waiting of this.#waiting) {
      if (waiting.dueAtMs > now) return;
      this.#waiting.delete(waiting);
      giveUp(waiting, this.#limitMs);
    }
  }
}

function giveUp({ request, answer }: Waiting, limitMs: number): void {
  const slow = Object.assign(new Error("slow"), { code: "ERR_HTTP_REQUEST_TIMEOUT" });
  // A request may be answered before its body is there, for example with 401: a second answer would be taken for the next one's.
  if (answer.headersSent) request.destroy();
  else answerUnreadable(slow, request.socket, limitMs);
}
