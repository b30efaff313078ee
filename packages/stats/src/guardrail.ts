/**
 * Guardrails: evidence of harm, judged at every flush. Failures counted once per unit go through `event-split.ts`; this file judges
 * values (latency, revenue) and common conversions by one-sided mixture sequences, and turns any evidence into a verdict.
 */

import { type OneSidedEvidence, oneSidedMixture } from "./mixture.ts";
import type { Moments } from "./moments.ts";
import type { Proportion } from "./proportion.ts";
import { type Arms, andThen, ok, type Point, type Result, refuse } from "./result.ts";
import { conversionSignal, valueSignal } from "./signal.ts";

export interface GuardrailOptions {
  /** Which direction of the metric is harm. */
  readonly harm: "increase" | "decrease";
  /** Size of harm the sequence is tuned for, in the metric's unit: see `mixtureScale`. Fixed before start. */
  readonly scale: number;
  /** Absolute change that is still acceptable, in the metric's unit, not negative. Default 0. */
  readonly tolerance?: number;
  /** One-sided, for the interval only; the verdict comes from the evidence. Default 0.01. */
  readonly alpha?: number;
}

/** What to do now: nothing, pause the ramp, or roll back. */
export type Verdict = "quiet" | "pause" | "rollback";

const PAUSE_EVIDENCE = 20;
const ROLLBACK_EVIDENCE = 100;
const VALUE_BURN_IN = 50;

/**
 * The verdict on one guardrail's evidence: pause at e >= 20 (5 %), roll back at e >= 100 x guardrails, which keeps the chance of one false
 * rollback among all guardrails, over the whole life, at 1 %. Evidence that is no number is never quiet: it pauses.
 * @example guardrailVerdict({ logE: Math.log(250), guardrails: 2 }) // "rollback"
 */
export function guardrailVerdict({ logE, guardrails }: { readonly logE: number; readonly guardrails: number }): Verdict {
  if (logE >= Math.log(ROLLBACK_EVIDENCE * Math.max(1, guardrails))) return "rollback";
  return logE < Math.log(PAUSE_EVIDENCE) ? "quiet" : "pause";
}

/**
 * Evidence of harm on a mean (latency, revenue). The variance is the larger of Welch's and the pooled one; `not-yet` below 50 units in the
 * smaller arm. Cap the values before, at a cap fixed before start.
 * @example valueGuardrail({ control: { n: 900, mean: 10, m2: 3600 }, treatment: { n: 100, mean: 9, m2: 400 } }, { harm: "decrease",
 *   scale: 0.5 }) // value -1, logE 9.203
 */
export function valueGuardrail(arms: Arms<Moments>, options: GuardrailOptions): Result<OneSidedEvidence> {
  return andThen(valueSignal(arms, { careful: "always", burnIn: VALUE_BURN_IN }), (signal) => harmEvidence(signal, options));
}

/**
 * Evidence of harm on a common conversion (above a few percent; rarer ones belong to `eventSplit`). Score variance; `not-yet` before the
 * smaller arm has 5 expected conversions.
 * @example conversionGuardrail({ control: { n: 900, successes: 270 }, treatment: { n: 100, successes: 18 } }, { harm: "decrease",
 *   scale: 0.1 }) // value -0.12, logE 2.413
 */
export function conversionGuardrail(arms: Arms<Proportion>, options: GuardrailOptions): Result<OneSidedEvidence> {
  return andThen(conversionSignal(arms), (signal) => harmEvidence(signal, options));
}

function harmEvidence(effect: Point, { harm, scale, tolerance = 0, alpha = 0.01 }: GuardrailOptions): Result<OneSidedEvidence> {
  if (!(tolerance >= 0)) return refuse("invalid-input");
  // The null is moved to the edge of what is tolerated; value and bound are told from 0.
  const edge = harm === "increase" ? tolerance : -tolerance;
  const beyond = { value: effect.value - edge, variance: effect.variance };
  return andThen(oneSidedMixture(beyond, { scale, direction: harm, alpha }), ({ interval, logE, pValue }) =>
    ok({
      value: effect.value,
      interval: {
        ...(interval.low === undefined ? {} : { low: interval.low + edge }),
        ...(interval.high === undefined ? {} : { high: interval.high + edge }),
        level: interval.level,
      },
      logE,
      pValue,
    }),
  );
}
