/** The questions before a stage is left, each answered by evidence, never by the lack of an alarm. */
import type { EpochMs, ReleaseReason, ReleaseReasonCode } from "@belay/protocol";
import { type Facts, type Gates, isSilent, type Policy, watched } from "./facts.ts";

const DAY_MS = 86_400_000;

export const GATES: Gates = {
  /** Can we undo this within 30 minutes? */
  "rollback-readiness": ({ drillMaxAgeDays }, { evidence: { drill } }, now) => {
    if (drill === undefined) return [{ code: "drill-missing" }];
    if (!drill.passed) return [{ code: "drill-failed" }];
    const ageDays = (now - Date.parse(drill.at)) / DAY_MS;
    return ageDays > drillMaxAgeDays ? [{ code: "drill-stale", have: Math.floor(ageDays), need: drillMaxAgeDays }] : [];
  },

  /** Will we know within an hour? */
  monitoring: (policy, facts, now) => [
    ...policy.alertRoutes
      .filter((route) => !isTested(facts, route, policy.drillMaxAgeDays, now))
      .map((subject): ReleaseReason => ({ code: "alert-route-untested", subject })),
    ...silent(policy, facts, now, "guardrail-silent"),
  ],

  /** Is the data we need arriving? */
  learning: (policy, facts, now) => [
    ...when(isQuiet(policy, facts.exposuresAt, now), { code: "exposures-silent" }),
    ...when(isQuiet(policy, facts.metricsAt, now), { code: "metrics-silent" }),
    ...lossReasons(policy, facts),
    ...when(facts.isMismatched, { code: "sample-ratio-mismatch" }),
    ...powerReasons(policy, facts),
  ],

  /** Does everyone know how to debug it? */
  team: ({ contacts, author }, { evidence: { runbookTried } }) => [
    ...when(contacts === undefined, { code: "contact-missing" }),
    // Who wrote it knows what was meant; the gate asks whether others can follow it.
    ...when(runbookTried === undefined || runbookTried.by === author, { code: "runbook-untried" }),
  ],

  /** How will key metrics move? */
  impact: ({ predictions }, { evidence: { noteSent } }) => [
    ...when(predictions.length === 0, { code: "prediction-missing" }),
    ...when(noteSent === undefined, { code: "note-missing" }),
  ],

  /** Is no guardrail worse than its margin, at this stage's size? */
  "non-inferiority": (policy, facts) =>
    watched(policy, facts)
      .filter(({ fact }) => fact.isNonInferior !== true)
      .map(({ fact }): ReleaseReason => ({ code: "not-yet-non-inferior", subject: fact.metric })),
};

/** Guardrails without data that is young enough. */
export function silent(policy: Policy, facts: Facts, now: EpochMs, code: ReleaseReasonCode): ReleaseReason[] {
  return watched(policy, facts)
    .filter((each) => isSilent(each, now))
    .map(({ fact }) => ({ code, subject: fact.metric }));
}

function isTested({ evidence }: Facts, route: string, maxAgeDays: number, now: EpochMs): boolean {
  const at = evidence.alertsTested?.[route];
  return at !== undefined && now - Date.parse(at) <= maxAgeDays * DAY_MS;
}

/** The release's own patience: that of its most patient guardrail. */
function isQuiet({ guardrails }: Policy, lastAt: EpochMs | undefined, now: EpochMs): boolean {
  return lastAt === undefined || now - lastAt > 1_000 * Math.max(...guardrails.map(({ staleAfterS }) => staleAfterS));
}

function lossReasons({ lossMax }: Policy, { loss }: Facts): ReleaseReason[] {
  if (loss === undefined) return [{ code: "loss-unknown" }];
  return when(loss > lossMax, { code: "loss-too-high", have: loss, need: lossMax });
}

/** What the data say counts; while they say nothing, what a person said. */
function powerReasons(policy: Policy, facts: Facts): ReleaseReason[] {
  const need = policy.powerHorizonDays;
  const seen = watched(policy, facts).map(({ fact }) => fact);
  if (seen.every(({ daysToTell }) => daysToTell !== undefined)) {
    return seen.flatMap(({ metric: subject, daysToTell = 0 }) =>
      when(daysToTell > need, { code: "power-out-of-reach", subject, have: Math.ceil(daysToTell), need }),
    );
  }
  const { power } = facts.evidence;
  if (power === undefined) return [{ code: "power-unknown" }];
  return when(power.days > need, { code: "power-out-of-reach", have: power.days, need });
}

function when(isSo: boolean, reason: ReleaseReason): ReleaseReason[] {
  return isSo ? [reason] : [];
}
