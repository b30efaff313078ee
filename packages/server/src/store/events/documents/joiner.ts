import type { DocumentFormat } from "../event-store.ts";
import { ArrowJoiner } from "./arrow.ts";
import { ParquetJoiner } from "./parquet.ts";

/** Makes one document of several of the same columns, in constant memory. */
export interface Joiner {
  /** What to write for the next one. */
  readonly add: (document: Uint8Array) => readonly Uint8Array[];
  /** What to write last. There must have been one document at least, which may be without rows. */
  readonly end: () => readonly Uint8Array[];
}

export function joinerOf(format: DocumentFormat): Joiner {
  return format === "parquet" ? new ParquetJoiner() : new ArrowJoiner();
}
