import type { ErrorCode } from "@belay/protocol";
import type { FastifyInstance } from "fastify";
import { problemOf, setProblemHeaders } from "../http/errors.ts";
import { renderProblem } from "../http/problem.ts";
import type { OfrepErrorCode } from "./answer.ts";
import { keyOf } from "./request.ts";

/**
 * Refusals as OFREP clients read them: plain JSON with `key`, `errorCode` and `errorDetails`, beside what every error of
 * this server says of itself. What cannot be evaluated is 400 there, whatever it is elsewhere.
 */
export function installOfrepErrors(app: FastifyInstance): void {
  app.setErrorHandler((error: Error, request, reply) => {
    const refusal = problemOf(error as never, request);
    const problem = renderProblem(refusal.code, refusal.data, request.id);
    const status = problem.status === 422 ? 400 : problem.status;
    setProblemHeaders(refusal, reply);
    return reply
      .code(status)
      .type("application/json; charset=utf-8")
      .send({
        ...problem,
        status,
        key: keyOf(request),
        errorCode: WORDS[refusal.code] ?? "GENERAL",
        errorDetails: `${problem.detail} ${problem.hint}`,
      });
  });
}

/** What in a request can be wrong is its JSON or its context; all else is the server's or the caller's. */
const WORDS: Partial<Record<ErrorCode, OfrepErrorCode>> = {
  invalid_json: "PARSE_ERROR",
  invalid_field: "INVALID_CONTEXT",
  limit_exceeded: "INVALID_CONTEXT",
};
