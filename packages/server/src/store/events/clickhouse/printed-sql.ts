/* A query in ClickHouse's words, for people who ask the server itself: the columns of a pull, in its order. */
import type { EventQuery, PrintedSql } from "../event-store.ts";
import { COLUMNS, type Column } from "../formats.ts";
import { TABLE_OF, whereOf } from "./query-sql.ts";
import type { Tables } from "./tables.ts";

/** Runs on every version: moments are whole milliseconds since 1970, since old ones have no type for them. */
export function printedSql(tables: Tables, query: EventQuery): PrintedSql {
  const columns = COLUMNS[query.kind].map(shown).join(", ");
  const sql = `select ${columns} from ${tables.name(TABLE_OF[query.kind])} where ${whereOf(query)} order by position`;
  return { dialect: "clickhouse", sql };
}

function shown({ name }: Column): string {
  return MADE[name] ?? name;
}

const MADE: Readonly<Record<string, string>> = {
  id: "concat(instance, '-', toString(seq)) as id",
  time: "time_ms",
  received_at: "toUInt64(toUInt32(received_at)) * 1000 + received_ms as received_at_ms",
  cursor: "toString(position) as cursor",
};
