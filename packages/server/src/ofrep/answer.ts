/* How a decision is said in OpenFeature's remote evaluation protocol (OFREP). Pure: outcome in, JSON text out. */
import type { Outcome } from "@belay/core";
import type { EvaluationContext, FlagKey, FlagMetadata } from "@belay/protocol";

/** OFREP's words for what went wrong. */
export type OfrepErrorCode = "PARSE_ERROR" | "TARGETING_KEY_MISSING" | "INVALID_CONTEXT" | "FLAG_NOT_FOUND" | "GENERAL";

/** An evaluation that failed, alone or among others. */
export interface OfrepFailure {
  readonly key: FlagKey;
  readonly errorCode: OfrepErrorCode;
  readonly errorDetails: string;
}

/**
 * What is said where a flag serves the caller's default: a success without a value, as the protocol has it; an error, for
 * clients that take such a success for a broken answer; or nothing, as if there were no such flag.
 */
export type DefaultsMode = (typeof DEFAULTS_MODES)[number];

export const DEFAULTS_MODES = ["valueless", "error", "omit"] as const;

/** Why the outcome has no answer of its own; `undefined` where it has one, be it without a value. */
export function failureOf(key: FlagKey, { errorCode }: Outcome, defect?: string): OfrepFailure | undefined {
  switch (errorCode) {
    case undefined:
      return undefined;
    case "FLAG_NOT_FOUND":
      return missing(key);
    case "TARGETING_KEY_MISSING":
      return { key, errorCode, errorDetails: "The flag divides units, and the context has none: send `targetingKey`." };
    case "PARSE_ERROR":
      return { key, errorCode, errorDetails: `The flag's definition is malformed: ${defect ?? "it could not be read"}.` };
    default:
      return { key, errorCode: "GENERAL", errorDetails: "The flag could not be evaluated." };
  }
}

export function missing(key: FlagKey): OfrepFailure {
  return { key, errorCode: "FLAG_NOT_FOUND", errorDetails: "There is no such flag for this SDK key." };
}

/** The explicit form of "use your default". */
export function useDefault(key: FlagKey): OfrepFailure {
  return { key, errorCode: "GENERAL", errorDetails: "The flag serves no value here: use the default." };
}

/** The text of a success, in two parts: what every person hears, and the end, which may name the one who asked. */
export interface SuccessText {
  /** `{"key", "value"?, "reason", "variant"?, "metadata": {…`, the metadata not closed. */
  readonly opening: string;
  /** Absent where nothing is tracked. */
  readonly tracks: Outcome["tracks"];
}

/**
 * Puts an outcome into words.
 *
 * @param set text of the metadata that all answers of a revision have
 * @param own what the flag's owner says of it, under names that are not Belay's
 */
export function successOf(
  key: FlagKey,
  { value, reason, variant, ruleId, tracks }: Outcome,
  set: string,
  own: FlagMetadata = {},
): SuccessText {
  const { experiment, release, epoch } = tracks ?? {};
  const answer = fields({ value, reason, variant });
  const metadata = fields({ ...own, ruleId, experiment, release, epoch });
  return { opening: `{"key":${JSON.stringify(key)}${answer},"metadata":{${set}${metadata}`, tracks };
}

/** The whole text for one context. Names whom an exposure would be of: a client need not know by what a split divides. */
export function textFor({ opening, tracks }: SuccessText, context: EvaluationContext): string {
  const unit = tracks?.unit(context);
  return unit === undefined ? `${opening}}}` : `${opening},"unit":${JSON.stringify(unit)}}}`;
}

/** Text of the metadata that all answers of a revision have. */
export function setMetadata(flagSetId: string, revision: number): string {
  return `"flagSetId":${JSON.stringify(flagSetId)},"version":"${revision}"`;
}

/** `,"name":value` for each that is there. */
function fields(named: Readonly<Record<string, unknown>>): string {
  const there = Object.entries(named).filter(([, value]) => value !== undefined);
  return there.map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`).join("");
}
