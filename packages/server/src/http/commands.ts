import { createHash } from "node:crypto";
import { canonicalJson } from "@belay/core";
import type { EpochMs, Json, Revision } from "@belay/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Executed } from "../control/command.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Decision } from "../control/decision.ts";
import type { TargetPrecondition } from "../control/target-precondition.ts";
import type { Workspace } from "../state/workspace.ts";
import { etagOf, readIfMatch } from "./etag.ts";
import { ProblemError } from "./problem.ts";

/** A write as a route describes it. */
export interface WriteRequest<A> {
  readonly decide: (workspace: Workspace, now: EpochMs) => Decision<A>;
  /** What `If-Match` is about; without it the header is not looked at. */
  readonly precondition?: TargetPrecondition;
  /** Status of success; 200 when absent, 204 for an answer of `undefined`. */
  readonly status?: 200 | 201;
  /** The answer as it may be kept for a repeated Idempotency-Key; the answer itself when absent. */
  readonly keep?: (answer: A) => unknown;
}

/** What an idempotency key gets again. */
interface KeptAnswer {
  readonly status: number;
  readonly revision: Revision;
  readonly body?: Json;
}

/**
 * Executes a write for a request: actor, reason, `If-Match` and `Idempotency-Key` are taken from it, the ETag and the
 * answer go to the reply.
 */
export async function answerWrite<A>(
  control: ControlPlane,
  request: FastifyRequest,
  reply: FastifyReply,
  { decide, precondition, status = 200, keep = (answer) => answer }: WriteRequest<A>,
): Promise<FastifyReply> {
  const toKept = ({ answer, revision }: Executed<A>): KeptAnswer => {
    const body = keep(answer) as Json | undefined;
    return body === undefined ? { status: 204, revision } : { status, revision, body };
  };
  const revision = precondition === undefined ? undefined : readIfMatch(request.headers["if-match"]);
  const key = readIdempotencyKey(request.headers["idempotency-key"]);
  const execution = await control.execute<A>({
    origin: originOf(request),
    decide,
    ...(precondition === undefined || revision === undefined ? {} : { precondition: { ...precondition, revision } }),
    ...(key === undefined
      ? {}
      : { idempotency: { key, fingerprint: fingerprintOf(request), keep: (done) => toKept(done) as unknown as Json } }),
  });
  if (execution.status === "repeated") {
    const kept = execution.kept as unknown as KeptAnswer;
    return send(reply.header("idempotency-replayed", "true"), kept.status, kept.revision, kept.body);
  }
  const answer: unknown = execution.answer;
  return send(reply, answer === undefined ? 204 : status, execution.revision, answer);
}

function send(reply: FastifyReply, status: number, revision: Revision, body: unknown): FastifyReply {
  reply.code(status).header("etag", etagOf(revision));
  return body === undefined ? reply.send() : reply.send(body);
}

/** Who asks and why, for the audit row of what a request leads to. */
export function originOf(request: FastifyRequest): { actor: { id: string; name: string }; requestId: string; reason?: string } {
  const { actor } = request;
  if (actor === undefined) throw new ProblemError("unauthenticated");
  const inBody = (request.body as { readonly reason?: string } | undefined)?.reason;
  const reason = inBody ?? (request.query as { readonly reason?: string }).reason;
  return { actor: { id: actor.id, name: actor.name }, requestId: request.id, ...(reason === undefined ? {} : { reason }) };
}

function readIdempotencyKey(header: string | string[] | undefined): string | undefined {
  if (header === undefined) return undefined;
  if (typeof header === "string" && /^[\x20-\x7e]{1,255}$/.test(header)) return header;
  throw new ProblemError("invalid_field", {
    field: "Idempotency-Key",
    received: header,
    reason: "it must be 1-255 printable characters",
  });
}

/** Two requests with the same fingerprint ask for the same thing. */
function fingerprintOf({ method, url, headers, body }: FastifyRequest): string {
  const asked = canonicalJson([method, url, headers["if-match"] ?? null, (body as Json | undefined) ?? null]);
  return createHash("sha256").update(asked).digest("base64");
}
