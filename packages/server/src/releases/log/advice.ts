/* What a record itself says could be done better next time: pure rules, each on what it names. */
import type { Improvement, ReleaseLog, ReleaseState } from "@belay/protocol";
import type { ReleaseDocument } from "../../state/workspace.ts";
import { guardrailName, segmentName, span } from "./words.ts";

export type Recorded = Omit<ReleaseLog, "advice">;

const BACK: readonly ReleaseState[] = ["rolling-back", "rolled-back"];

/** Harm found at this share or beyond was found late. */
const LATE_PERCENTAGE = 25;
/** What is called chance no more, all segments, or all pairs, taken together. */
const ALPHA = 0.05;
/** A stage that stood so long beyond its minimum waited. */
const WAITED_MS = 24 * 3_600_000;

export function adviceOn(log: Recorded, body: Pick<ReleaseDocument, "reasons" | "evidence" | "author">): Improvement[] {
  if (log.startedAt === undefined) return [];
  return [...ofRollback(log, body), ...ofPreparation(log, body), ...ofClimb(log), ...ofSurprises(log), ...ofParts(log)];
}

function ofRollback({ state, rollback, exposure }: Recorded, { reasons }: Pick<ReleaseDocument, "reasons">): Improvement[] {
  if (!BACK.includes(state) || rollback === undefined) return [];
  const { instances, laggards } = rollback;
  const reached = Math.max(0, ...exposure.map(({ percentage }) => percentage));
  const found: Improvement[] = [];
  if (reasons.some(({ code }) => code === "guardrail-breach") && reached >= LATE_PERCENTAGE) {
    const text = `Harm was found only at ${reached} %: more units, or more time, at a smaller share would have found it with fewer people harmed.`;
    found.push({ code: "found-late", text });
  }
  if (reasons.some(({ code }) => code === "rolled-back-by-person" || code === "external-trigger")) {
    const text = "No guardrail asked for the rollback: measure what was seen, and make that a guardrail.";
    found.push({ code: "found-by-people", text });
  }
  if (laggards.length > 0) {
    const text = `${laggards.length} of ${instances} instances did not acknowledge the rollback: ${laggards.join(", ")}.`;
    found.push({ code: "laggards", text });
  }
  if (instances === 0) found.push({ code: "no-instances", text: "No instance ran that could have acknowledged the rollback." });
  return found;
}

function ofPreparation(
  { predictions }: Recorded,
  { evidence, author }: Pick<ReleaseDocument, "evidence" | "author">,
): Improvement[] {
  const found: Improvement[] = [];
  if (evidence.drill?.passed !== true) {
    found.push({ code: "no-drill", text: "No drill had passed: how fast it could be taken back was not known." });
  }
  if (evidence.runbookTried === undefined || evidence.runbookTried.by === author) {
    found.push({ code: "runbook-untried", text: "Nobody but its author had tried the runbook." });
  }
  if (predictions.length === 0) {
    found.push({ code: "no-prediction", text: "Nothing was predicted, so that nobody could be surprised." });
  }
  return found;
}

function ofClimb({ timeline, latencies, guardrails }: Recorded): Improvement[] {
  const silent = new Set(
    timeline.flatMap(({ because }) => because.flatMap(({ code, subject = "" }) => (code === "data-missing" ? [subject] : []))),
  );
  const mute = guardrails.filter(
    ({ isDryRun, looks }) =>
      !isDryRun && looks.length > 0 && looks.every(({ verdict, isNonInferior }) => verdict === "quiet" && isNonInferior !== true),
  );
  return [
    ...[...silent].map((subject): Improvement => {
      return { code: "stood-without-data", subject, text: `It stood still because nothing was heard of ${subject}.` };
    }),
    ...latencies.stages
      .filter(({ waited, to }) => to !== undefined && waited >= WAITED_MS)
      .map(({ name, waited }): Improvement => {
        const text = `"${name}" was left ${span(waited)} after its minimum: look at what it waited for.`;
        return { code: "stage-waited", subject: name, text };
      }),
    ...mute.map((record): Improvement => {
      const { metric } = record;
      const text = `${guardrailName(record)} was never shown to be within its margin: it has too few events, or too small a margin.`;
      return { code: "never-shown-harmless", subject: metric, text };
    }),
  ];
}

function ofSurprises({ predictions, incidents }: Recorded): Improvement[] {
  return [
    ...predictions
      .filter(({ score }) => score.status === "ok" && !score.covered)
      .map(({ metric }): Improvement => {
        const text = `${metric} came out beyond what was predicted: ask why before the next prediction.`;
        return { code: "prediction-missed", subject: metric, text };
      }),
    ...incidents.map(({ incident, reason }): Improvement => {
      const text = `Something else was wrong meanwhile (${reason}): read the numbers with that in mind.`;
      return { code: "incident-overlapped", subject: incident, text };
    }),
  ];
}

function ofParts({ segments, guardrails, interference }: Recorded): Improvement[] {
  const harmOf = new Map(guardrails.map(({ metric, harm }) => [metric, harm]));
  return [
    ...segments.flatMap(({ effect, adjustedP = 1, ...record }): Improvement[] => {
      const isWorse = effect.status === "ok" && effect.value > 0 === (harmOf.get(record.metric) === "increase");
      if (!isWorse || adjustedP > ALPHA) return [];
      const text = `${guardrailName(record)} got worse where ${segmentName(record)}: more than chance would have it.`;
      return [{ code: "segment-worse", subject: segmentName(record), text }];
    }),
    ...interference.flatMap(({ kind, key, metric, adjustedP = 1 }): Improvement[] => {
      if (adjustedP > ALPHA) return [];
      const text = `What it did to ${metric} was another thing for units that were also in the ${kind} ${key}: do not add both up.`;
      return [{ code: "interference", subject: key, text }];
    }),
  ];
}
