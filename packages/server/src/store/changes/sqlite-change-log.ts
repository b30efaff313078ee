import type { EpochMs, Json } from "@belay/protocol";
import type { SqliteDriver } from "../sqlite/driver.ts";
import { storeFault } from "../sqlite/faults.ts";
import { migrate } from "../sqlite/migrations.ts";
import type {
  ChangeFilter,
  ChangeId,
  ChangeLog,
  Commit,
  CommitOutcome,
  DocumentWrite,
  Entry,
  IdempotencyKey,
  Kept,
  Raise,
  StoredAnswer,
  StoredChange,
  StoredDocument,
  Stream,
  StreamRevision,
} from "./change-log.ts";
import { MIGRATIONS } from "./migrations.ts";
import { reached } from "./raise.ts";
import {
  columnText,
  jsonText,
  place,
  streamKey,
  toChange,
  toDocument,
  toMark,
  toMarks,
  toStreamRevision,
  whereOf,
} from "./rows.ts";

/**
 * The embedded change log on one SQLite file. `synchronous=FULL` is what makes an acknowledged commit survive a power
 * cut: at NORMAL the write-ahead log is not synced per commit and acknowledged changes were lost in measurements.
 */
export function sqliteChangeLog(driver: SqliteDriver): ChangeLog {
  driver.exec("pragma busy_timeout = 5000");
  driver.exec("pragma journal_mode = wal");
  driver.exec("pragma synchronous = full");
  driver.exec("pragma foreign_keys = on");
  migrate(driver, MIGRATIONS);
  return new SqliteChangeLog(driver);
}

interface Waiting {
  readonly commit: Commit;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: unknown) => void;
}

class SqliteChangeLog implements ChangeLog {
  readonly #driver: SqliteDriver;
  #waiting: Waiting[] = [];

  constructor(driver: SqliteDriver) {
    this.#driver = driver;
  }

  commit(commit: Commit): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ commit, resolve, reject });
      // Commits of one turn of the event loop share a transaction, and so one fsync.
      if (this.#waiting.length === 1) queueMicrotask(() => this.#commitWaiting());
    });
  }

  #commitWaiting(): void {
    const group = this.#waiting;
    this.#waiting = [];
    try {
      const outcomes = this.#driver.transaction(() => group.map(({ commit }) => this.#commitOne(commit)));
      for (const [index, { resolve }] of group.entries()) resolve(outcomes[index] as CommitOutcome);
    } catch (error) {
      for (const { reject } of group) reject(storeFault(error));
    }
  }

  /** All checks come before the first write, so a refused commit leaves nothing behind in the shared transaction. */
  #commitOne(commit: Commit): CommitOutcome {
    if (commit.idempotency !== undefined) {
      const answered = this.#answer(commit.idempotency);
      if (answered !== undefined) return { status: "repeated", ...answered };
    }
    const moved = commit.raises.find((raise) => this.#revision(raise) !== raise.revision);
    if (moved !== undefined) return { status: "conflict", stream: { ...moved, revision: this.#revision(moved) } };
    const id = this.#insertChange(commit);
    const made = new Map(commit.raises.map((raise) => [streamKey(raise), reached(raise)]));
    for (const raise of commit.raises) this.#raise(raise, id);
    for (const document of commit.documents) this.#write(document, made.get(streamKey(document)) ?? 0, id);
    if (commit.idempotency !== undefined) this.#keepAnswer(commit.idempotency, commit.change.at);
    return { status: "committed", id };
  }

  #revision(stream: Stream): number {
    const [row] = this.#driver.all("select revision from streams where project = ? and environment = ?", place(stream));
    return row === undefined ? 0 : Number(row["revision"]);
  }

  #insertChange({ change, raises }: Commit): ChangeId {
    const own = raises.find((raise) => streamKey(raise) === streamKey(change));
    if (own === undefined) throw new Error("a commit must raise the stream of its change");
    return this.#driver.insert(
      `insert into changes (project, environment, revision, at, actor_id, actor_name, reason, request_id, action, target_kind,
       target_key, before, after, approvals) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      [
        ...place(change),
        reached(own),
        change.at,
        change.actor.id,
        columnText(change.actor.name),
        change.reason === undefined ? null : columnText(change.reason),
        change.requestId,
        change.action,
        change.target.kind,
        change.target.key,
        jsonText(change.before),
        jsonText(change.after),
        jsonText(change.approvals as Json | undefined),
      ],
    );
  }

  #raise(raise: Raise, id: ChangeId): void {
    this.#driver.run(
      `insert into streams (project, environment, revision) values (?, ?, ?)
       on conflict (project, environment) do update set revision = excluded.revision`,
      [...place(raise), reached(raise)],
    );
    // The primary key is the last guard: no two changes ever make the same revision of a stream.
    this.#driver.run("insert into raises (project, environment, revision, change_id) values (?, ?, ?, ?)", [
      ...place(raise),
      reached(raise),
      id,
    ]);
  }

  #write(document: DocumentWrite, revision: number, id: ChangeId): void {
    const body = jsonText(document.body);
    const where = [...place(document), document.kind, document.key];
    if (body === null) {
      this.#driver.run("delete from documents where project = ? and environment = ? and kind = ? and key = ?", where);
    } else {
      this.#driver.run(
        `insert into documents (project, environment, kind, key, revision, body) values (?, ?, ?, ?, ?, ?)
         on conflict (project, environment, kind, key) do update set revision = excluded.revision, body = excluded.body`,
        [...where, revision, body],
      );
    }
    this.#driver.run(
      `insert into document_versions (project, environment, kind, key, change_id, revision, body) values (?, ?, ?, ?, ?, ?, ?)`,
      [...where, id, revision, body],
    );
  }

  #keepAnswer({ scope, key, fingerprint, answer }: IdempotencyKey & StoredAnswer, at: EpochMs): void {
    this.#driver.run("insert into answers (scope, key, fingerprint, answer, at) values (?, ?, ?, ?, ?)", [
      scope,
      key,
      fingerprint,
      JSON.stringify(answer),
      at,
    ]);
  }

  #answer({ scope, key }: IdempotencyKey): StoredAnswer | undefined {
    const [row] = this.#driver.all("select fingerprint, answer from answers where scope = ? and key = ?", [scope, key]);
    return row === undefined
      ? undefined
      : { fingerprint: String(row["fingerprint"]), answer: JSON.parse(String(row["answer"])) as Json };
  }

  async answer(key: IdempotencyKey): Promise<StoredAnswer | undefined> {
    return guarded(() => this.#answer(key));
  }

  async forgetAnswers(before: EpochMs): Promise<number> {
    return guarded(() => this.#driver.run("delete from answers where at < ?", [before]));
  }

  async load(): Promise<Kept> {
    return guarded(() =>
      this.#driver.transaction(() => ({
        position: Number(this.#driver.all("select coalesce(max(id), 0) as id from changes", [])[0]?.["id"]),
        streams: this.#driver.all("select project, environment, revision from streams", []).map(toStreamRevision),
        documents: this.#driver.all("select project, environment, kind, key, revision, body from documents", []).map(toDocument),
        ...toMarks(
          this.#driver.all(
            `select id, at, request_id from changes
             where id in ((select min(id) from changes), (select max(id) from changes))`,
            [],
          ),
        ),
      })),
    );
  }

  async documentsAt(project: string, position: ChangeId): Promise<readonly StoredDocument[]> {
    return guarded(() =>
      this.#driver
        .all(
          `select project, environment, kind, key, revision, body, max(change_id) from document_versions
           where project = ? and change_id <= ? group by environment, kind, key`,
          [project, position],
        )
        .filter((row) => row["body"] !== null)
        .map(toDocument),
    );
  }

  async positionOf(stream: Stream, revision: number): Promise<ChangeId | undefined> {
    return guarded(() => {
      const [row] = this.#driver.all("select change_id from raises where project = ? and environment = ? and revision = ?", [
        ...place(stream),
        revision,
      ]);
      return row === undefined ? undefined : Number(row["change_id"]);
    });
  }

  async entriesAfter(position: ChangeId, limit: number): Promise<readonly Entry[]> {
    return guarded(() =>
      this.#driver.all("select id from changes where id > ? order by id limit ?", [position, limit]).map((row) => {
        const id = Number(row["id"]);
        return { id, raised: this.#raised(id), documents: this.#written(id) };
      }),
    );
  }

  #raised(id: ChangeId): StreamRevision[] {
    return this.#driver.all("select project, environment, revision from raises where change_id = ?", [id]).map(toStreamRevision);
  }

  #written(id: ChangeId): StoredDocument[] {
    return this.#driver
      .all(
        "select project, environment, kind, key, revision, body from document_versions where change_id = ? order by kind, key",
        [id],
      )
      .map(toDocument);
  }

  async changes(filter: ChangeFilter, limit: number): Promise<readonly StoredChange[]> {
    const { text, values } = whereOf(filter);
    return guarded(() =>
      this.#driver
        .all(`select * from changes ${text} order by id desc limit ?`, [...values, limit])
        .map((row) => toChange(row, this.#raised(Number(row["id"])))),
    );
  }

  async markOf(id: ChangeId): Promise<string | undefined> {
    return guarded(() => this.#driver.all("select at, request_id from changes where id = ?", [id]).map(toMark)[0]);
  }

  async change(id: ChangeId): Promise<StoredChange | undefined> {
    return guarded(() => {
      const [row] = this.#driver.all("select * from changes where id = ?", [id]);
      return row === undefined ? undefined : toChange(row, this.#raised(id));
    });
  }

  async takeLease(name: string, holder: string, times: { now: EpochMs; until: EpochMs }): Promise<number | undefined> {
    return guarded(() => {
      const [row] = this.#driver.all(
        `insert into leases (name, holder, fence, until) values (?, ?, 1, ?)
         on conflict (name) do update set until = excluded.until, holder = excluded.holder,
           fence = fence + (case when holder = excluded.holder and until > ? then 0 else 1 end)
         where holder = excluded.holder or until <= ? returning fence`,
        [name, holder, times.until, times.now, times.now],
      );
      return row === undefined ? undefined : Number(row["fence"]);
    });
  }

  async releaseLease(name: string, holder: string): Promise<void> {
    // The row stays, so that the fence goes on rising.
    guarded(() => this.#driver.run("update leases set until = 0 where name = ? and holder = ?", [name, holder]));
  }

  /** The file belongs to one process. */
  watch(): () => void {
    return () => undefined;
  }

  async close(): Promise<void> {
    this.#driver.close();
  }
}

function guarded<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw storeFault(error);
  }
}
