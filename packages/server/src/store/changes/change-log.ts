import type { EpochMs, Json, Revision } from "@belay/protocol";

/**
 * The change log is the truth: state is what the changes add up to.
 *
 *   workspace ("")          project ("shop")            environment ("shop" / "production")
 *   tokens, projects        flags, segments             targetings, SDK keys
 *      r1 - r2 - r3            r1 - r2 - r3 - r4            r1 - r2 - r3 - r4 - r5
 *
 * Each of these is a *stream*: a line of revisions that rise by one. A commit names every stream it raises with the
 * revision it was decided on, and is refused as a whole when one of them moved on: that is all the locking there is. The
 * documents that a commit writes are kept beside the log in the same transaction, so that a server boots from documents
 * and never replays history.
 */
export interface ChangeLog {
  /** Commits, refuses, or finds the answer that the same idempotency key got before. Durable once it resolves. */
  commit(commit: Commit): Promise<CommitOutcome>;
  /** Everything as it is now, read in one transaction. */
  load(): Promise<Kept>;
  /** Everything that belongs to a project as it was after the change `position`. */
  documentsAt(project: string, position: ChangeId): Promise<readonly StoredDocument[]>;
  /** The change that made a revision; `undefined` where the stream never had it. */
  positionOf(stream: Stream, revision: Revision): Promise<ChangeId | undefined>;
  /** Commits after a position in order, with what they wrote: how another node follows. */
  entriesAfter(position: ChangeId, limit: number): Promise<readonly Entry[]>;
  /** Changes, newest first. */
  changes(filter: ChangeFilter, limit: number): Promise<readonly StoredChange[]>;
  change(id: ChangeId): Promise<StoredChange | undefined>;
  /** What tells the change at a position from every other one; `undefined` where there is none. */
  markOf(id: ChangeId): Promise<string | undefined>;
  /** What an idempotency key answered. */
  answer(key: IdempotencyKey): Promise<StoredAnswer | undefined>;
  /** Forgets answers older than a time; returns how many. */
  forgetAnswers(before: EpochMs): Promise<number>;
  /**
   * Takes or extends a lease. Resolves with its fence, a number that rises with every new holder, or with `undefined`
   * while somebody else holds it.
   */
  takeLease(name: string, holder: string, times: { readonly now: EpochMs; readonly until: EpochMs }): Promise<number | undefined>;
  /** Gives a lease back; without effect when `holder` does not hold it. */
  releaseLease(name: string, holder: string): Promise<void>;
  /**
   * Calls when another process may have committed; returns what ends that. It may call in vain or not at all while the
   * store is away, so that who follows asks now and then by itself too.
   */
  watch(onChange: () => void): () => void;
  close(): Promise<void>;
}

/** Position of a change in the whole log, from 1. */
export type ChangeId = number;

/** A line of revisions: of an environment; of a project (`environment` absent); of the workspace (both absent). */
export interface Stream {
  readonly project?: string;
  readonly environment?: string;
}

export interface StreamRevision extends Stream {
  readonly revision: Revision;
}

/** A stream with the revision a commit was decided on. */
export interface Raise extends StreamRevision {
  /** The revision it makes. Absent: the next one. Higher where those between were served and lost: none is made twice. */
  readonly to?: Revision;
}

/** Where a document lives: the kind and key are unique inside its stream. */
export interface DocumentId extends Stream {
  readonly kind: string;
  readonly key: string;
}

/** A document as a commit writes it; `body` absent removes it. */
export interface DocumentWrite extends DocumentId {
  readonly body?: Json;
}

/** A document with the revision of its stream at which it was last written. */
export interface StoredDocument extends DocumentWrite {
  readonly revision: Revision;
}

/** The audit row of a commit, as the committer writes it. */
export interface ChangeDraft extends Stream {
  readonly at: EpochMs;
  readonly actor: { readonly id: string; readonly name: string };
  readonly reason?: string;
  readonly requestId: string;
  readonly action: string;
  readonly target: { readonly kind: string; readonly key: string };
  readonly before?: Json;
  readonly after?: Json;
  /** Who approved it, where a project asks for approvals. */
  readonly approvals?: readonly { readonly id: string; readonly name: string; readonly at: EpochMs }[];
}

export interface StoredChange extends ChangeDraft {
  readonly id: ChangeId;
  /** Revision the change made in its own stream. */
  readonly revision: Revision;
  /** Every stream it raised, with the revision it made there. */
  readonly raised: readonly StreamRevision[];
}

export interface IdempotencyKey {
  /** Who sent the key: the same text from two actors is two keys. */
  readonly scope: string;
  readonly key: string;
}

export interface StoredAnswer {
  /** Hash of the request the answer belongs to. */
  readonly fingerprint: string;
  readonly answer: Json;
}

export interface Commit {
  /** Streams this raises, each with the revision the commit was decided on; the change's own stream among them. */
  readonly raises: readonly Raise[];
  readonly change: ChangeDraft;
  readonly documents: readonly DocumentWrite[];
  readonly idempotency?: IdempotencyKey & StoredAnswer;
}

export type CommitOutcome =
  | { readonly status: "committed"; readonly id: ChangeId }
  /** A stream is no longer at the revision the commit was decided on; nothing was written. */
  | { readonly status: "conflict"; readonly stream: StreamRevision }
  /** The idempotency key was used before; nothing was written. */
  | ({ readonly status: "repeated" } & StoredAnswer);

export interface Kept {
  readonly position: ChangeId;
  readonly streams: readonly StreamRevision[];
  readonly documents: readonly StoredDocument[];
  /** Absent where there is no change yet. */
  readonly marks?: Marks;
}

/** The marks of a log's first change, by which it is known from another log, and of its last one. */
export interface Marks {
  readonly first: string;
  readonly last: string;
}

/** A commit as a follower reads it. */
export interface Entry {
  readonly id: ChangeId;
  readonly raised: readonly StreamRevision[];
  readonly documents: readonly StoredDocument[];
}

export interface ChangeFilter {
  /** Absent: the workspace's own changes and every project's. */
  readonly project?: string;
  /** Changes that raised this environment. */
  readonly environment?: string;
  /** Changes that raised one of these environments, or none at all. */
  readonly visibleEnvironments?: readonly string[];
  readonly actor?: string;
  readonly action?: string;
  readonly targetKind?: string;
  readonly targetKey?: string;
  /** At or after. */
  readonly from?: EpochMs;
  /** Before. */
  readonly to?: EpochMs;
  /** Older than this change: the cursor of a list. */
  readonly olderThan?: ChangeId;
}
