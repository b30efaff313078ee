import type { EvaluationErrorCode, Reason } from "../evaluation.ts";
import { oneOf } from "./flag.ts";
import type { Schema } from "./schema.ts";

/** Why an evaluation gave what it did, in OpenFeature's words. */
export const EvaluationReasonSchema: Schema<Reason> = oneOf([
  "STATIC",
  "TARGETING_MATCH",
  "SPLIT",
  "DEFAULT",
  "DISABLED",
  "CACHED",
  "STALE",
  "UNKNOWN",
  "ERROR",
]);

export const EvaluationErrorCodeSchema: Schema<EvaluationErrorCode> = oneOf([
  "FLAG_NOT_FOUND",
  "TYPE_MISMATCH",
  "TARGETING_KEY_MISSING",
  "PROVIDER_NOT_READY",
  "PARSE_ERROR",
  "GENERAL",
]);
