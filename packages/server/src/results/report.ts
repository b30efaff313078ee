import { createHash } from "node:crypto";
import type { Comparison, ExperimentResults, MetricResult, Stated, StatedEffect } from "@belay/protocol";
import { type ForestRow, forestPlot, type Tone, timeSeries } from "./charts.ts";
import { escaped, section, table } from "./markup.ts";
import { REPORT_STYLE } from "./report-style.ts";
import { count, percent, plain, probability, reasonText, signed } from "./words.ts";

/** The policy a report is served under: its own style by hash, and nothing else at all. */
export const REPORT_POLICY: string = [
  "default-src 'none'",
  `style-src 'sha256-${createHash("sha256").update(REPORT_STYLE).digest("base64")}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Results as one page that needs nothing else: to be read, printed, mailed and kept. */
export function resultsReport(results: ExperimentResults): string {
  const { experiment, hypothesis, at, status, verdict } = results;
  const [first, ...others] = verdict.sentences;
  return [
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`,
    `<title>${escaped(experiment)}: results</title><style>${REPORT_STYLE}</style></head><body><main>`,
    `<header class="${verdict.advice}"><p class="kicker">${escaped(experiment)} · ${escaped(status)} · ${escaped(moment(at))}</p>`,
    `<h1>${escaped(verdict.headline)}</h1><p>${escaped(first ?? "")}</p></header>`,
    `<p class="hypothesis">${escaped(hypothesis)}</p>`,
    list(others),
    qualitySection(results),
    effectsSection(results),
    metricsSection(results),
    section(
      "Over time",
      ...primaries(results).flatMap(({ metric, comparisons }) => comparisons.map((one) => course(metric, one))),
    ),
    segmentsSection(results),
    interactionsSection(results),
    progressSection(results),
    predictionSection(results),
    incidentsSection(results),
    looksSection(results),
    footer(results),
    "</main></body></html>",
  ].join("\n");
}

function list(sentences: readonly string[]): string {
  return sentences.length === 0 ? "" : `<ul>${sentences.map((one) => `<li>${escaped(one)}</li>`).join("")}</ul>`;
}

function qualitySection({ quality, arms }: ExperimentResults): string {
  const { sampleRatio, crossing, beforeStart, loss, alertRoute } = quality;
  const armRows = arms.map(({ variant, units, share, designedShare, crossed }) => [
    escaped(variant),
    count(units),
    percent(share),
    designedShare === undefined ? "not known" : percent(designedShare),
    count(crossed),
  ]);
  const checks = [
    check(
      "Arm sizes",
      sampleRatio.isMismatched ? "bad" : (sampleRatio.pValue ?? 1) < 0.01 ? "open" : "good",
      sizesText(sampleRatio),
    ),
    check(
      "Crossing",
      crossing.status !== "ok" ? "open" : crossing.isUnhealthy ? "bad" : "good",
      crossing.status === "ok" ? `${percent(crossing.share)} of units saw two variants` : reasonText(crossing.reason),
    ),
    ...(beforeStart === undefined
      ? []
      : [check("Before the start", beforeStart.isUnhealthy ? "bad" : "good", `p ${probability(beforeStart.pValue)}`)]),
    ...(loss === undefined
      ? []
      : [
          check("Loss", loss.verdict === "even" ? "good" : loss.verdict === "unknown" ? "open" : "bad", reasonText(loss.verdict)),
        ]),
    ...(alertRoute === undefined
      ? []
      : [check("Alarms", alertRoute.isDead ? "open" : "good", alertRoute.reason ?? `go to ${alertRoute.route}`)]),
  ];
  const lossRows = (loss?.arms ?? []).map(({ variant, produced, stored, dropped, lost, inFlight }) => [
    escaped(variant),
    ...[produced, stored, dropped, lost, inFlight].map(count),
  ]);
  return section(
    "Can these numbers be trusted?",
    `<ul class="checks">${checks.join("")}</ul>`,
    table(["Arm", "Units", "Share", "Designed", "Saw two variants"], armRows),
    table(["Arm", "Produced", "Stored", "Dropped", "Lost", "In flight"], lossRows),
  );
}

function sizesText({ pValue, anytimePValue }: ExperimentResults["quality"]["sampleRatio"]): string {
  if (pValue === undefined || anytimePValue === undefined) return "not tested";
  return `p ${probability(pValue)} at this one look, ${probability(anytimePValue)} at any time`;
}

function check(name: string, tone: Tone, text: string): string {
  const word = { good: "good", bad: "alarm", open: "look" }[tone];
  return `<li class="${tone}"><b>${escaped(name)}</b> <span class="state">${word}</span> ${escaped(text)}</li>`;
}

function effectsSection({ metrics }: ExperimentResults): string {
  const rows = metrics.flatMap(({ metric, role, comparisons }) =>
    comparisons.flatMap(({ treatment, relative, sequential, isImproved, isDeteriorated }): ForestRow[] => {
      if (relative.status !== "ok") return [];
      const { low, high } = sequential.status === "ok" ? sequential.interval : relative.interval;
      const tone: Tone = isImproved ? "good" : isDeteriorated ? "bad" : "open";
      return [
        { label: `${metric}, ${treatment}${role === "guardrail" ? " (guardrail)" : ""}`, value: relative.value, low, high, tone },
      ];
    }),
  );
  return section(
    "Effects, as a share of control",
    forestPlot("Relative effects with intervals that hold under constant looking", rows),
    rows.length === 0 ? "" : `<p class="note">Intervals hold the truth at all looks together, however often they are read.</p>`,
  );
}

function metricsSection({ metrics, control, prior }: ExperimentResults): string {
  const rows = metrics.flatMap((metric) =>
    metric.comparisons.map((comparison) => [
      `<b>${escaped(metric.metric)}</b> <small>${metric.role}, ${metric.good} is good</small>`,
      escaped(comparison.treatment),
      valueOfArm(metric, control),
      valueOfArm(metric, comparison.treatment),
      effectText(comparison.absolute, plain),
      effectText(comparison.relative, signed),
      comparison.shrunken.status === "ok" ? signed(comparison.shrunken.value) : reasonText(comparison.shrunken.reason),
      comparison.absolute.status === "ok" ? probability(comparison.absolute.pValue) : "",
      comparison.sequential.status === "ok" ? probability(comparison.sequential.anytimePValue) : "",
      standing(comparison),
    ]),
  );
  const head = [
    "Metric",
    "Treatment",
    "Control",
    "Treated",
    "Difference",
    "Relative",
    "Shrunken",
    "p, one look",
    "p, any time",
    "Standing",
  ];
  const methods = metrics.flatMap(({ metric, version, comparisons: [first] }) =>
    first === undefined ? [] : [`${metric} (version ${version}): ${first.method}.`],
  );
  const { sd, source, tests } = prior;
  const shrunken =
    source === "fitted"
      ? `Shrunken toward what ${count(tests)} finished experiments have shown.`
      : `Shrunken as if true effects had a standard deviation of ${percent(sd)}: fewer than 20 finished experiments say what it is.`;
  const notes = `<p class="note">${escaped([...methods, "Difference and relative effect are those of this one look.", shrunken].join(" "))}</p>`;
  return section("Metrics", table(head, rows), rows.length === 0 ? "" : notes);
}

function valueOfArm({ arms }: MetricResult, variant: string): string {
  const arm = arms.find((one) => one.variant === variant);
  if (arm === undefined) return "";
  const value = arm.value.status === "ok" ? plain(arm.value.value) : reasonText(arm.value.reason);
  return `${value} <small>of ${count(arm.units)}</small>`;
}

function effectText(effect: Stated<StatedEffect>, text: (value: number) => string): string {
  if (effect.status !== "ok") return `<small>${escaped(reasonText(effect.reason))}</small>`;
  return `${text(effect.value)} <small>${text(effect.interval.low)} to ${text(effect.interval.high)}</small>`;
}

function standing({ isImproved, isDeteriorated, nonInferiority }: Comparison): string {
  if (isImproved) return `<span class="good">improved</span>`;
  if (isDeteriorated) return `<span class="bad">got worse</span>`;
  if (nonInferiority?.status === "ok" && nonInferiority.isNonInferior) return `<span class="good">not inferior</span>`;
  return nonInferiority === undefined ? "open" : "not shown harmless";
}

function primaries({ metrics }: ExperimentResults): readonly MetricResult[] {
  return metrics.filter(({ role }) => role === "primary");
}

function course(metric: string, { treatment, series }: Comparison): string {
  const drawn = timeSeries(`${metric} with ${treatment}: relative effect as it added up`, series);
  return drawn === "" ? "" : `<h3>${escaped(metric)} with ${escaped(treatment)}</h3>${drawn}`;
}

function segmentsSection({ segments, metrics }: ExperimentResults): string {
  const goodOf = new Map(metrics.map(({ metric, good }) => [metric, good]));
  const rows = segments.flatMap(({ attribute, value, metric, treatment, relative, adjustedP = 1 }): ForestRow[] => {
    if (relative.status !== "ok") return [];
    const { low, high } = relative.interval;
    const label = `${attribute} ${value === "" ? "(none)" : value}: ${metric}, ${treatment}`;
    const isBetter = relative.value > 0 === (goodOf.get(metric) === "increase");
    return [{ label, value: relative.value, low, high, tone: adjustedP > 0.05 ? "open" : isBetter ? "good" : "bad" }];
  });
  const lines = segments.map(({ attribute, value, metric, treatment, units, relative, adjustedP }) => [
    `${escaped(attribute)} = ${escaped(value === "" ? "(none)" : value)}`,
    escaped(metric),
    escaped(treatment),
    count(units),
    effectText(relative, signed),
    adjustedP === undefined ? "" : probability(adjustedP),
  ]);
  return section(
    "Segments",
    forestPlot("Relative effects by segment", rows.slice(0, 40)),
    table(["Segment", "Metric", "Treatment", "Units", "Relative", "Adjusted p"], lines),
  );
}

function interactionsSection({ interactions }: ExperimentResults): string {
  const rows = interactions.map(({ experiment, metric, treatments, units, effect, adjustedP, smallestDetectable }) => [
    escaped(experiment),
    escaped(`${treatments[0]} with ${treatments[1]}`),
    escaped(metric),
    count(units),
    effectText(effect, plain),
    adjustedP === undefined ? "" : probability(adjustedP),
    smallestDetectable === undefined ? "" : plain(smallestDetectable),
  ]);
  return section(
    "Other experiments on the same units",
    table(["Experiment", "Treatments", "Metric", "Joint units", "Interaction", "Adjusted p", "Could have seen"], rows),
  );
}

function progressSection({ progress }: ExperimentResults): string {
  const rows = progress.map(({ metric, treatment, fraction, precision, daysLeft }) => [
    escaped(metric),
    escaped(treatment),
    fraction === undefined ? "no plan" : percent(fraction),
    precision === undefined ? "" : `± ${percent(precision)}`,
    daysLeft === undefined ? "" : count(daysLeft),
  ]);
  return section("Progress", table(["Metric", "Treatment", "Of planned information", "Precision", "Days to go"], rows));
}

function predictionSection({ prediction }: ExperimentResults): string {
  if (prediction === undefined) return "";
  const { metric, treatment, predicted, actual, score } = prediction;
  const { mean, interval } = predicted;
  const said = `${signed(mean)}, between ${signed(interval.low)} and ${signed(interval.high)} with ${percent(interval.level)}`;
  const was = actual.status === "ok" ? signed(actual.value) : reasonText(actual.reason);
  const judged =
    score.status === "ok"
      ? `${score.covered ? "inside" : "outside"} the interval; interval score ${plain(score.intervalScore)}, CRPS ${plain(score.crps)}`
      : reasonText(score.reason);
  return section(
    "Predicted and actual",
    table(["Metric", "Treatment", "Predicted", "Actual", "Score"], [[metric, treatment, said, was, judged].map(escaped)]),
  );
}

function incidentsSection({ incidents }: ExperimentResults): string {
  const rows = incidents.map(({ incident, reason, metric, treatment, with: all, without, interaction }) => [
    `${escaped(incident)} <small>${escaped(reason)}</small>`,
    escaped(metric),
    escaped(treatment),
    effectText(all, signed),
    effectText(without, signed),
    effectText(interaction, signed),
  ]);
  return section("Incidents", table(["Incident", "Metric", "Treatment", "With", "Without", "Inside less outside"], rows));
}

function looksSection({ looks }: ExperimentResults): string {
  const rows = looks.map(({ at, metric, treatment, units, effect, fraction, alphaSpent, bound, rejectedBy }) => [
    escaped(moment(at)),
    escaped(metric),
    escaped(treatment),
    count(units.control + units.treatment),
    signed(effect),
    fraction === undefined ? "" : percent(fraction),
    alphaSpent === undefined ? "" : probability(alphaSpent),
    bound === undefined ? "" : plain(bound),
    rejectedBy.join(" and "),
  ]);
  return section(
    "Look ledger",
    table(["Time", "Metric", "Treatment", "Units", "Effect", "Information", "Alpha spent", "Bound", "Rejected by"], rows),
  );
}

function footer({ hash, lagMs, phases }: ExperimentResults): string {
  const frozen = hash === undefined ? "" : `Frozen at the start as <code>${escaped(hash)}</code>. `;
  const lag = lagMs === 0 ? "Every event acknowledged is in." : `Events of the last ${count(lagMs)} ms may be missing.`;
  const names = phases.map(({ epoch, from }) => `${escaped(moment(from))} (epoch ${epoch})`).join(", ");
  return `<footer>${frozen}${lag} Phases since: ${names === "" ? "none" : names}.</footer>`;
}

/** 2026-11-22 12:00 UTC. */
function moment(at: string): string {
  return `${at.slice(0, 10)} ${at.slice(11, 16)} UTC`;
}
