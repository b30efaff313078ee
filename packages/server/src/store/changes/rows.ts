import type { Json } from "@belay/protocol";
import type { ChangeFilter, Marks, StoredChange, StoredDocument, Stream, StreamRevision } from "./change-log.ts";
import { markOf } from "./raise.ts";

/** How the tables of the change log, which are the same in every SQL database, are read and asked. */

export type SqlValue = string | number | null;

export interface SqlRow {
  readonly [column: string]: SqlValue;
}

/** A stream as two columns: what is absent is empty text. */
export const place = (stream: Stream): [string, string] => [stream.project ?? "", stream.environment ?? ""];

export const streamKey = (stream: Stream): string => place(stream).join("/");

/**
 * A text of people as a column holds it in every database: of NUL, at which some end a text and which others refuse with all that
 * is committed beside it, and of halves of a character, only that something stood there is left.
 */
export const columnText = (text: string): string => Buffer.from(text).toString().replaceAll("\0", "\ufffd");

/** JSON as text; `null` for what is absent. */
export const jsonText = (value: Json | undefined): string | null => (value === undefined ? null : JSON.stringify(value));

function toStream(row: SqlRow): Stream {
  return {
    ...(row["project"] === "" ? {} : { project: String(row["project"]) }),
    ...(row["environment"] === "" ? {} : { environment: String(row["environment"]) }),
  };
}

export function toStreamRevision(row: SqlRow): StreamRevision {
  return { ...toStream(row), revision: Number(row["revision"]) };
}

export function toDocument(row: SqlRow): StoredDocument {
  return {
    ...toStreamRevision(row),
    kind: String(row["kind"]),
    key: String(row["key"]),
    ...parsed("body", row["body"]),
  };
}

export function toChange(row: SqlRow, raised: StreamRevision[]): StoredChange {
  return {
    ...toStreamRevision(row),
    id: Number(row["id"]),
    raised,
    at: Number(row["at"]),
    actor: { id: String(row["actor_id"]), name: String(row["actor_name"]) },
    ...(row["reason"] === null ? {} : { reason: String(row["reason"]) }),
    requestId: String(row["request_id"]),
    action: String(row["action"]),
    target: { kind: String(row["target_kind"]), key: String(row["target_key"]) },
    ...parsed("before", row["before"]),
    ...parsed("after", row["after"]),
    ...parsed("approvals", row["approvals"]),
  };
}

/** Of rows of `id, at, request_id`: the first and the last change, which may be one. */
export function toMarks(rows: readonly SqlRow[]): { readonly marks?: Marks } {
  const [first, last = first] = [...rows].sort((a, b) => Number(a["id"]) - Number(b["id"])).map(toMark);
  return first === undefined || last === undefined ? {} : { marks: { first, last } };
}

export function toMark(row: SqlRow): string {
  return markOf({ at: Number(row["at"]), requestId: String(row["request_id"]) });
}

/** A JSON column as a property, or nothing where it is null. */
function parsed(name: string, text: SqlValue | undefined): Record<string, never> {
  return text === null || text === undefined ? {} : ({ [name]: JSON.parse(String(text)) } as Record<string, never>);
}

/** A filter as the end of a statement, with a `?` for each value. */
export function whereOf(filter: ChangeFilter): { text: string; values: SqlValue[] } {
  const terms: string[] = [];
  const values: SqlValue[] = [];
  const add = (term: string, ...of: (SqlValue | undefined)[]): void => {
    if (of.some((value) => value === undefined)) return;
    terms.push(term);
    values.push(...(of as SqlValue[]).map((value) => (typeof value === "string" ? columnText(value) : value)));
  };
  const raisedIn = "exists (select 1 from raises r where r.change_id = changes.id and r.environment in";
  add("project = ?", filter.project);
  add(`${raisedIn} (?))`, filter.environment);
  if (filter.visibleEnvironments !== undefined) {
    const marks = filter.visibleEnvironments.map(() => "?").join(", ");
    add(`(environment = '' or environment in (${marks}))`, ...filter.visibleEnvironments);
  }
  add("actor_id = ?", filter.actor);
  add("action = ?", filter.action);
  add("target_kind = ?", filter.targetKind);
  add("target_key = ?", filter.targetKey);
  add("at >= ?", filter.from);
  add("at < ?", filter.to);
  add("id < ?", filter.olderThan);
  return { text: terms.length === 0 ? "" : `where ${terms.join(" and ")}`, values };
}
