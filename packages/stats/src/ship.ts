/**
 * The ship rule: ship when at least one success metric improved, every guardrail is non-inferior, no metric deteriorated, and the quality
 * checks pass. Source: Schultzberg, Ankargren and Frånberg, "Risk-aware product decisions in A/B tests with multiple metrics" (2024).
 * Alpha is divided over success metrics only, the guardrails' alpha is not divided, and beta is divided by guardrails + 1 (`Design`).
 */

/** What is known about one metric when a decision is due. */
export interface MetricEvidence {
  readonly metric: string;
  readonly role: "success" | "guardrail";
  /** Significantly better, at the success metrics' divided alpha. */
  readonly improved: boolean;
  /** Significantly worse. */
  readonly deteriorated: boolean;
  /** Passed its non-inferiority test; only asked of guardrails. */
  readonly nonInferior?: boolean;
}

/** The checks that make any number readable: a failed one forbids advice. */
export interface QualityChecks {
  readonly sampleRatio: boolean;
  readonly beforeStart: boolean;
  readonly crossing: boolean;
}

export interface ShipAdvice {
  readonly advice: "ship" | "do-not-ship" | "not-enough-yet" | "fix-quality-first";
  /** The checks or metrics that stand against shipping, by name. */
  readonly because: readonly string[];
}

/**
 * Advice, never a decision. No alarm is not evidence: a guardrail that has not passed non-inferiority is "not enough yet".
 * @example shipAdvice([{ metric: "revenue", role: "success", improved: true, deteriorated: false }], { sampleRatio: true,
 *   beforeStart: true, crossing: true }).advice // "ship"
 */
export function shipAdvice(metrics: readonly MetricEvidence[], quality: QualityChecks): ShipAdvice {
  const failed = Object.entries(quality).flatMap(([check, passed]) => (passed ? [] : [check]));
  if (failed.length > 0) return { advice: "fix-quality-first", because: failed };
  const worse = metrics.filter(({ deteriorated }) => deteriorated);
  if (worse.length > 0) return { advice: "do-not-ship", because: names(worse) };
  const open = metrics.filter(({ role, nonInferior }) => role === "guardrail" && nonInferior !== true);
  if (open.length > 0) return { advice: "not-enough-yet", because: names(open) };
  const successes = metrics.filter(({ role }) => role === "success");
  return successes.some(({ improved }) => improved)
    ? { advice: "ship", because: [] }
    : { advice: "not-enough-yet", because: names(successes) };
}

function names(metrics: readonly MetricEvidence[]): string[] {
  return metrics.map(({ metric }) => metric);
}
