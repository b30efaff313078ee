import type pg from "pg";
import { NewerSchemaError } from "../sqlite/migrations.ts";

/**
 * Steps that bring a PostgreSQL database to the schema of this version, in order. A step that was released is never
 * edited: a correction is a further step. `head` is one row: whoever commits locks it.
 */
const STEPS: readonly string[] = [
  `
  create table head (only_row boolean primary key default true check (only_row), position bigint not null);
  insert into head (position) values (0);

  create table streams (
    project text not null, environment text not null, revision bigint not null, primary key (project, environment)
  );

  create table changes (
    id bigint primary key, project text not null, environment text not null, revision bigint not null, at bigint not null,
    actor_id text not null, actor_name text not null, reason text, request_id text not null, action text not null,
    target_kind text not null, target_key text not null, before text, after text, approvals text
  );
  create index changes_by_project on changes (project, id);
  create index changes_by_target on changes (project, target_kind, target_key, id);

  create table raises (
    project text not null, environment text not null, revision bigint not null, change_id bigint not null references changes (id),
    primary key (project, environment, revision)
  );
  create index raises_by_change on raises (change_id);

  create table documents (
    project text not null, environment text not null, kind text not null, key text not null, revision bigint not null,
    body text not null, primary key (project, environment, kind, key)
  );

  create table document_versions (
    project text not null, environment text not null, kind text not null, key text not null, change_id bigint not null,
    revision bigint not null, body text, primary key (project, environment, kind, key, change_id)
  );
  create index document_versions_by_change on document_versions (change_id);

  create table answers (
    scope text not null, key text not null, fingerprint text not null, answer text not null, at bigint not null,
    primary key (scope, key)
  );
  create index answers_by_time on answers (at);

  create table leases (name text primary key, holder text not null, fence bigint not null, until bigint not null);
  `,
  `
  create table deliveries (
    "order" bigserial primary key, id text not null unique, project text not null, webhook text not null, type text not null,
    body text not null, created_at bigint not null, status text not null, attempts text not null, next_at bigint
  );
  create index deliveries_by_webhook on deliveries (project, webhook, "order");
  create index deliveries_by_time on deliveries (next_at) where next_at is not null;

  create table delivery_reader (
    only_row boolean primary key default true check (only_row), position bigint not null
  );
  `,
  "create index deliveries_dead on deliveries (id) where status = 'dead'",
  `
  create table sightings (
    run text not null, writer text not null, number bigint not null, body text not null, primary key (run, writer, number)
  );
  create table sighting_heads (
    run text not null, writer text not null, last bigint not null, at bigint not null, primary key (run, writer)
  );
  `,
  `
  create table server_ledgers (
    server text not null, project text not null, environment text not null, at bigint not null, body text not null,
    primary key (server, project, environment)
  );
  `,
];

/** Any number that nothing else of this database locks: servers that start at once take their turns. */
const LOCK = 4_404_404;

/** Making tables may take longer than anything else, and so may waiting for another server that does. */
export const MIGRATION_TIMEOUT_MS = 60_000;

/**
 * Brings a database up to date, over a connection of its own.
 *
 * @throws NewerSchemaError when a newer version wrote it: an older one must not touch it. What it began ends with the connection.
 */
export async function migratePostgres(client: pg.Client): Promise<void> {
  await client.query("begin");
  await client.query("select pg_advisory_xact_lock($1)", [LOCK]);
  await client.query("create table if not exists belay_schema (version integer not null)");
  const { rows } = await client.query<{ version: number }>("select coalesce(max(version), 0) as version from belay_schema");
  const found = rows[0]?.version ?? 0;
  if (found > STEPS.length) throw new NewerSchemaError(found, STEPS.length);
  for (const [index, step] of STEPS.entries()) {
    if (index < found) continue;
    await client.query(step);
    await client.query("insert into belay_schema (version) values ($1)", [index + 1]);
  }
  await client.query("commit");
}
