/* What a release's log says, put together once as tables and sentences; Markdown and the page only differ in how they write it. */
import type { GuardrailRecord, Release, ReleaseLog, ReleaseMove, SegmentUnits, Stated, StatedEffect } from "@belay/protocol";
import { count, plain, probability, signed, reasonText as worded } from "../../results/words.ts";
import { reasonText } from "../plan-text.ts";
import { number } from "./ladder-chart.ts";
import { guardrailName, moment, segmentName, span } from "./words.ts";

export interface Chapter {
  readonly title: string;
  /** Drawn on the page in front of the rest: the ladder, effects by segment, or the evidence of a guardrail. */
  readonly chart?: "ladder" | "segments" | GuardrailRecord;
  readonly sentences: readonly string[];
  readonly table?: { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] };
}

/** What came of it, in a line. */
export function headline({ release, state, rollback }: ReleaseLog): string {
  const receipts = rollback === undefined ? "" : `: ${rollback.acknowledged} of ${rollback.instances} instances acknowledged`;
  return `${release} ${OUTCOMES[state]}${state === "rolled-back" || state === "rolling-back" ? receipts : ""}`;
}

const OUTCOMES: Readonly<Record<Release["state"], string>> = {
  draft: "has not started",
  ready: "has not started",
  ramping: "is climbing",
  holding: "holds",
  full: "gives everybody its variant",
  done: "is done",
  "rolling-back": "is being rolled back",
  "rolled-back": "was rolled back",
  aborted: "was aborted",
};

export function lead({ variant, experiment, flag, environment, project, at }: ReleaseLog): string {
  const what = experiment === undefined ? `Moves ${variant}` : `Ramps the experiment ${experiment}`;
  return `${what} of the flag ${flag} in ${environment} of ${project}, as of ${moment(at)}.`;
}

export function chapters(log: ReleaseLog): Chapter[] {
  const all = [
    notCounted(log),
    ladder(log),
    {
      title: "What could be better",
      sentences: log.advice.map(({ text }) => text),
    },
    lessons(log),
    timeline(log),
    ...log.guardrails.map(guardrail),
    effects(log),
    segments(log),
    interference(log),
    predictions(log),
    rollback(log),
    gates(log),
    latencies(log),
    meanwhile(log),
  ];
  return all.filter(({ sentences, table }) => sentences.length > 0 || (table?.rows.length ?? 0) > 0);
}

function notCounted({ notCounted: servers }: ReleaseLog): Chapter {
  const whose = servers.join(", ");
  return {
    title: "What is not counted",
    sentences:
      servers.length === 0
        ? []
        : [`Events that ${whose} took in: each server keeps its own, and this log counts those of the one that wrote it.`],
  };
}

function ladder({ exposure }: ReleaseLog): Chapter {
  return {
    title: "Exposure",
    chart: "ladder",
    sentences: [],
    table: {
      head: ["From", "Share", "Treated units first seen", "Others first seen", "Change"],
      rows: exposure.map(({ from, percentage, treated, control, change }) => [
        moment(from),
        `${number(percentage)} %`,
        count(treated),
        count(control),
        String(change),
      ]),
    },
  };
}

function lessons({ lessons: given }: ReleaseLog): Chapter {
  return {
    title: "What it taught",
    sentences: given.map(({ at, by, taught, better }) => {
      const next = better === undefined ? "" : ` Better next time: ${sentence(better)}`;
      return `${by}, ${moment(at)}: ${sentence(taught)}${next}`;
    }),
  };
}

/** What somebody wrote, with an end. */
function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

function timeline({ timeline: moves }: ReleaseLog): Chapter {
  return {
    title: "Timeline",
    sentences: [],
    table: { head: ["Time", "Who", "What", "Then", "Why"], rows: moves.map(moveRow) },
  };
}

function moveRow({ at, by, action, reason, state, stage, because }: ReleaseMove): string[] {
  const then = state === undefined ? "" : stage === undefined ? state : `${state}, stage ${stage + 1}`;
  return [
    moment(at),
    by,
    action,
    then,
    [...new Set([reason ?? "", ...because.map(reasonText)])].filter((text) => text !== "").join("; "),
  ];
}

function guardrail(record: GuardrailRecord): Chapter {
  const { looks, strata, isDryRun, kind } = record;
  const counted = strata.map(({ percentage, treated, control }) => {
    const arm = ({ units, mean }: typeof treated): string =>
      `${count(units)}${mean === undefined ? "" : ` with mean ${plain(mean)}`}`;
    return `At ${number(percentage)} %: ${arm(treated)} treated and ${arm(control)} other units had the event.`;
  });
  return {
    title: `Guardrail ${guardrailName(record)}${isDryRun ? " (dry run)" : ""}`,
    chart: record,
    sentences:
      looks.length === 0 ? [`Nothing was heard of it: no ${kind === "values" ? "value" : "event"} was counted.`] : counted,
    table: {
      head: ["Look", "Share", "Treated", "Others", "Evidence of harm", "Verdict", "Within its margin"],
      rows: looks.map((look) => [
        moment(look.at),
        `${number(look.percentage)} %`,
        count(look.treated),
        count(look.control),
        evidence(look.logEvidence),
        look.verdict,
        look.isNonInferior === undefined ? "not known" : look.isNonInferior ? "yes" : "not shown",
      ]),
    },
  };
}

function effects({ guardrails }: ReleaseLog): Chapter {
  return {
    title: "Effects, as a share of control",
    sentences: [],
    table: {
      head: ["Metric", "Harm is", "Effect", "95 %"],
      rows: guardrails.map((record) => [
        guardrailName(record),
        `an ${record.harm}`.replace("an d", "a d"),
        effectText(record.effect),
        rangeText(record.effect),
      ]),
    },
  };
}

function segments({ segments: all, unitsShare }: ReleaseLog): Chapter {
  return {
    title: "Segments",
    chart: "segments",
    sentences: all.length === 0 ? [] : sampled(unitsShare),
    table: {
      head: ["Segment", "Metric", "Treated", "Others", "Effect", "95 %", "Adjusted p"],
      rows: all.map(({ treated, control, effect, adjustedP, ...record }) => [
        segmentName(record),
        guardrailName(record),
        among(treated),
        among(control),
        effectText(effect),
        rangeText(effect),
        adjustedP === undefined ? "" : probability(adjustedP),
      ]),
    },
  };
}

/** 3 of 120; of values 80 of 120, mean 40. */
function among({ units, counted, mean }: SegmentUnits): string {
  return `${count(counted)} of ${count(units)}${mean === undefined ? "" : `, mean ${plain(mean)}`}`;
}

function interference({ interference: all, alongside, unitsShare }: ReleaseLog): Chapter {
  const apart = alongside.filter(({ kind, key }) => !all.some((one) => one.kind === kind && one.key === key));
  return {
    title: "Interference",
    sentences: [
      ...apart.map(({ kind, key }) => `No failure could be compared in units that were also in the ${kind} ${key}.`),
      ...(all.length === 0 ? [] : sampled(unitsShare)),
    ],
    table: {
      head: [
        "Also in",
        "Metric",
        "Neither",
        "The other",
        "This one",
        "Both",
        "Changes the effect by",
        "Adjusted p",
        "Would show",
      ],
      rows: all.map(({ kind, key, metric, treatment, ownTreatment, cells, effect, adjustedP, smallestDetectable }) => [
        `${kind} ${key}: ${treatment}`,
        ownTreatment === undefined ? metric : `${metric} in ${ownTreatment}`,
        ...[cells.cc, cells.ct, cells.tc, cells.tt].map(among),
        effect.status === "ok" ? `${signed(effect.value)} (${rangeText(effect)})` : worded(effect.reason),
        adjustedP === undefined ? "" : probability(adjustedP),
        smallestDetectable === undefined ? "" : signed(smallestDetectable),
      ]),
    },
  };
}

function sampled(unitsShare: number): string[] {
  return unitsShare === 1 ? [] : [`Told of ${number(100 * unitsShare)} % of the units, chosen at random.`];
}

function predictions({ predictions: all, predictionHash }: ReleaseLog): Chapter {
  return {
    title: "Predicted and actual",
    sentences: all.length === 0 || predictionHash === undefined ? [] : [`Frozen at the start as ${predictionHash}.`],
    table: {
      head: ["Metric", "Predicted", "Actual", "Score"],
      rows: all.map(({ metric, mean, interval, level, actual, score }) => [
        metric,
        `${signed(mean)}, between ${signed(interval[0])} and ${signed(interval[1])} with ${number(100 * level)} %`,
        actual.status === "ok" ? signed(actual.value) : worded(actual.reason),
        score.status === "ok" ? `${score.covered ? "inside" : "outside"}; interval score ${plain(score.intervalScore)}` : "",
      ]),
    },
  };
}

function rollback({ rollback: taken, latencies: { detectedToDecided } }: ReleaseLog): Chapter {
  if (taken === undefined) return { title: "Rollback", sentences: [] };
  const { decidedAt, publishedAt, instances, acknowledged, ms50, ms95, ms100, laggards, revision, detectedAt } = taken;
  const within = [ms50, ms95, ms100].map((ms, index) =>
    ms === undefined ? "" : `${["50", "95", "100"][index]} % within ${span(ms)}`,
  );
  return {
    title: "Rollback",
    sentences: [
      ...(detectedAt === undefined || detectedToDecided === undefined
        ? []
        : [`The deciding event was acknowledged at ${moment(detectedAt)}; the decision came ${span(detectedToDecided)} later.`]),
      `Decided at ${moment(decidedAt)}, published at ${moment(publishedAt)} as revision ${revision}.`,
      `${acknowledged} of ${instances} instances acknowledged it${within.some((text) => text !== "") ? `: ${within.filter((text) => text !== "").join(", ")}` : ""}.`,
      ...(laggards.length === 0 ? [] : [`Not heard of: ${laggards.join(", ")}.`]),
    ],
  };
}

function gates({ gates: answers }: ReleaseLog): Chapter {
  return {
    title: "Gates",
    sentences: [],
    table: {
      head: ["Stage left", "Gate", "By", "Evidence"],
      rows: answers.map(({ stage, gate, at, by, evidence: found }) => [
        `${stage + 1}, ${moment(at)}`,
        gate,
        by,
        found.length === 0 ? "nothing on record" : found.join(" "),
      ]),
    },
  };
}

function latencies({ latencies: all }: ReleaseLog): Chapter {
  const { draftedToStarted, startedToFirstResult, startedToFull, holding, stages } = all;
  const took = (text: string, ms: number | undefined): string[] => (ms === undefined ? [] : [`${text} ${span(ms)}.`]);
  return {
    title: "How long decisions took",
    sentences: [
      ...took("From the draft to the start:", draftedToStarted),
      ...took("From the start to the first result:", startedToFirstResult),
      ...took("From the start to full:", startedToFull),
      ...(holding === 0 ? [] : took("It held for", holding)),
    ],
    table: {
      head: ["Stage", "Share", "From", "Stayed", "Beyond its minimum"],
      rows: stages.map(({ name, percentage, from, stayed, waited }) => [
        name,
        `${number(percentage)} %`,
        moment(from),
        span(stayed),
        span(waited),
      ]),
    },
  };
}

function meanwhile({ incidents, alongside }: ReleaseLog): Chapter {
  return {
    title: "Meanwhile",
    sentences: [],
    table: {
      head: ["What", "From", "To"],
      rows: [
        ...incidents.map(({ incident, reason, from, to }) => [`Incident ${incident}: ${reason}`, moment(from), ended(to)]),
        ...alongside.map(({ kind, key, from, to }) => [`The ${kind} ${key} was live`, moment(from), ended(to)]),
      ],
    },
  };
}

function ended(to: string | undefined): string {
  return to === undefined ? "not over" : moment(to);
}

/** 0.0123, 4.56, 1,230, 1.2e+40. */
function evidence(logE: number): string {
  const e = Math.exp(logE);
  return e >= 1e6 ? e.toExponential(1) : e >= 100 ? count(e) : e.toPrecision(3);
}

function effectText(effect: Stated<StatedEffect>): string {
  return effect.status === "ok" ? signed(effect.value) : worded(effect.reason);
}

function rangeText(effect: Stated<StatedEffect>): string {
  return effect.status === "ok" ? `${signed(effect.interval.low)} to ${signed(effect.interval.high)}` : "";
}
