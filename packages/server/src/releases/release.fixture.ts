import type { EpochMs, Guardrail } from "@belay/protocol";
import type { Facts, Policy } from "./facts.ts";
import { defaultLadder } from "./ladder.ts";

export const T0: EpochMs = Date.parse("2026-11-22T12:00:00Z");
export const HOUR_MS = 3_600_000;

export const ERRORS: Guardrail = {
  metric: "errors",
  measure: { kind: "failures", event: "error" },
  harm: "increase",
  margin: 0.5,
  onBreach: "rollback",
  staleAfterS: 600,
};

/** A policy on the default ladder with one guardrail. */
export function policyOf(more: Partial<Policy> = {}): Policy {
  return {
    author: "ann",
    stages: defaultLadder(undefined),
    guardrails: [ERRORS],
    alertRoutes: ["slack:#releases"],
    predictions: [{ metric: "checkout", mean: 0.02, interval: [0, 0.04], level: 0.9 }],
    contacts: { owner: "ann", onCall: "bob" },
    holdoutPercentage: 0,
    drillMaxAgeDays: 30,
    lossMax: 0.01,
    powerHorizonDays: 28,
    ...more,
  };
}

/** Facts on which every gate is open and every wait is over, at a stage of the default ladder. */
export function factsOf(stage: number, now: EpochMs, more: Partial<Facts> = {}): Facts {
  const at = new Date(now - HOUR_MS).toISOString();
  const switched = { revision: 1, decidedAt: at, publishedAt: at, instances: 2, acknowledged: 2, laggards: [] };
  return {
    seen: { release: 7, targeting: 7 },
    state: "ramping",
    stage,
    stageSince: now - 48 * HOUR_MS,
    livePpm: (policyOf().stages[stage]?.percentage ?? 0) * 10_000,
    units: 5_000,
    approvals: [],
    guardrails: [{ metric: "errors", verdict: "quiet", logE: 0, isNonInferior: true, lastEventAt: now - 1_000 }],
    isMismatched: false,
    exposuresAt: now - 1_000,
    metricsAt: now - 1_000,
    loss: 0.001,
    evidence: {
      drill: { at, by: "ann", environment: "production", passed: true, off: switched, on: switched },
      alertsTested: { "slack:#releases": at },
      runbookTried: { at, by: "bob" },
      noteSent: { at, by: "ann" },
      power: { at, by: "ann", days: 10 },
    },
    ...more,
  };
}
