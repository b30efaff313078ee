import type { Evaluation, EvaluationErrorCode, FlagMetadata, Json, Reason } from "@belay/protocol";

/** How a provider of any platform behaves. */
export interface ProviderOptions {
  /** How long `initialize` waits for the server where nothing is held to decide with. @default 5,000 */
  readonly readyTimeoutMs?: number;
  /**
   * Whether an answer's metadata names, beside what the flag's owner says, where it comes from: `flagSetId` and `version`,
   * as telemetry reads them, and `ruleId`. @default true
   */
  readonly tellsOrigin?: boolean;
}

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

/** What OpenFeature tracks, as a metric event has it: the value, and beside it all the rest. */
export function metricOf<P extends object>({
  value,
  ...properties
}: P & { readonly value?: number }): {
  readonly value?: number;
  readonly properties: Omit<P, "value">;
} {
  return { ...(value === undefined ? {} : { value }), properties: properties as Omit<P, "value"> };
}
