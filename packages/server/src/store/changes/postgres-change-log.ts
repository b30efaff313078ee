import type { EpochMs } from "@belay/protocol";
import type pg from "pg";
import { PostgresListener } from "../postgres/listener.ts";
import { type PostgresOptions, PostgresSession } from "../postgres/session.ts";
import type {
  ChangeFilter,
  ChangeId,
  ChangeLog,
  Commit,
  CommitOutcome,
  Entry,
  IdempotencyKey,
  Kept,
  StoredAnswer,
  StoredChange,
  StoredDocument,
  Stream,
  StreamRevision,
} from "./change-log.ts";
import { decideGroup, type Ground, type Group } from "./group.ts";
import { place, type SqlRow, toChange, toDocument, toMark, toMarks, toStreamRevision, whereOf } from "./rows.ts";

/** Told to every node with each commit; the payload does not matter, the log is what they read. */
const CHANNEL = "belay_changes";

/**
 * The change log on PostgreSQL, for several nodes. Commits are taken one group after the other under a lock on the row
 * that holds the position, so that ids rise in the order in which commits become visible: a follower that read up to an id
 * has missed nothing before it.
 */
export function postgresChangeLog(options: PostgresOptions): ChangeLog {
  return new PostgresChangeLog(new PostgresSession(options, { name: "The change log", connectionsMax: 8 }));
}

interface Waiting {
  readonly commit: Commit;
  readonly resolve: (outcome: CommitOutcome) => void;
  readonly reject: (error: unknown) => void;
}

class PostgresChangeLog implements ChangeLog {
  readonly #session: PostgresSession;
  readonly #watches = new Set<PostgresListener>();
  #waiting: Waiting[] = [];
  #isCommitting = false;

  constructor(session: PostgresSession) {
    this.#session = session;
  }

  commit(commit: Commit): Promise<CommitOutcome> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ commit, resolve, reject });
      if (!this.#isCommitting) void this.#commitWaiting();
    });
  }

  /** What arrives while a group is on its way makes the next one: one transaction each. */
  async #commitWaiting(): Promise<void> {
    this.#isCommitting = true;
    // After this turn: what is committed together arrives together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        const outcomes = await this.#commitGroup(group.map(({ commit }) => commit));
        for (const [index, { resolve }] of group.entries()) resolve(outcomes[index] as CommitOutcome);
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.#isCommitting = false;
  }

  #commitGroup(commits: readonly Commit[]): Promise<readonly CommitOutcome[]> {
    return this.#session.transaction(async (client) => {
      const group = decideGroup(commits, await readGround(client, commits));
      if (group.changes.length > 0) await writeGroup(client, group);
      return group.outcomes;
    });
  }

  async answer({ scope, key }: IdempotencyKey): Promise<StoredAnswer | undefined> {
    const [row] = await this.#session.all("select fingerprint, answer from answers where scope = ? and key = ?", [scope, key]);
    return row === undefined ? undefined : toAnswer(row);
  }

  async forgetAnswers(before: EpochMs): Promise<number> {
    return (await this.#session.all("delete from answers where at < ? returning 1", [before])).length;
  }

  load(): Promise<Kept> {
    return this.#session.transaction(async (client) => {
      // One picture of the tables.
      await client.query("set transaction isolation level repeatable read read only");
      const head = await client.query<SqlRow>("select position from head");
      const streams = await client.query<SqlRow>("select project, environment, revision from streams");
      const documents = await client.query<SqlRow>("select project, environment, kind, key, revision, body from documents");
      const ends = await client.query<SqlRow>(
        "select id, at, request_id from changes where id in ((select min(id) from changes), (select max(id) from changes))",
      );
      return {
        position: Number(head.rows[0]?.["position"]),
        streams: streams.rows.map(toStreamRevision),
        documents: documents.rows.map(toDocument),
        ...toMarks(ends.rows),
      };
    });
  }

  async documentsAt(project: string, position: ChangeId): Promise<readonly StoredDocument[]> {
    const rows = await this.#session.all(
      `select distinct on (environment, kind, key) project, environment, kind, key, revision, body from document_versions
       where project = ? and change_id <= ? order by environment, kind, key, change_id desc`,
      [project, position],
    );
    return rows.filter((row) => row["body"] !== null).map(toDocument);
  }

  async positionOf(stream: Stream, revision: number): Promise<ChangeId | undefined> {
    const [row] = await this.#session.all("select change_id from raises where project = ? and environment = ? and revision = ?", [
      ...place(stream),
      revision,
    ]);
    return row === undefined ? undefined : Number(row["change_id"]);
  }

  async entriesAfter(position: ChangeId, limit: number): Promise<readonly Entry[]> {
    const ids = (await this.#session.all("select id from changes where id > ? order by id limit ?", [position, limit])).map(
      ({ id }) => Number(id),
    );
    const last = ids.at(-1);
    if (last === undefined) return [];
    const [raised, written] = await Promise.all([
      this.#raisedIn(position + 1, last),
      this.#session.all(
        `select change_id, project, environment, kind, key, revision, body from document_versions
         where change_id > ? and change_id <= ? order by change_id, kind, key`,
        [position, last],
      ),
    ]);
    const documents = byChange(written, toDocument);
    return ids.map((id) => ({ id, raised: raised.get(id) ?? [], documents: documents.get(id) ?? [] }));
  }

  async changes(filter: ChangeFilter, limit: number): Promise<readonly StoredChange[]> {
    const { text, values } = whereOf(filter);
    return this.#toChanges(await this.#session.all(`select * from changes ${text} order by id desc limit ?`, [...values, limit]));
  }

  async change(id: ChangeId): Promise<StoredChange | undefined> {
    return (await this.#toChanges(await this.#session.all("select * from changes where id = ?", [id])))[0];
  }

  async markOf(id: ChangeId): Promise<string | undefined> {
    const [row] = await this.#session.all("select at, request_id from changes where id = ?", [id]);
    return row === undefined ? undefined : toMark(row);
  }

  async #toChanges(rows: readonly SqlRow[]): Promise<StoredChange[]> {
    const ids = rows.map(({ id }) => Number(id));
    if (ids.length === 0) return [];
    const raised = await this.#raisedIn(Math.min(...ids), Math.max(...ids));
    return rows.map((row) => toChange(row, raised.get(Number(row["id"])) ?? []));
  }

  async #raisedIn(first: ChangeId, last: ChangeId): Promise<Map<ChangeId, StreamRevision[]>> {
    const sql = "select change_id, project, environment, revision from raises where change_id between ? and ?";
    return byChange(await this.#session.all(sql, [first, last]), toStreamRevision);
  }

  async takeLease(name: string, holder: string, times: { now: EpochMs; until: EpochMs }): Promise<number | undefined> {
    const [row] = await this.#session.all(
      `insert into leases as held (name, holder, fence, until) values (?, ?, 1, ?)
       on conflict (name) do update set until = excluded.until, holder = excluded.holder,
         fence = held.fence + (case when held.holder = excluded.holder and held.until > ? then 0 else 1 end)
       where held.holder = excluded.holder or held.until <= ? returning fence`,
      [name, holder, times.until, times.now, times.now],
    );
    return row === undefined ? undefined : Number(row["fence"]);
  }

  async releaseLease(name: string, holder: string): Promise<void> {
    await this.#session.all("update leases set until = 0 where name = ? and holder = ?", [name, holder]);
  }

  watch(onChange: () => void): () => void {
    const watch = new PostgresListener(this.#session, CHANNEL, () => onChange());
    this.#watches.add(watch);
    return () => {
      this.#watches.delete(watch);
      watch.stop();
    };
  }

  async close(): Promise<void> {
    for (const watch of this.#watches) watch.stop();
    await this.#session.end();
  }
}

/** What a group is decided on, read under the lock that keeps it as it is until the end of the transaction. */
async function readGround(client: pg.PoolClient, commits: readonly Commit[]): Promise<Ground> {
  const head = await client.query<SqlRow>("select position from head for update");
  const places = commits.flatMap(({ raises }) => raises.map(place));
  const streams = await client.query<SqlRow>(
    `select project, environment, revision from streams
     where (project, environment) in (select * from unnest($1::text[], $2::text[]))`,
    [places.map(([project]) => project), places.map(([, environment]) => environment)],
  );
  const keys = commits.flatMap(({ idempotency }) => (idempotency === undefined ? [] : [idempotency]));
  const answers =
    keys.length === 0
      ? []
      : (
          await client.query<SqlRow>(
            `select scope, key, fingerprint, answer from answers
             where (scope, key) in (select * from unnest($1::text[], $2::text[]))`,
            [keys.map(({ scope }) => scope), keys.map(({ key }) => key)],
          )
        ).rows;
  return {
    position: Number(head.rows[0]?.["position"]),
    streams: streams.rows.map(toStreamRevision),
    answers: answers.map((row) => ({ scope: String(row["scope"]), key: String(row["key"]), ...toAnswer(row) })),
  };
}

/** Five statements, whatever the number of commits. */
async function writeGroup(client: pg.PoolClient, group: Group): Promise<void> {
  const insert = (table: string, rows: readonly SqlRow[], conflict = ""): Promise<unknown> =>
    rows.length === 0
      ? Promise.resolve()
      : client.query(`insert into ${table} select * from json_populate_recordset(null::${table}, $1) ${conflict}`, [
          JSON.stringify(rows),
        ]);
  await insert("changes", group.changes);
  await insert("streams", group.streams, "on conflict (project, environment) do update set revision = excluded.revision");
  await insert("raises", group.raises);
  await insert("document_versions", group.versions);
  await insert(
    "documents",
    group.documents,
    "on conflict (project, environment, kind, key) do update set revision = excluded.revision, body = excluded.body",
  );
  for (const { project, environment, kind, key } of group.removed) {
    await client.query("delete from documents where project = $1 and environment = $2 and kind = $3 and key = $4", [
      project,
      environment,
      kind,
      key,
    ]);
  }
  await insert("answers", group.answers);
  await client.query("update head set position = $1", [group.position]);
  await client.query("select pg_notify($1, '')", [CHANNEL]);
}

function toAnswer(row: SqlRow): StoredAnswer {
  return { fingerprint: String(row["fingerprint"]), answer: JSON.parse(String(row["answer"])) };
}

function byChange<T>(rows: readonly SqlRow[], read: (row: SqlRow) => T): Map<ChangeId, T[]> {
  const groups = new Map<ChangeId, T[]>();
  for (const row of rows) {
    const id = Number(row["change_id"]);
    const group = groups.get(id) ?? [];
    group.push(read(row));
    groups.set(id, group);
  }
  return groups;
}
