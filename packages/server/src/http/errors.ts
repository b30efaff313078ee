import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { ERRORS, type ErrorCode, type Problem } from "@belay/protocol";
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { watchMethods } from "./methods.ts";
import { type ProblemData, ProblemError, renderProblem } from "./problem.ts";

/**
 * Makes every error of the app, the framework's own included, a problem document of the dictionary.
 *
 * @param elsewhere what a path without a route is answered, where it has something to say
 */
export function installProblems(app: FastifyInstance, elsewhere?: (path: string) => ProblemError | undefined): void {
  const methodsOf = watchMethods(app);
  app.setErrorHandler((error: FastifyError | ProblemError, request, reply) => {
    return sendProblem(problemOf(error, request), request, reply);
  });
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0]?.slice(0, 200) ?? "";
    const problem = elsewhere?.(path) ?? notFound(request.method, path, methodsOf(path));
    return sendProblem(problem, request, reply);
  });
}

function notFound(method: string, path: string, allowed: readonly string[]): ProblemError {
  if (allowed.length === 0) return new ProblemError("route_not_found", { method, path });
  return new ProblemError("method_not_allowed", { method, path, allowed: [...allowed] });
}

/** Any error as a refusal of the dictionary; what nobody expected is written to the log. */
export function problemOf(error: FastifyError | ProblemError, request: FastifyRequest): ProblemError {
  const problem = error instanceof ProblemError ? error : fromFramework(error, request);
  if (problem.code === "internal") request.log.error({ err: error }, "request failed");
  else if (problem.cause !== undefined) request.log.warn({ err: problem.cause }, "store failed");
  return problem;
}

/** The headers of a refusal: a `retryAfterS` among its data becomes one. */
export function setProblemHeaders({ code, data }: ProblemError, reply: FastifyReply): void {
  if (typeof data["retryAfterS"] === "number") reply.header("retry-after", data["retryAfterS"]);
  if (code === "method_not_allowed") reply.header("allow", String(data.allowed).replaceAll(",", ", "));
  if (ERRORS[code].status === 401) reply.header("www-authenticate", "Bearer");
}

function sendProblem(refusal: ProblemError, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem: Problem = renderProblem(refusal.code, refusal.data, request.id);
  setProblemHeaders(refusal, reply);
  return reply.code(problem.status).type("application/problem+json").send(problem);
}

/** Answers what never became a request: bytes that are no HTTP, or that came too slowly. */
export function answerUnreadable(error: NodeJS.ErrnoException, socket: Socket, limitMs: number): void {
  // A connection that was reset has nobody to answer to.
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy(error);
    return;
  }
  const isSlow = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const [code, data]: [ErrorCode, ProblemData] = isSlow
    ? ["request_timeout", { limit: limitMs }]
    : ["malformed_request", { reason: error.code === "HPE_HEADER_OVERFLOW" ? "its head is too large" : "it is not HTTP/1.1" }];
  const problem = renderProblem(code, data, "none");
  const body = JSON.stringify(problem);
  const head = [
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
    "content-type: application/problem+json",
    `content-length: ${Buffer.byteLength(body)}`,
    "connection: close",
  ];
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}

function fromFramework(error: FastifyError, request: FastifyRequest): ProblemError {
  switch (error.code) {
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new ProblemError("body_too_large", { limit: request.routeOptions.bodyLimit ?? 0 });
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new ProblemError("unsupported_media_type", {
        received: request.headers["content-type"] ?? "",
        allowed: ["application/json"],
      });
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new ProblemError("invalid_json", { reason: "it is empty" });
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new ProblemError("malformed_request", { reason: "its body is not as long as its content-length" });
    default:
      return fromStatus(error, request);
  }
}

function fromStatus(error: FastifyError, request: FastifyRequest): ProblemError {
  if (error.statusCode === 400) return new ProblemError("malformed_request", { reason: error.message });
  if (error.statusCode === 404)
    return new ProblemError("route_not_found", { method: request.method, path: request.url.slice(0, 200) });
  return new ProblemError("internal");
}
