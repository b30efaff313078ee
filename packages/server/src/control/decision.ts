import { isSameJson } from "@belay/core";
import type { Approval, ErrorCode, Json, Person, Revision } from "@belay/protocol";
import type { ProblemData } from "../http/problem.ts";
import type { DocumentWrite, Raise, Stream } from "../store/changes/index.ts";

/**
 * What a domain rule answers to a command: the edit to commit, nothing to do, or a refusal. All three are values; an
 * exception is for the impossible.
 */
export type Decision<A> = Edit<A> | Unchanged<A> | Refusal;

/** An edit decided on one workspace; it holds only while the streams it raises are at the revisions named here. */
export interface Edit<A> {
  readonly kind: "edit";
  readonly action: string;
  /** The change's own stream: an environment, a project or the workspace. */
  readonly stream: Stream;
  readonly target: { readonly kind: string; readonly key: string };
  /** Every stream it raises, its own among them. */
  readonly raises: readonly Raise[];
  readonly documents: readonly DocumentWrite[];
  readonly before?: Json;
  readonly after?: Json;
  readonly answer: A;
  /** Revision of the target after the edit: its new ETag. */
  readonly revision: Revision;
  /** Whose request it carries out, and who approved that; set where requests are decided and nowhere else. */
  readonly approved?: Approved;
}

/** A request that was approved: the audit row names its author, not whoever gave the last approval. */
export interface Approved {
  readonly author: Person;
  readonly reason?: string;
  readonly approvals: readonly Approval[];
}

/** The state is already as the command asks for: no change is made, no revision spent. */
export interface Unchanged<A> {
  readonly kind: "unchanged";
  readonly answer: A;
  readonly revision: Revision;
}

export interface Refusal {
  readonly kind: "refused";
  readonly code: ErrorCode;
  readonly data: ProblemData;
}

export function refuse(code: ErrorCode, data: ProblemData = {}): Refusal {
  return { kind: "refused", code, data };
}

/** Interfaces have no index signature, so the compiler does not see that a document is JSON. */
export function asJson(document: object): Json {
  return document as unknown as Json;
}

/** Do two documents hold the same, whatever the order of their keys? */
export function isSame(a: object, b: object): boolean {
  return isSameJson(asJson(a), asJson(b));
}
