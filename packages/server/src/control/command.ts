import type { EpochMs, Json, Revision } from "@belay/protocol";
import { ProblemError } from "../http/problem.ts";
import type { Workspace } from "../state/workspace.ts";
import type { ChangeDraft, ChangeId, Commit, StoredAnswer, StoredDocument, Stream } from "../store/changes/index.ts";
import type { Decision, Edit } from "./decision.ts";
import { raised } from "./streams.ts";

/** Who asks for a change and why: what its audit row says. */
export interface Origin {
  readonly actor: { readonly id: string; readonly name: string };
  readonly requestId: string;
  readonly reason?: string;
}

export interface Command<A> {
  readonly origin: Origin;
  /** Decides on a workspace; called again on a newer one when another node was faster. */
  readonly decide: (workspace: Workspace, now: EpochMs) => Decision<A>;
  /** The revision its author saw, and how to find the present one; a newer one refuses the command. */
  readonly precondition?: Precondition;
  readonly idempotency?: { readonly key: string; readonly fingerprint: string; readonly keep: (result: Executed<A>) => Json };
}

export interface Precondition {
  readonly revision: Revision;
  /** Revision at which the target last changed, and that of its stream; `undefined` where the target is not there. */
  readonly current: (workspace: Workspace) => { readonly changed: Revision; readonly stream: Revision } | undefined;
  readonly target: { readonly project: string; readonly environment?: string; readonly kind: string; readonly key: string };
}

export interface Executed<A> {
  readonly answer: A;
  readonly revision: Revision;
  /** Absent when nothing had to be changed. */
  readonly change?: ChangeId;
}

/** What a command led to; `repeated` gives back what the same idempotency key answered before. */
export type Execution<A> = ({ readonly status: "done" } & Executed<A>) | { readonly status: "repeated"; readonly kept: Json };

/** The target's revision, when it moved on after the one its author saw. */
export function unmetPrecondition(precondition: Precondition | undefined, workspace: Workspace): Revision | undefined {
  const current = precondition?.current(workspace);
  if (precondition === undefined || current === undefined) return undefined;
  // Any revision of the stream since the target last changed shows the target as it is now.
  const isMet = precondition.revision >= current.changed && precondition.revision <= current.stream;
  return isMet ? undefined : current.changed;
}

/** The documents of an edit with the revisions it gives them. */
export function storedBy(edit: Edit<unknown>): StoredDocument[] {
  const revisions = new Map(raised(edit.raises).map((stream) => [streamName(stream), stream.revision]));
  return edit.documents.map((document) => ({ ...document, revision: revisions.get(streamName(document)) ?? 0 }));
}

const streamName = ({ project = "", environment = "" }: Stream): string => `${project}/${environment}`;

/** What the log is to commit for a command that was decided so. */
export function commitOf(command: Command<unknown>, edit: Edit<unknown>, at: EpochMs): Commit {
  const { origin, idempotency } = command;
  const { author = origin.actor, reason = origin.reason, approvals = [] } = edit.approved ?? {};
  const change: ChangeDraft = {
    ...edit.stream,
    at,
    actor: author,
    requestId: origin.requestId,
    ...(reason === undefined ? {} : { reason }),
    action: edit.action,
    target: edit.target,
    ...(edit.before === undefined ? {} : { before: edit.before }),
    ...(edit.after === undefined ? {} : { after: edit.after }),
    ...(approvals.length === 0 ? {} : { approvals: approvals.map((given) => ({ ...given, at: Date.parse(given.at) })) }),
  };
  const { raises, documents } = edit;
  if (idempotency === undefined) return { raises, change, documents };
  const { key, fingerprint, keep } = idempotency;
  const answer = keep({ answer: edit.answer, revision: edit.revision });
  return { raises, change, documents, idempotency: { scope: origin.actor.id, key, fingerprint, answer } };
}

/** What an idempotency key answered before, for a request that is the same. */
export function repeated(answered: StoredAnswer, fingerprint: string): { status: "repeated"; kept: Json } {
  assertSameRequest(answered.fingerprint, fingerprint);
  return { status: "repeated", kept: answered.answer };
}

/** @throws ProblemError when an idempotency key came with another request before. */
export function assertSameRequest(known: string, fingerprint: string): void {
  if (known !== fingerprint) throw new ProblemError("idempotency_mismatch");
}
