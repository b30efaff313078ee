import type { Evaluation, EvaluationContext, FlagKey, FlagMetadata, Json, Revision } from "@belay/protocol";
import type { Outcome } from "./program.ts";
import type { Ruleset } from "./ruleset.ts";

/**
 * Decides a flag and says what led to it. The value always has the fallback's type: another one is `TYPE_MISMATCH`, and
 * the fallback is served.
 *
 * @example
 * const { value, variant, reason } = evaluate(ruleset, "pricing", { targetingKey: "user-42" }, "compact");
 */
export function evaluate<T extends Json>(ruleset: Ruleset, key: FlagKey, context: EvaluationContext, fallback: T): Evaluation<T> {
  return toEvaluation(ruleset.decide(key, context), fallback, ruleset.revision, ruleset.metadata(key));
}

/** An outcome as the public result. */
export function toEvaluation<T extends Json>(
  outcome: Outcome,
  fallback: T,
  revision: Revision,
  metadata: FlagMetadata | undefined,
): Evaluation<T> {
  const { value, variant, reason, ruleId, errorCode } = outcome;
  const more = metadata === undefined ? {} : { metadata };
  if (value === undefined) {
    return { value: fallback, reason, revision, ...(errorCode === undefined ? {} : { errorCode }), ...more };
  }
  if (!hasTypeOf(value, fallback)) return { value: fallback, reason: "ERROR", revision, errorCode: "TYPE_MISMATCH", ...more };
  return {
    value,
    ...(variant === undefined ? {} : { variant }),
    reason,
    ...(ruleId === undefined ? {} : { ruleId }),
    revision,
    ...more,
  };
}

/**
 * Are both booleans, texts, numbers, lists or objects? OpenFeature calls a list an object too, but who gives `[]` as the
 * default calls its methods next, and must not get `{}`. A default of `null` names no shape and takes either.
 */
export function hasTypeOf<T extends Json>(value: Json, fallback: T): value is T {
  return (
    typeof value === typeof fallback &&
    (typeof value !== "object" || fallback === null || (value !== null && Array.isArray(value) === Array.isArray(fallback)))
  );
}
