import type {
  AlertRouteReport,
  ArmValue,
  Comparison,
  ExperimentResults,
  FrozenMetric,
  IncidentReport,
  InteractionResult,
  Look,
  MetricResult,
  PredictionReport,
  ProgressReport,
  QualityAlarm,
  QualityReport,
  ResultsPopulation,
  SegmentResult,
  Stated,
  StatedEffect,
} from "@belay/protocol";
import { NO_PLAN_ALPHA } from "@belay/protocol";
import {
  type Arms,
  adjustPValues,
  andThen,
  differenceOf,
  type Estimate,
  marginal,
  meanPoint,
  normalEstimate,
  type Point,
  type Result,
  scorePrediction,
  shrink,
} from "@belay/stats";
import type { ArmAccount } from "../ledger/domain.ts";
import type { ExperimentDocument, LooksDocument } from "../state/workspace.ts";
import { type Aggregate, OTHER_VALUES } from "../store/events/index.ts";
import { type ArmSums, type ByEpoch, NOBODY, pooled, sumsOf } from "./cells.ts";
import { armValue, type Estimated, estimateEffect, unitsOf } from "./estimate.ts";
import { failuresOf } from "./failures.ts";
import { priorOf } from "./prior.ts";
import { armsOf, failedChecks, pBefore, qualityOf } from "./quality.ts";
import {
  type ComparisonPlan,
  comparisonPlan,
  countReport,
  lookAt,
  nonInferiorityReport,
  sequentialReport,
} from "./sequential.ts";
import { adviceFor, qualitySentences, verdictOf } from "./verdict.ts";

/** From sums to what people read: pure. Everything is computed from what is in `Facts`, so any result can be had again. */
export interface Facts {
  readonly project: string;
  readonly experiment: string;
  readonly document: ExperimentDocument;
  readonly population: ResultsPopulation;
  readonly looks: LooksDocument;
  readonly atMs: number;
  readonly lagMs: number;
  readonly aggregate: Aggregate;
  readonly accounts: readonly ArmAccount[];
  /** Effects that finished experiments ended with, as shares of control. */
  readonly past: readonly Point[];
  readonly incidents: readonly IncidentFacts[];
  readonly interactions: readonly InteractionResult[];
  readonly alertRoute?: AlertRouteReport;
}

/** The sums of units first exposed before, in and after an incident. */
export interface IncidentFacts {
  readonly key: string;
  readonly reason: string;
  readonly during: Aggregate;
  readonly others: readonly Aggregate[];
}

const DAY_MS = 86_400_000;

/** Values of a segment that are shown by themselves: a p-value more for each costs all others theirs. */
const SEGMENT_VALUES_MAX = 20;

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
    segments: study.segments(),
    interactions: facts.interactions,
    progress: study.progress(),
    ...(prediction === undefined ? {} : { prediction }),
    incidents: study.incidents(),
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

/** One computation over one set of facts. */
class Study {
  readonly metrics: readonly FrozenMetric[];
  readonly #facts: Facts;
  readonly #plan: ComparisonPlan;
  readonly prior: ExperimentResults["prior"];
  readonly #alpha: number;

  constructor(facts: Facts) {
    const { document, past, population } = facts;
    this.#facts = facts;
    this.metrics = document.frozen?.metrics ?? [];
    this.#alpha = document.plan?.alpha ?? NO_PLAN_ALPHA;
    const comparisons = document.metrics.primary.length * document.treatments.length;
    const plan = comparisonPlan(document.plan, NO_PLAN_ALPHA, comparisons);
    // What was planned is a look at everybody.
    this.#plan = population === "exposed" ? plan : { ...plan, isPlanned: false };
    this.prior = priorOf(past);
  }

  metricResult(metric: FrozenMetric): MetricResult {
    const { document, aggregate } = this.#facts;
    const sums = sumsOf(aggregate, metric);
    const { key, version, good, measure } = metric;
    return {
      metric: key,
      version,
      role: roleOf(document, key),
      kind: measure.kind,
      good,
      arms: [document.control, ...document.treatments].map((variant): ArmValue => {
        const epochs = sums.get(variant) ?? NOBODY;
        const units = [...epochs.values()].reduce((sum, arm) => sum + unitsOf(arm), 0);
        return { variant, units, value: armValue(metric, epochs) };
      }),
      comparisons: document.treatments.map((treatment) => this.#comparison(metric, treatment, sums)),
    };
  }

  #comparison(metric: FrozenMetric, treatment: string, sums: ReadonlyMap<string, ByEpoch>): Comparison {
    const { document } = this.#facts;
    const role = roleOf(document, metric.key);
    // Alpha is divided over what may win; every other metric is watched for harm at the whole of it.
    const plan = role === "primary" ? this.#plan : { ...this.#plan, alpha: this.#alpha, isPlanned: false };
    const effect = this.#effect(metric, treatment, sums);
    const looks = role === "primary" ? this.#looksOf(metric.key, treatment) : [];
    const sequential = sequentialReport(plan, looks, effect.point);
    const sign = metric.good === "increase" ? 1 : -1;
    const better = effect.point.status === "ok" ? sign * effect.point.value : 0;
    const isRejected = sequential.status === "ok" && sequential.rejectedBy.length > 0;
    return {
      treatment,
      method: effect.method,
      absolute: effect.absolute,
      relative: effect.relative,
      shrunken: andThen(effect.relative, ({ value, standardError }) =>
        shrink({ value, variance: standardError ** 2 }, this.prior, { alpha: this.#alpha }),
      ),
      ...(effect.varianceRatio === undefined ? {} : { varianceRatio: effect.varianceRatio }),
      sequential,
      ...(role === "guardrail"
        ? { nonInferiority: this.#nonInferiority(metric, treatment, { sums, plan, arms: effect.arms }) }
        : {}),
      isImproved: isRejected && better > 0,
      isDeteriorated: isRejected && better < 0,
      series: this.#series(metric, treatment),
    };
  }

  /** Rare failures are told exactly, by whose they are; what is common, or has no design, by the size of the effect. */
  #nonInferiority(
    metric: FrozenMetric,
    treatment: string,
    { sums, plan, arms }: Judged,
  ): NonNullable<Comparison["nonInferiority"]> {
    const { control, phases } = this.#facts.document;
    const failures = failuresOf(metric, { control, treatment, sums, phases });
    return failures === undefined ? nonInferiorityReport(plan, arms, metric) : countReport(failures, metric);
  }

  #effect(metric: FrozenMetric, treatment: string, sums: ReadonlyMap<string, ByEpoch>): Estimated {
    const { control } = this.#facts.document;
    const arms = { control: sums.get(control) ?? NOBODY, treatment: sums.get(treatment) ?? NOBODY };
    return estimateEffect(metric, arms, this.#alpha);
  }

  #looksOf(metric: string, treatment: string): readonly Look[] {
    return this.#facts.looks.looks.filter((look) => look.metric === metric && look.treatment === treatment);
  }

  #series(metric: FrozenMetric, treatment: string): Comparison["series"] {
    const { aggregate } = this.#facts;
    if (metric.measure.kind === "quantile") return this.#seriesOfLooks(metric, treatment);
    const days = new Set(aggregate.outcomes.flatMap((cell) => (cell.metric === metric.key ? [cell.day] : [])));
    return [...days]
      .sort((a, b) => a - b)
      .flatMap((throughDay) => {
        const { relative } = this.#effect(metric, treatment, sumsOf(aggregate, metric, { throughDay }));
        if (relative.status !== "ok") return [];
        const { low, high } = relative.interval;
        return [{ day: new Date(throughDay * DAY_MS).toISOString().slice(0, 10), value: relative.value, low, high }];
      });
  }

  /** Ranks do not add up over days: a quantile's course is that of the daily looks. */
  #seriesOfLooks({ key }: FrozenMetric, treatment: string): Comparison["series"] {
    return this.#looksOf(key, treatment).flatMap(({ at, effect, variance }) => {
      const estimate = normalEstimate({ value: effect, variance }, { alpha: this.#alpha });
      if (estimate.status !== "ok") return [];
      const { low, high } = estimate.interval;
      return [{ day: at.slice(0, 10), value: effect, low, high }];
    });
  }

  segments(): readonly SegmentResult[] {
    const { document, aggregate } = this.#facts;
    const found = segmentValues(aggregate).flatMap((segment) =>
      this.#primaries().flatMap((metric) => {
        const sums = sumsOf(aggregate, metric, { segment });
        return document.treatments.map((treatment): SegmentResult => {
          const { relative } = this.#effect(metric, treatment, sums);
          const attribute = document.segments[segment.index] ?? "";
          const units = [document.control, treatment].reduce((sum, arm) => sum + armUnits(sums.get(arm) ?? NOBODY), 0);
          return { attribute, value: segment.name, metric: metric.key, treatment, units, relative };
        });
      }),
    );
    const tested = found.filter(({ relative }) => relative.status === "ok");
    const pValues = tested.flatMap(({ relative }) => (relative.status === "ok" ? [relative.pValue] : []));
    const adjusted = adjustPValues(pValues, { method: "holm", alpha: this.#alpha });
    return found.map((segment) => {
      const test = adjusted.status === "ok" ? adjusted.tests[tested.indexOf(segment)] : undefined;
      return test === undefined ? segment : { ...segment, adjustedP: test.adjustedP };
    });
  }

  quality(): ReturnType<typeof qualityOf> {
    const { document, aggregate, accounts, looks } = this.#facts;
    const { srmLogEMax } = looks;
    return qualityOf({
      variants: [document.control, ...document.treatments],
      phases: document.phases,
      cells: aggregate.arms,
      segments: document.segments,
      accounts,
      pValuesBefore: document.covariateDays === undefined ? [] : this.#pValuesBefore(),
      ...(srmLogEMax === undefined ? {} : { srmLogEBefore: srmLogEMax }),
    });
  }

  /** Did the arms differ before anybody was treated? Means of the covariate of every metric that is no ratio. */
  #pValuesBefore(): number[] {
    const { document, aggregate } = this.#facts;
    return this.metrics.flatMap((metric) => {
      const sums = sumsOf(aggregate, metric);
      return document.treatments.flatMap((treatment) => {
        const arms = [document.control, treatment].map((arm) => pooled(sums.get(arm) ?? NOBODY));
        const [control, treated] = arms.map((joint) => (joint?.means.length === 3 ? meanPoint(marginal(joint, 1)) : undefined));
        if (control?.status !== "ok" || treated?.status !== "ok") return [];
        const p = pBefore(differenceOf({ control, treatment: treated }));
        return p === undefined ? [] : [p];
      });
    });
  }

  looks(): readonly Look[] {
    const { document, aggregate, atMs } = this.#facts;
    return this.#primaries().flatMap((metric) => {
      const sums = sumsOf(aggregate, metric);
      return document.treatments.flatMap((treatment) => {
        const { point } = this.#effect(metric, treatment, sums);
        if (point.status !== "ok") return [];
        const units = {
          control: armUnits(sums.get(document.control) ?? NOBODY),
          treatment: armUnits(sums.get(treatment) ?? NOBODY),
        };
        const about = { at: new Date(atMs).toISOString(), metric: metric.key, treatment, units };
        const look = lookAt(this.#plan, this.#looksOf(metric.key, treatment), point, about);
        return look === undefined ? [] : [look];
      });
    });
  }

  progress(): readonly ProgressReport[] {
    const { document, atMs } = this.#facts;
    const startedMs = Date.parse(document.startedAt ?? "");
    return this.#primaries().flatMap((metric) => {
      const sums = sumsOf(this.#facts.aggregate, metric);
      return document.treatments.map((treatment): ProgressReport => {
        const { point, relative } = this.#effect(metric, treatment, sums);
        const fraction =
          point.status === "ok" && this.#plan.isPlanned ? 1 / point.variance / this.#plan.informationMax : undefined;
        const daysLeft = fraction === undefined ? undefined : daysToGo(fraction, (atMs - startedMs) / DAY_MS);
        return {
          metric: metric.key,
          treatment,
          ...(fraction === undefined ? {} : { fraction }),
          ...(relative.status === "ok" ? { precision: (relative.interval.high - relative.interval.low) / 2 } : {}),
          ...(daysLeft === undefined ? {} : { daysLeft }),
        };
      });
    });
  }

  incidents(): readonly IncidentReport[] {
    const { document, aggregate, incidents } = this.#facts;
    return incidents.flatMap(({ key, reason, during, others }) =>
      this.#primaries().flatMap((metric) =>
        document.treatments.map((treatment): IncidentReport => {
          const without = this.#effect(metric, treatment, mergedEpochs(others.map((part) => sumsOf(part, metric))));
          const inside = this.#effect(metric, treatment, sumsOf(during, metric));
          return {
            incident: key,
            reason,
            metric: metric.key,
            treatment,
            with: this.#effect(metric, treatment, sumsOf(aggregate, metric)).relative,
            without: without.relative,
            interaction: differenceBetween(inside.relative, without.relative, this.#alpha),
          };
        }),
      ),
    );
  }

  #primaries(): readonly FrozenMetric[] {
    return this.metrics.filter(({ key }) => this.#facts.document.metrics.primary.includes(key));
  }
}

interface Judged {
  readonly sums: ReadonlyMap<string, ByEpoch>;
  readonly plan: ComparisonPlan;
  readonly arms: Result<Arms<Point>>;
}

function roleOf({ metrics }: ExperimentDocument, key: string): MetricResult["role"] {
  if (metrics.primary.includes(key)) return "primary";
  return metrics.guardrails.includes(key) ? "guardrail" : "secondary";
}

function armUnits(epochs: ByEpoch): number {
  return [...epochs.values()].reduce((sum, arm) => sum + unitsOf(arm), 0);
}

interface NamedSegment {
  readonly name: string;
  readonly index: number;
  readonly values: ReadonlySet<string>;
}

/** The values of each segment that most units have, by name, and all others together. */
function segmentValues({ arms }: Aggregate): readonly NamedSegment[] {
  const units = new Map<number, Map<string, number>>();
  for (const { segment, units: n } of arms) {
    if (segment === undefined) continue;
    const values = units.get(segment.index) ?? new Map<string, number>();
    units.set(segment.index, values);
    values.set(segment.value, (values.get(segment.value) ?? 0) + n);
  }
  return [...units]
    .sort(([a], [b]) => a - b)
    .flatMap(([index, values]) => {
      const ranked = [...values]
        .filter(([value]) => value !== OTHER_VALUES)
        .sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1))
        .map(([value]) => value);
      const shown = ranked.slice(0, SEGMENT_VALUES_MAX).sort();
      const rest = [...ranked.slice(SEGMENT_VALUES_MAX), ...(values.has(OTHER_VALUES) ? [OTHER_VALUES] : [])];
      const named = shown.map((value): NamedSegment => ({ name: value, index, values: new Set([value]) }));
      return rest.length === 0 ? named : [...named, { name: OTHER_VALUES, index, values: new Set(rest) }];
    });
}

/** At the pace so far; nothing in the first hour, of which no pace can be read. */
function daysToGo(fraction: number, days: number): number | undefined {
  if (fraction >= 1) return 0;
  return days > 1 / 24 && fraction > 0 ? Math.ceil((days * (1 - fraction)) / fraction) : undefined;
}

/** Parts of an experiment's time as further strata, each phase of each part by itself. */
function mergedEpochs(parts: readonly ReadonlyMap<string, ByEpoch>[]): ReadonlyMap<string, ByEpoch> {
  const merged = new Map<string, Map<number, ArmSums>>();
  for (const [index, part] of parts.entries()) {
    for (const [variant, epochs] of part) {
      const own = merged.get(variant) ?? new Map<number, ArmSums>();
      merged.set(variant, own);
      for (const [epoch, sums] of epochs) own.set(epoch * parts.length + index, sums);
    }
  }
  return merged;
}

function differenceBetween(inside: Result<Estimate>, outside: Result<Estimate>, alpha: number): Stated<StatedEffect> {
  return andThen(inside, (treatment) =>
    andThen(outside, (control) => {
      const points: Arms<Point> = {
        control: { value: control.value, variance: control.standardError ** 2 },
        treatment: { value: treatment.value, variance: treatment.standardError ** 2 },
      };
      return normalEstimate(differenceOf(points), { alpha });
    }),
  );
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
