import type { ImportPlan } from "./plan.ts";
import type { RowBatch } from "./reading.ts";

/** What the server asks of the process that reads a file: to open it, then to count its rows, then for batches. */
export type ReaderQuestion =
  | { readonly open: { readonly path: string; readonly plan: ImportPlan } }
  | { readonly count: true }
  | { readonly next: { readonly above: number } };

export type ReaderAnswer =
  | { readonly opened: true }
  | { readonly rows: number }
  /** Undefined: there are no more. */
  | { readonly batch: RowBatch | undefined }
  | { readonly unreadable: string }
  | { readonly missing: { readonly field: string; readonly column: string; readonly columns: readonly string[] } };
