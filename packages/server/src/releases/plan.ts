/**
 * What to do with a release now: pure, from the policy, the facts and the clock.
 *
 *   harm            -> rollback     whatever else is so, frozen or held too
 *   something wrong -> hold, alarm  frozen, held, paused, mismatched, data missing, moved by hand
 *   not yet         -> hold         minimum time and units, approvals, gates
 *   top reached     -> finish
 *   else            -> advance      one move, over pure waiting stages that are over already
 */
import { ppmFromPercent } from "@belay/core";
import type { EpochMs, ReleaseReason, ReleaseReasonCode, Role, Stage } from "@belay/protocol";
import { ROLES } from "../access/identity.ts";
import type { Facts, GuardrailFact, Plan, Policy, Watched } from "./facts.ts";
import { all, watched } from "./facts.ts";
import { GATES, silent } from "./gates.ts";
import { isLive } from "./states.ts";

/** The one move that is due. The same input gives the same plan. */
export function plan(policy: Policy, facts: Facts, now: EpochMs): Plan {
  const reports = reportsOf(policy, facts);
  const { seen, stage } = facts;
  if (!isLive(facts.state)) return { kind: "nothing", reports };
  const harm = harmIn(policy, facts);
  if (harm !== undefined) return { kind: "rollback", seen, reason: harm, reports };
  const wrong = whatIsWrong(policy, facts, now);
  if (wrong.length > 0) return { kind: "hold", seen, reasons: wrong, isAlarm: true, reports };
  const missing = whatIsMissing(policy, facts, now);
  if (missing.length > 0) return { kind: "hold", seen, reasons: missing, isAlarm: false, reports };
  if (stage >= policy.stages.length - 1) return { kind: "finish", seen, reports };
  return { kind: "advance", seen, from: stage, to: target(policy, facts, now), reports };
}

/** What keeps a release from leaving its stage though nothing is wrong. */
export function whatIsMissing(policy: Policy, facts: Facts, now: EpochMs): ReleaseReason[] {
  const { hold, gates } = stageOf(policy, facts.stage);
  const reasons: ReleaseReason[] = [];
  const stayedS = Math.floor((now - facts.stageSince) / 1_000);
  if (stayedS < hold.minDurationS) reasons.push({ code: "min-duration", have: stayedS, need: hold.minDurationS });
  if (hold.minUnits !== undefined && !((facts.units ?? 0) >= hold.minUnits)) {
    reasons.push({ code: "min-units", have: facts.units ?? 0, need: hold.minUnits });
  }
  for (const role of missingRoles(hold.approval ?? [], facts.approvals))
    reasons.push({ code: "approval-missing", subject: role });
  for (const gate of gates) reasons.push(...GATES[gate](policy, facts, now));
  // No stage is left on missing data, whether or not it has a gate that asks for it.
  const seenSilent = new Set(reasons.filter(({ code }) => code === "guardrail-silent").map(({ subject }) => subject));
  return [...reasons, ...silent(policy, facts, now, "data-missing").filter(({ subject }) => !seenSilent.has(subject))];
}

/** What is wrong with a release, so that it must stand still until it is not. */
export function whatIsWrong(policy: Policy, facts: Facts, now: EpochMs): ReleaseReason[] {
  const reasons: ReleaseReason[] = [];
  if (facts.frozen !== undefined) reasons.push({ code: "frozen" });
  if (facts.heldBy !== undefined) reasons.push({ code: "held-by-person", subject: facts.heldBy });
  if (facts.livePpm !== ppmOf(policy, facts.stage)) {
    reasons.push({ code: "exposure-moved", have: facts.livePpm, need: ppmOf(policy, facts.stage) });
  }
  for (const { guardrail, fact } of watched(policy, facts)) {
    if (guardrail.onBreach === "warn" || fact.verdict === "quiet") continue;
    reasons.push(reasonOf(fact.verdict === "pause" ? "guardrail-pause" : "guardrail-breach", fact));
  }
  if (facts.isMismatched) reasons.push({ code: "sample-ratio-mismatch" });
  return [...reasons, ...deadMen(policy, facts, now)];
}

/** Share of the flag's space that a stage gives the variant, or lets into the experiment. */
export function ppmOf({ stages, holdoutPercentage }: Pick<Policy, "stages" | "holdoutPercentage">, stage: number): number {
  const percentage = Math.min(stages[stage]?.percentage ?? 0, 100 - holdoutPercentage);
  return ppmFromPercent(percentage) ?? 0;
}

function harmIn(policy: Policy, facts: Facts): ReleaseReason | undefined {
  const breached = watched(policy, facts).find(
    ({ guardrail, fact }) => guardrail.onBreach === "rollback" && fact.verdict === "rollback",
  );
  return breached === undefined ? undefined : reasonOf("guardrail-breach", breached.fact);
}

function reasonOf(code: ReleaseReasonCode, { metric, treatment }: GuardrailFact): ReleaseReason {
  return { code, subject: metric, ...(treatment === undefined ? {} : { treatment }) };
}

/** Guardrails heard of too long ago; one never heard of is given its time from the stage's begin on. */
function deadMen(policy: Policy, facts: Facts, now: EpochMs): ReleaseReason[] {
  return watched(policy, facts)
    .filter(({ guardrail, fact }) => now - (fact.lastEventAt ?? facts.stageSince) > 1_000 * guardrail.staleAfterS)
    .map(({ fact }) => ({ code: "data-missing", subject: fact.metric }));
}

function reportsOf(policy: Policy, facts: Facts): ReleaseReason[] {
  const isReport = ({ guardrail, fact }: Watched): boolean =>
    fact.verdict === "rollback" && (guardrail.dryRun === true || guardrail.onBreach === "warn");
  return all(policy, facts)
    .filter(isReport)
    .map(({ fact }) => reasonOf("guardrail-breach", fact));
}

/**
 * The stage to go to. After downtime several may be due: stages that only wait, with nothing to be seen in them, are
 * passed when their time is over too; one that is monitored never is.
 */
function target(policy: Policy, facts: Facts, now: EpochMs): number {
  let to = facts.stage + 1;
  let due = facts.stageSince + 1_000 * stageOf(policy, facts.stage).hold.minDurationS;
  while (to < policy.stages.length - 1 && onlyWaits(stageOf(policy, to))) {
    due += 1_000 * stageOf(policy, to).hold.minDurationS;
    if (now < due) break;
    to += 1;
  }
  return to;
}

function onlyWaits({ hold, gates }: Stage): boolean {
  return gates.length === 0 && hold.minUnits === undefined && (hold.approval ?? []).length === 0;
}

function stageOf({ stages }: Policy, index: number): Stage {
  const stage = stages[index];
  if (stage === undefined) throw new RangeError(`There is no stage ${index}.`);
  return stage;
}

/** Roles nobody stands in for: each approval serves one role, the highest asked for first. */
function missingRoles(needed: readonly Role[], given: readonly Role[]): Role[] {
  const byRank = (a: Role, b: Role): number => ROLES.indexOf(b) - ROLES.indexOf(a);
  const free = [...given].sort(byRank);
  return [...needed].sort(byRank).filter((role) => {
    const isServed = free[0] !== undefined && ROLES.indexOf(free[0]) >= ROLES.indexOf(role);
    if (isServed) free.shift();
    return !isServed;
  });
}
