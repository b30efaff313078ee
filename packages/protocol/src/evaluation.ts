import type { FlagMetadata } from "./flag.ts";
import type { Json } from "./json.ts";
import type { Revision, VariantName } from "./names.ts";

/** OpenFeature's reasons. */
export type Reason = "STATIC" | "TARGETING_MATCH" | "SPLIT" | "DEFAULT" | "DISABLED" | "CACHED" | "STALE" | "UNKNOWN" | "ERROR";

/** OpenFeature's error codes that Belay can answer. */
export type EvaluationErrorCode =
  | "FLAG_NOT_FOUND"
  | "TYPE_MISMATCH"
  | "TARGETING_KEY_MISSING"
  | "PROVIDER_NOT_READY"
  | "PARSE_ERROR"
  | "GENERAL";

/** A decision with what led to it. `value` is the flag's, or the caller's default where the flag gave none. */
export interface Evaluation<T extends Json = Json> {
  readonly value: T;
  /** Absent when the caller's default was served. */
  readonly variant?: VariantName;
  readonly reason: Reason;
  /** Id of the rule that served; absent for fallthrough, off and errors. */
  readonly ruleId?: string;
  /** Revision of the snapshot that decided; 0 before the first one arrived. */
  readonly revision: Revision;
  readonly errorCode?: EvaluationErrorCode;
  /** What the flag's owner says of it; absent where they say nothing, and where there is no such flag. */
  readonly metadata?: FlagMetadata;
}
