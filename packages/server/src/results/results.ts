import type {
  ExperimentResults,
  Look,
  MetricResult,
  PredictionReport,
  QualityAlarm,
  QualityReport,
  Stated,
} from "@belay/protocol";
import { scorePrediction } from "@belay/stats";
import type { ExperimentDocument } from "../state/workspace.ts";
import type { Facts } from "./facts.ts";
import { incidentsOf } from "./incidents.ts";
import { armsOf, failedChecks } from "./quality.ts";
import { segmentsOf } from "./segments.ts";
import { Study } from "./study.ts";
import { adviceFor, qualitySentences, verdictOf } from "./verdict.ts";

/** From sums to what people read: pure. */
export function resultsOf(facts: Facts): ExperimentResults {
  const { project, experiment, document, looks, atMs, lagMs, aggregate } = facts;
  const variants = [document.control, ...document.treatments];
  const study = new Study(facts);
  const metrics = study.metrics.map((metric) => study.metricResult(metric));
  const { alarm } = looks;
  const quality: QualityReport = {
    ...study.quality().report,
    ...(alarm === undefined ? {} : { alarm }),
    ...(facts.alertRoute === undefined ? {} : { alertRoute: facts.alertRoute }),
  };
  const arms = armsOf({ variants, cells: aggregate.arms, phases: document.phases });
  const prediction = predictionOf(document, metrics);
  return {
    project,
    experiment,
    hypothesis: document.hypothesis,
    status: document.status,
    control: document.control,
    at: new Date(atMs).toISOString(),
    lagMs,
    ...(document.frozen === undefined ? {} : { hash: document.frozen.hash }),
    population: facts.population,
    verdict: verdictOf({ metrics, quality, arms, document, population: facts.population, advice: adviceFor(metrics, quality) }),
    quality,
    arms,
    metrics,
    segments: segmentsOf(study),
    interactions: facts.interactions,
    progress: study.progress(),
    ...(prediction === undefined ? {} : { prediction }),
    incidents: incidentsOf(study),
    prior: study.prior,
    phases: document.phases,
    looks: looks.looks,
  };
}

/** The looks that are due now, for the ledger; and the evidence of a sample ratio mismatch to keep with them. */
export function looksOf(facts: Facts): { readonly looks: readonly Look[]; readonly srmLogE?: number } {
  const study = new Study(facts);
  const { srmLogE } = study.quality();
  return { looks: study.looks(), ...(srmLogE === undefined ? {} : { srmLogE }) };
}

/** Which checks fail now, in words; and the evidence to keep with an alarm. */
export function qualityNow(facts: Facts): QualityNow {
  const { report, srmLogE } = new Study(facts).quality();
  const [checks, sentence] = [failedChecks(report), qualitySentences(report).join(" ")];
  return { checks, sentence, ...(srmLogE === undefined ? {} : { srmLogE }) };
}

export interface QualityNow extends Pick<QualityAlarm, "checks" | "sentence"> {
  readonly srmLogE?: number;
}

function predictionOf({ prediction }: ExperimentDocument, metrics: readonly MetricResult[]): PredictionReport | undefined {
  const comparison = metrics.find(({ metric }) => metric === prediction?.metric)?.comparisons[0];
  if (prediction === undefined || comparison === undefined) return undefined;
  const [low, high] = prediction.interval;
  const predicted = { mean: prediction.mean, interval: { low, high, level: prediction.level } };
  const { relative } = comparison;
  const actual: Stated<{ value: number }> = relative.status === "ok" ? { status: "ok", value: relative.value } : relative;
  const score = actual.status === "ok" ? scorePrediction(predicted, actual.value) : actual;
  return { metric: prediction.metric, treatment: comparison.treatment, predicted, actual, score };
}
