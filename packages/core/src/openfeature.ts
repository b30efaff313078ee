import type { Evaluation, EvaluationErrorCode, Json, Reason } from "@belay/protocol";

/** An evaluation in the words of OpenFeature, for the providers of every platform. */
export interface Resolution<T> {
  readonly value: T;
  readonly variant?: string;
  readonly reason: Reason;
  /** Both dictionaries use the same words. */
  readonly errorCode?: EvaluationErrorCode;
  readonly flagMetadata: { readonly [name: string]: string };
}

/**
 * Reasons and error codes are OpenFeature's own; the metadata names the flag set, the version of the rules and the rule
 * that served.
 *
 * @param flagSetId `project/environment`, where it is known
 */
export function resolutionOf<T extends Json>(told: Evaluation<T>, flagSetId?: string): Resolution<T> {
  const { value, variant, reason, ruleId, revision, errorCode } = told;
  return {
    value,
    reason,
    ...(variant === undefined ? {} : { variant }),
    ...(errorCode === undefined ? {} : { errorCode }),
    flagMetadata: {
      ...(flagSetId === undefined ? {} : { flagSetId }),
      version: String(revision),
      ...(ruleId === undefined ? {} : { ruleId }),
    },
  };
}
