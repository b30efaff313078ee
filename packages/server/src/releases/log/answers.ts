/* What the gates of a release were answered with when each stage was left: pure, from the record of that moment. */
import type { EpochMs, GateAnswer, GateId, GuardrailRecord, Propagation } from "@belay/protocol";
import type { ReleaseDocument } from "../../state/workspace.ts";
import type { Version } from "./timeline.ts";
import { guardrailName } from "./words.ts";

/** @param nameOf the name behind the id of a token, as far as it is known */
export function gateAnswers(
  versions: readonly Version[],
  guardrails: readonly GuardrailRecord[],
  nameOf: (id: string) => string,
): GateAnswer[] {
  return versions.flatMap(({ change, body }, index) => {
    const before = versions[index - 1]?.body;
    const stage = before?.stage;
    if (before === undefined || stage === undefined || !isLeaving(before, body)) return [];
    return (before.stages[stage]?.gates ?? []).map((gate): GateAnswer => {
      const evidence = STATEMENTS[gate]({ body: before, guardrails, at: change.at, nameOf });
      return { gate, stage, at: new Date(change.at).toISOString(), by: change.actor.name, evidence };
    });
  });
}

function isLeaving(before: ReleaseDocument, after: ReleaseDocument): boolean {
  return (after.stage ?? 0) > (before.stage ?? 0) || (after.state === "done" && before.state !== "done");
}

interface Known {
  readonly body: ReleaseDocument;
  readonly guardrails: readonly GuardrailRecord[];
  readonly at: EpochMs;
  readonly nameOf: (id: string) => string;
}

const STATEMENTS: Readonly<Record<GateId, (known: Known) => string[]>> = {
  "rollback-readiness": ({ body, nameOf }) => {
    const { drill } = body.evidence;
    if (drill === undefined) return [];
    const outcome = drill.passed ? "passed" : "failed";
    return [
      `A drill by ${nameOf(drill.by)} at ${drill.at} ${outcome}: off ${receipts(drill.off)}, on again ${receipts(drill.on)}.`,
    ];
  },
  monitoring: (known) => [
    ...Object.entries(known.body.evidence.alertsTested ?? {}).map(([route, at]) => `A test alert reached ${route} at ${at}.`),
    ...lastLooks(known).map(([record, look]) => `${guardrailName(record)} had last been heard of at ${look.at}.`),
  ],
  learning: (known) => {
    const { power } = known.body.evidence;
    return [
      ...lastLooks(known).flatMap(([record, { daysToTell, at }]) =>
        daysToTell === undefined
          ? []
          : [`${guardrailName(record)} could be told within ${Math.ceil(daysToTell)} days as of ${at}.`],
      ),
      ...(power === undefined
        ? []
        : [`${known.nameOf(power.by)} said at ${power.at} that power is reached in ${power.days} days.`]),
    ];
  },
  team: ({ body: { contacts, evidence }, nameOf }) => [
    ...(contacts === undefined ? [] : [`Owner ${contacts.owner}, on call ${contacts.onCall}.`]),
    ...(evidence.runbookTried === undefined
      ? []
      : [`${nameOf(evidence.runbookTried.by)} tried the runbook at ${evidence.runbookTried.at}.`]),
  ],
  impact: ({ body: { predictions, predictionHash, evidence }, nameOf }) => [
    ...(predictions.length === 0 ? [] : [`${predictions.length} predictions, frozen as ${predictionHash ?? "nothing yet"}.`]),
    ...(evidence.noteSent === undefined ? [] : [`${nameOf(evidence.noteSent.by)} sent a note at ${evidence.noteSent.at}.`]),
  ],
  "non-inferiority": (known) =>
    lastLooks(known).map(
      ([record, { isNonInferior, treated, control, at }]) =>
        `${guardrailName(record)} was ${isNonInferior === true ? "" : "not "}shown to be within ${record.margin} at ${at}: ${treated} treated and ${control} other units counted.`,
    ),
};

function lastLooks({ guardrails, at }: Known): [GuardrailRecord, GuardrailRecord["looks"][number]][] {
  return guardrails.flatMap((guardrail) => {
    const look = guardrail.looks.findLast((one) => Date.parse(one.at) <= at);
    return look === undefined || guardrail.isDryRun ? [] : [[guardrail, look]];
  });
}

function receipts({ acknowledged, instances, ms100 }: Propagation): string {
  return `${acknowledged} of ${instances} instances${ms100 === undefined ? "" : ` within ${ms100} ms`}`;
}
