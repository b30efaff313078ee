/* Plans as people read and review them. */
import type { EpochMs, ReleaseReason } from "@belay/protocol";
import type { Facts, Plan, Policy } from "./facts.ts";

/** One line for each thing the planner looks at, then what it decided. */
export function reviewText(policy: Policy, facts: Facts, decided: Plan, now: EpochMs): string {
  return `${[...situation(policy, facts, now), "", ...planLines(policy, decided)].join("\n")}\n`;
}

/** What a plan does, in words. */
export function planLines(policy: Policy, decided: Plan): string[] {
  return [
    headline(policy, decided),
    ...(decided.kind === "hold" ? decided.reasons.map((reason) => `   because ${reasonText(reason)}`) : []),
    ...(decided.kind === "rollback" ? [`   because ${reasonText(decided.reason)}`] : []),
    ...decided.reports.map((reason) => `   reports ${reasonText(reason)}`),
  ];
}

/** A reason on one line, as machines and people both can read it: `min-units (have 120, need 500)`. */
export function reasonText({ code, subject, treatment, have, need }: ReleaseReason): string {
  const about = `${subject === undefined ? "" : ` ${subject}`}${treatment === undefined ? "" : ` in ${treatment}`}`;
  const numbers = have === undefined ? "" : ` (have ${have}, need ${need})`;
  return `${code}${about}${numbers}`;
}

function situation(policy: Policy, facts: Facts, now: EpochMs): string[] {
  const stage = policy.stages[facts.stage];
  const marks = [
    facts.frozen === undefined ? "" : `, frozen (${facts.frozen})`,
    facts.heldBy === undefined ? "" : `, held by ${facts.heldBy}`,
  ].join("");
  return [
    `${facts.state}, stage ${facts.stage + 1} of ${policy.stages.length} "${stage?.name}" for ${span(now - facts.stageSince)}${marks}`,
    `   gives ${facts.livePpm / 10_000} %, ${facts.units ?? "an unknown number of"} treated units`,
    ...facts.guardrails.map(
      ({ metric, treatment, verdict, logE, lastEventAt, isNonInferior }) =>
        `   ${metric}${treatment === undefined ? "" : ` in ${treatment}`}: ${verdict}, evidence ${Math.exp(logE).toPrecision(3)}, last event ${
          lastEventAt === undefined ? "never" : `${span(now - lastEventAt)} ago`
        }${isNonInferior === true ? ", non-inferior" : ""}`,
    ),
    ...(facts.isMismatched ? ["   arms have other sizes than designed"] : []),
  ];
}

function headline({ stages }: Policy, decided: Plan): string {
  if (decided.kind === "advance") {
    const [from, to] = [stages[decided.from], stages[decided.to]];
    return `-> advance from "${from?.name}" (${from?.percentage} %) to "${to?.name}" (${to?.percentage} %)`;
  }
  if (decided.kind === "hold") return decided.isAlarm ? "-> hold, and tell people" : "-> wait";
  return `-> ${decided.kind === "rollback" ? "roll back" : decided.kind}`;
}

function span(ms: number): string {
  const minutes = Math.round(ms / 60_000);
  return minutes < 120 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}
