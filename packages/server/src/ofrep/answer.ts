/* How a decision is said in OpenFeature's remote evaluation protocol (OFREP). Pure: outcome in, JSON text out. */
import type { Outcome } from "@belay/core";
import type { EvaluationContext, FlagKey } from "@belay/protocol";

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

/**
 * The text of a success: `{"key", "value"?, "reason", "variant"?, "metadata"}`.
 *
 * @param opening `{"key":"…"`, made once a flag
 * @param shared text of the metadata that all answers of a revision have, made once a revision
 */
export function successText(opening: string, outcome: Outcome, shared: string, context: EvaluationContext): string {
  const { answer, metadata } = saidOf(outcome);
  return `${opening}${answer},"metadata":{${shared}${metadata}${unitText(outcome, context)}}}`;
}

/** Text of the metadata that all answers of a revision have. */
export function sharedMetadata(flagSetId: string, revision: number): string {
  return `"flagSetId":${JSON.stringify(flagSetId)},"version":"${revision}"`;
}

export function openingOf(key: FlagKey): string {
  return `{"key":${JSON.stringify(key)}`;
}

interface Said {
  readonly answer: string;
  readonly metadata: string;
}

/** Outcomes are constants of a compiled flag: each is put into words once, not once a person. */
const said = new WeakMap<Outcome, Said>();

function saidOf(outcome: Outcome): Said {
  let words = said.get(outcome);
  if (words === undefined) {
    words = say(outcome);
    said.set(outcome, words);
  }
  return words;
}

function say({ value, reason, variant, ruleId, tracks }: Outcome): Said {
  const { experiment, release, epoch } = tracks ?? {};
  return { answer: fields({ value, reason, variant }), metadata: fields({ ruleId, experiment, release, epoch }) };
}

/** `,"name":value` for each that is there. */
function fields(named: Readonly<Record<string, unknown>>): string {
  const there = Object.entries(named).filter(([, value]) => value !== undefined);
  return there.map(([name, value]) => `,${JSON.stringify(name)}:${JSON.stringify(value)}`).join("");
}

/** Whom an exposure would be of: who reports exposures itself need not know by what a split divides. */
function unitText({ tracks }: Outcome, context: EvaluationContext): string {
  const unit = tracks?.unit(context);
  return unit === undefined ? "" : `,"unit":${JSON.stringify(unit)}`;
}
