import type { Advice, ArmReport, Comparison, MetricResult, QualityReport, ResultsPopulation, Verdict } from "@belay/protocol";
import { type MetricEvidence, shipAdvice } from "@belay/stats";
import type { ExperimentDocument } from "../state/workspace.ts";
import { isSkewed } from "./quality.ts";
import { count, percent, reasonText, signed } from "./words.ts";

/** What to do, in words: pure, and never stronger than the numbers. */

/**
 * The ship rule over all metrics. With several treatments the best case counts: a treatment ships alone, so one for which
 * everything holds is enough, and what stands against shipping is told of the one that comes nearest.
 */
export function adviceFor(metrics: readonly MetricResult[], quality: QualityReport): Advice {
  const checks = {
    sampleRatio: !quality.sampleRatio.isMismatched && !(quality.loss !== undefined && isSkewed(quality.loss)),
    beforeStart: quality.beforeStart?.isUnhealthy !== true,
    crossing: !(quality.crossing.status === "ok" && quality.crossing.isUnhealthy),
  };
  const treatments = metrics[0]?.comparisons.map(({ treatment }) => treatment) ?? [];
  const secondary = new Set(metrics.flatMap(({ metric, role }) => (role === "secondary" ? [metric] : [])));
  const advices = treatments.map((treatment): Advice => {
    const { advice, because } = shipAdvice(evidenceOf(metrics, treatment), checks);
    // Nobody waits for a secondary metric.
    return { advice, because: advice === "not-enough-yet" ? because.filter((name) => !secondary.has(name)) : because };
  });
  const ranked = ["ship", "fix-quality-first", "not-enough-yet", "do-not-ship"] as const;
  for (const wanted of ranked) {
    const found = advices.find(({ advice }) => advice === wanted);
    if (found !== undefined) return found;
  }
  return { advice: "not-enough-yet", because: ["results"] };
}

/** The treatments that may ship. */
function shippable(metrics: readonly MetricResult[], quality: QualityReport): readonly string[] {
  const treatments = metrics[0]?.comparisons.map(({ treatment }) => treatment) ?? [];
  return treatments.filter((treatment) => {
    const only = metrics.map((metric) => ({
      ...metric,
      comparisons: metric.comparisons.filter((c) => c.treatment === treatment),
    }));
    return adviceFor(only, quality).advice === "ship";
  });
}

function evidenceOf(metrics: readonly MetricResult[], treatment: string): MetricEvidence[] {
  return metrics.flatMap(({ metric, role, comparisons }): MetricEvidence[] => {
    const comparison = comparisons.find((one) => one.treatment === treatment);
    if (comparison === undefined) return [];
    const { isImproved: improved, isDeteriorated: deteriorated, nonInferiority } = comparison;
    const passed = nonInferiority?.status === "ok" && nonInferiority.isNonInferior;
    if (role === "guardrail") return [{ metric, role, improved, deteriorated, nonInferior: passed }];
    // A secondary metric can forbid by getting worse, and never allows by getting better.
    return [{ metric, role: "success", improved: improved && role === "primary", deteriorated }];
  });
}

interface Spoken {
  readonly metrics: readonly MetricResult[];
  readonly quality: QualityReport;
  readonly arms: readonly ArmReport[];
  readonly document: ExperimentDocument;
  readonly population: ResultsPopulation;
  readonly advice: Advice;
}

export function verdictOf({ metrics, quality, arms, document, population, advice }: Spoken): Verdict {
  const units = arms.reduce((sum, arm) => sum + arm.units, 0);
  return {
    ...advice,
    headline: headlineOf(advice, metrics, quality),
    sentences: [
      ...(population === "triggered" ? ["Only units whose decision may have differed are counted."] : []),
      ...qualitySentences(quality),
      ...metrics.flatMap(({ metric, role, good, comparisons }) =>
        comparisons.map((comparison) => metricSentence({ metric, role, good }, comparison)),
      ),
      `${count(units)} units have been exposed in ${document.phases.length === 1 ? "one phase" : `${document.phases.length} phases`}.`,
    ],
  };
}

function headlineOf({ advice, because }: Advice, metrics: readonly MetricResult[], quality: QualityReport): string {
  switch (advice) {
    case "ship": {
      const winners = shippable(metrics, quality);
      return `Ship ${winners.join(" or ")}: a primary metric improved, every guardrail is non-inferior and nothing got worse.`;
    }
    case "do-not-ship":
      return `Do not ship: ${because.join(", ")} got worse.`;
    case "fix-quality-first":
      return `Do not decide yet: the data cannot be trusted (${because.map(checkName).join(", ")}).`;
    case "not-enough-yet":
      return because[0] === "results"
        ? "Not enough yet: nothing has been measured."
        : `Not enough yet: ${[openGuardrails(metrics, because), openSuccesses(metrics, because)].filter((text) => text !== "").join("; ")}.`;
  }
}

function openGuardrails(metrics: readonly MetricResult[], because: readonly string[]): string {
  const open = because.filter((name) => metrics.some(({ metric, role }) => metric === name && role === "guardrail"));
  return open.length === 0 ? "" : `not shown to be harmless to ${open.join(", ")}`;
}

function openSuccesses(metrics: readonly MetricResult[], because: readonly string[]): string {
  const open = because.filter((name) => metrics.some(({ metric, role }) => metric === name && role === "primary"));
  return open.length === 0 ? "" : `no improvement shown of ${open.join(", ")}`;
}

function checkName(check: string): string {
  const names: Readonly<Record<string, string>> = {
    sampleRatio: "the arms are not of the designed sizes",
    beforeStart: "the arms differed before the start",
    crossing: "too many units saw two variants",
  };
  return names[check] ?? check;
}

export function qualitySentences({ sampleRatio, crossing, beforeStart, loss, alertRoute }: QualityReport): string[] {
  const sentences = [sampleRatio.sentence];
  if (sampleRatio.segments.length > 0) sentences.push(`It shows in ${sampleRatio.segments.join(", ")}.`);
  if (loss?.verdict === "skewed-loss") sentences.push("The assignment is even, but losing exposures depends on the arm.");
  if (loss?.verdict === "skewed-assignment") sentences.push("Already the exposures that applications made are not as designed.");
  if (loss?.verdict === "skewed-both") sentences.push("Both the assignment and the loss of exposures depend on the arm.");
  if (crossing.status === "ok" && crossing.isUnhealthy) {
    sentences.push(`${percent(crossing.share)} of the units saw two variants, too many or unequally many.`);
  }
  if (beforeStart?.isUnhealthy === true) sentences.push("The arms differed already before anybody was exposed.");
  if (alertRoute?.isDead === true) sentences.push(`Its alarms reach nobody: ${alertRoute.reason}.`);
  return sentences;
}

function metricSentence(
  { metric, role, good }: Pick<MetricResult, "metric" | "role" | "good">,
  { treatment, relative, sequential, nonInferiority, isImproved, isDeteriorated }: Comparison,
): string {
  const name = `${metric} (${role}) with ${treatment}`;
  if (relative.status !== "ok") return `${name}: no result, ${reasonText(relative.reason)}.`;
  const interval = sequential.status === "ok" ? sequential.interval : relative.interval;
  const change = `${signed(relative.value)}, between ${signed(interval.low)} and ${signed(interval.high)}`;
  if (isImproved) return `${name} improved: ${change}.`;
  if (isDeteriorated) return `${name} got worse: ${change}.`;
  if (nonInferiority?.status === "ok" && nonInferiority.isNonInferior) {
    return `${name} is not worse by ${percent(nonInferiority.tolerance)} or more: ${change}.`;
  }
  const wanted = role === "guardrail" ? "not yet shown to be harmless" : `no ${good} shown yet`;
  return `${name}: ${wanted}, ${change}.`;
}
