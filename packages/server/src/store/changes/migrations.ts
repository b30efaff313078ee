/**
 * Steps that bring the change log's file to the schema of this version. A step that was released is never edited: a
 * correction is a further step.
 */
export const MIGRATIONS: readonly string[] = [
  `
  create table streams (
    project text not null, environment text not null, revision integer not null,
    primary key (project, environment)
  ) without rowid;

  create table changes (
    id integer primary key, project text not null, environment text not null, revision integer not null,
    at integer not null, actor_id text not null, actor_name text not null, reason text, request_id text not null,
    action text not null, target_kind text not null, target_key text not null, before text, after text, approvals text
  );
  create index changes_by_project on changes (project, id);
  create index changes_by_target on changes (project, target_kind, target_key, id);

  create table raises (
    project text not null, environment text not null, revision integer not null, change_id integer not null references changes (id),
    primary key (project, environment, revision)
  ) without rowid;
  create index raises_by_change on raises (change_id);

  create table documents (
    kind text not null, project text not null, environment text not null, key text not null,
    revision integer not null, body text not null,
    primary key (project, environment, kind, key)
  ) without rowid;

  create table document_versions (
    project text not null, environment text not null, kind text not null, key text not null, change_id integer not null,
    revision integer not null, body text,
    primary key (project, environment, kind, key, change_id)
  ) without rowid;
  create index document_versions_by_change on document_versions (change_id);

  create table answers (
    scope text not null, key text not null, fingerprint text not null, answer text not null, at integer not null,
    primary key (scope, key)
  ) without rowid;
  create index answers_by_time on answers (at);

  create table leases (
    name text primary key, holder text not null, fence integer not null, until integer not null
  ) without rowid;
  `,
];
