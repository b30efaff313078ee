import type { Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { Name } from "../exposures/pull-routes.ts";
import { hasEnded, type ImportRecord, type ImportState, instanceOf } from "./import-record.ts";
import type { ImportFormat } from "./plan.ts";

/** An import as the API shows it. */
export interface ImportView {
  readonly id: string;
  readonly state: ImportState;
  readonly kind: Name;
  readonly format: ImportFormat;
  readonly environment: string;
  /** What its events have as their instance in pulls and in the ledger. */
  readonly instance: string;
  /** Of the file, inflated. */
  readonly bytes: number;
  /** Absent until the file was read through once. */
  readonly rowsTotal?: number;
  /** Read so far: those stored, and those not fit to be. */
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly createdAt: string;
  readonly endedAt?: string;
  /** Why it failed, or what it waits for. */
  readonly fault?: string;
  /** The server that has its file, where that is another one. */
  readonly server?: string;
}

const text = (description: string) => Type.String({ description });
const count = (description: string) => Type.Integer({ minimum: 0, description });

export const ImportViewSchema: Schema<ImportView> = Type.Unsafe<ImportView>(
  Type.Object(
    {
      id: text("The same for the same file under the same mapping"),
      state: text("waiting, checking, reading, finished, failed or cancelled; elsewhere where another server reads it"),
      kind: text("exposures or metric-events"),
      format: text("csv, ndjson or parquet"),
      environment: text("Where the events belong"),
      instance: text("The instance of its events"),
      bytes: count("Of the file, inflated"),
      rowsTotal: Type.Optional(count("Rows of the file; absent until it was read through once")),
      rows: count("Rows read so far"),
      accepted: count("Of these, stored"),
      rejected: count("Of these, not fit to be stored"),
      createdAt: text("RFC 3339"),
      endedAt: Type.Optional(text("RFC 3339")),
      fault: Type.Optional(text("Why it failed, or what it waits for")),
      server: Type.Optional(
        text("Host of the server that has its file, where that is another one: it alone knows how far it is"),
      ),
    },
    { additionalProperties: false },
  ),
);

export function viewOf(record: ImportRecord & { readonly server?: string }): ImportView {
  const { id, state, plan, environment, bytes, rowsTotal, rows, accepted, rejected, createdAtMs, endedAtMs, fault, server } =
    record;
  return {
    id,
    state,
    kind: plan.kind === "metrics" ? "metric-events" : "exposures",
    format: plan.format,
    environment,
    instance: instanceOf(record),
    bytes,
    ...(rowsTotal === undefined ? {} : { rowsTotal }),
    rows,
    accepted,
    rejected,
    createdAt: new Date(createdAtMs).toISOString(),
    ...(endedAtMs === undefined || !hasEnded(record) ? {} : { endedAt: new Date(endedAtMs).toISOString() }),
    ...(fault === undefined ? {} : { fault }),
    ...(server === undefined ? {} : { server }),
  };
}
