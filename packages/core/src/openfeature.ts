import type { Evaluation, EvaluationErrorCode, FlagMetadata, Json, Reason } from "@belay/protocol";

/** An evaluation in the words of OpenFeature, for the providers of every platform. */
export interface Resolution<T> {
  readonly value: T;
  readonly variant?: string;
  readonly reason: Reason;
  /** Both dictionaries use the same words. */
  readonly errorCode?: EvaluationErrorCode;
  readonly flagMetadata: FlagMetadata;
}

/**
 * Reasons and error codes are OpenFeature's own; the metadata is the flag's.
 *
 * @param origin what the metadata says besides, see `originOf`
 */
export function resolutionOf<T extends Json>(told: Evaluation<T>, origin: FlagMetadata = {}): Resolution<T> {
  const { value, variant, reason, errorCode, metadata } = told;
  return {
    value,
    reason,
    ...(variant === undefined ? {} : { variant }),
    ...(errorCode === undefined ? {} : { errorCode }),
    flagMetadata: { ...metadata, ...origin },
  };
}

/**
 * Where an answer comes from, under the names that telemetry reads: the flag set, the version of its rules, and the rule
 * that served.
 *
 * @param flagSetId `project/environment`, where it is known
 */
export function originOf({ revision, ruleId }: Evaluation, flagSetId?: string): FlagMetadata {
  return {
    ...(flagSetId === undefined ? {} : { flagSetId }),
    version: String(revision),
    ...(ruleId === undefined ? {} : { ruleId }),
  };
}
