import type { FastifyReply } from "fastify";
import { ProblemError } from "../http/problem.ts";

/** Does it say that the change log can take nothing just now: it is away, cannot be written, or its disk is full? */
export function isUnwritable(error: unknown): boolean {
  return error instanceof ProblemError && (error.code === "store_unavailable" || error.code === "disk_full");
}

/** Says of an answer that a restart of this server forgets what it did: its own disk could not be written either. */
export function markUnkept(reply: FastifyReply, isKept: boolean): void {
  if (!isKept) reply.header("belay-kept", "no");
}
