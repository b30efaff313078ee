import type {
  ChangeId,
  Commit,
  CommitOutcome,
  DocumentWrite,
  IdempotencyKey,
  Raise,
  StoredAnswer,
  StreamRevision,
} from "./change-log.ts";
import { reached } from "./raise.ts";
import { columnText, jsonText, place, type SqlRow, streamKey } from "./rows.ts";

/** What commits that arrive together are decided on. */
export interface Ground {
  readonly position: ChangeId;
  /** Streams they raise; absent ones were never raised. */
  readonly streams: readonly StreamRevision[];
  /** Answers under their idempotency keys. */
  readonly answers: readonly (IdempotencyKey & StoredAnswer)[];
}

/** What becomes of them, as rows to write in one transaction. */
export interface Group {
  readonly outcomes: readonly CommitOutcome[];
  readonly position: ChangeId;
  readonly changes: readonly SqlRow[];
  readonly streams: readonly SqlRow[];
  readonly raises: readonly SqlRow[];
  readonly versions: readonly SqlRow[];
  /** The last write of each document. */
  readonly documents: readonly SqlRow[];
  readonly removed: readonly SqlRow[];
  readonly answers: readonly SqlRow[];
}

/** Decides commits one after another, each on what the ones before it lead to. Pure. */
export function decideGroup(commits: readonly Commit[], ground: Ground): Group {
  const draft = new GroupDraft(ground);
  const outcomes = commits.map((commit) => draft.decide(commit));
  return { outcomes, ...draft.rows() };
}

class GroupDraft {
  #position: ChangeId;
  readonly #revisions: Map<string, number>;
  readonly #answered: Map<string, StoredAnswer>;
  readonly #changes: SqlRow[] = [];
  readonly #streams = new Map<string, SqlRow>();
  readonly #raises: SqlRow[] = [];
  readonly #versions: SqlRow[] = [];
  readonly #documents = new Map<string, SqlRow>();
  readonly #answers: SqlRow[] = [];

  constructor({ position, streams, answers }: Ground) {
    this.#position = position;
    this.#revisions = new Map(streams.map((stream) => [streamKey(stream), stream.revision]));
    this.#answered = new Map(answers.map(({ fingerprint, answer, ...key }) => [answerKey(key), { fingerprint, answer }]));
  }

  /** All checks come before the first row: a refused commit leaves nothing behind. */
  decide(commit: Commit): CommitOutcome {
    const answered = commit.idempotency === undefined ? undefined : this.#answered.get(answerKey(commit.idempotency));
    if (answered !== undefined) return { status: "repeated", ...answered };
    const moved = commit.raises.find((raise) => this.#revision(raise) !== raise.revision);
    if (moved !== undefined) return { status: "conflict", stream: { ...moved, revision: this.#revision(moved) } };
    this.#position += 1;
    this.#addChange(commit);
    const made = new Map(commit.raises.map((raise) => [streamKey(raise), reached(raise)]));
    for (const raise of commit.raises) this.#raise(raise);
    for (const document of commit.documents) this.#write(document, made.get(streamKey(document)) ?? 0);
    this.#keepAnswer(commit);
    return { status: "committed", id: this.#position };
  }

  rows(): Omit<Group, "outcomes"> {
    const documents = [...this.#documents.values()];
    return {
      position: this.#position,
      changes: this.#changes,
      streams: [...this.#streams.values()],
      raises: this.#raises,
      versions: this.#versions,
      documents: documents.filter(({ body }) => body !== null),
      removed: documents.filter(({ body }) => body === null),
      answers: this.#answers,
    };
  }

  #revision(stream: StreamRevision): number {
    return this.#revisions.get(streamKey(stream)) ?? 0;
  }

  #addChange({ change, raises }: Commit): void {
    const own = raises.find((raise) => streamKey(raise) === streamKey(change));
    if (own === undefined) throw new Error("a commit must raise the stream of its change");
    const [project, environment] = place(change);
    this.#changes.push({
      id: this.#position,
      project,
      environment,
      revision: reached(own),
      at: change.at,
      actor_id: change.actor.id,
      actor_name: columnText(change.actor.name),
      reason: change.reason === undefined ? null : columnText(change.reason),
      request_id: change.requestId,
      action: change.action,
      target_kind: change.target.kind,
      target_key: change.target.key,
      before: jsonText(change.before),
      after: jsonText(change.after),
      approvals: change.approvals === undefined ? null : JSON.stringify(change.approvals),
    });
  }

  #raise(raise: Raise): void {
    const [project, environment] = place(raise);
    const revision = reached(raise);
    this.#revisions.set(streamKey(raise), revision);
    this.#streams.set(streamKey(raise), { project, environment, revision });
    this.#raises.push({ project, environment, revision, change_id: this.#position });
  }

  #write(document: DocumentWrite, revision: number): void {
    const [project, environment] = place(document);
    const { kind, key } = document;
    const body = jsonText(document.body);
    this.#documents.set(JSON.stringify([project, environment, kind, key]), { project, environment, kind, key, revision, body });
    this.#versions.push({ project, environment, kind, key, change_id: this.#position, revision, body });
  }

  #keepAnswer({ idempotency, change }: Commit): void {
    if (idempotency === undefined) return;
    const { scope, key, fingerprint, answer } = idempotency;
    this.#answered.set(answerKey(idempotency), { fingerprint, answer });
    this.#answers.push({ scope, key, fingerprint, answer: JSON.stringify(answer), at: change.at });
  }
}

const answerKey = ({ scope, key }: IdempotencyKey): string => JSON.stringify([scope, key]);
