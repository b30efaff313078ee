import type { ArmValue, Comparison, ExperimentResults, FrozenMetric, Look, MetricResult, ProgressReport } from "@belay/protocol";
import { NO_PLAN_ALPHA } from "@belay/protocol";
import {
  type Arms,
  andThen,
  differenceOf,
  marginal,
  meanPoint,
  normalEstimate,
  type Point,
  type Result,
  shrink,
} from "@belay/stats";
import type { ExperimentDocument } from "../state/workspace.ts";
import { type ByEpoch, NOBODY, pooled, sumsOf } from "./cells.ts";
import { armValue, type Estimated, estimateEffect, unitsOf } from "./estimate.ts";
import type { Facts } from "./facts.ts";
import { failuresOf } from "./failures.ts";
import { priorOf } from "./prior.ts";
import { pBefore, qualityOf } from "./quality.ts";
import {
  type ComparisonPlan,
  comparisonPlan,
  countReport,
  lookAt,
  nonInferiorityReport,
  sequentialReport,
} from "./sequential.ts";

const DAY_MS = 86_400_000;

/** One computation over one set of facts. */
export class Study {
  readonly facts: Facts;
  readonly metrics: readonly FrozenMetric[];
  readonly prior: ExperimentResults["prior"];
  readonly alpha: number;
  readonly #plan: ComparisonPlan;

  constructor(facts: Facts) {
    const { document, past, population } = facts;
    this.facts = facts;
    this.metrics = document.frozen?.metrics ?? [];
    this.alpha = document.plan?.alpha ?? NO_PLAN_ALPHA;
    const comparisons = document.metrics.primary.length * document.treatments.length;
    const plan = comparisonPlan(document.plan, NO_PLAN_ALPHA, comparisons);
    // What was planned is a look at everybody.
    this.#plan = population === "exposed" ? plan : { ...plan, isPlanned: false };
    this.prior = priorOf(past);
  }

  metricResult(metric: FrozenMetric): MetricResult {
    const { document, aggregate } = this.facts;
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
        return { variant, units: armUnits(epochs), value: armValue(metric, epochs) };
      }),
      comparisons: document.treatments.map((treatment) => this.#comparison(metric, treatment, sums)),
    };
  }

  #comparison(metric: FrozenMetric, treatment: string, sums: ReadonlyMap<string, ByEpoch>): Comparison {
    const { document } = this.facts;
    const role = roleOf(document, metric.key);
    // Alpha is divided over what may win; every other metric is watched for harm at the whole of it.
    const plan = role === "primary" ? this.#plan : { ...this.#plan, alpha: this.alpha, isPlanned: false };
    const effect = this.effect(metric, treatment, sums);
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
        shrink({ value, variance: standardError ** 2 }, this.prior, { alpha: this.alpha }),
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
    const { control, phases } = this.facts.document;
    const failures = failuresOf(metric, { control, treatment, sums, phases });
    return failures === undefined ? nonInferiorityReport(plan, arms, metric) : countReport(failures, metric);
  }

  /** Of one treatment on one metric, from sums that need not be those of everybody. */
  effect(metric: FrozenMetric, treatment: string, sums: ReadonlyMap<string, ByEpoch>): Estimated {
    const { control } = this.facts.document;
    const arms = { control: sums.get(control) ?? NOBODY, treatment: sums.get(treatment) ?? NOBODY };
    return estimateEffect(metric, arms, this.alpha);
  }

  #looksOf(metric: string, treatment: string): readonly Look[] {
    return this.facts.looks.looks.filter((look) => look.metric === metric && look.treatment === treatment);
  }

  #series(metric: FrozenMetric, treatment: string): Comparison["series"] {
    const { aggregate } = this.facts;
    if (metric.measure.kind === "quantile") return this.#seriesOfLooks(metric, treatment);
    const days = new Set(aggregate.outcomes.flatMap((cell) => (cell.metric === metric.key ? [cell.day] : [])));
    return [...days]
      .sort((a, b) => a - b)
      .flatMap((throughDay) => {
        const { relative } = this.effect(metric, treatment, sumsOf(aggregate, metric, { throughDay }));
        if (relative.status !== "ok") return [];
        const { low, high } = relative.interval;
        return [{ day: new Date(throughDay * DAY_MS).toISOString().slice(0, 10), value: relative.value, low, high }];
      });
  }

  /** Ranks do not add up over days: a quantile's course is that of the daily looks. */
  #seriesOfLooks({ key }: FrozenMetric, treatment: string): Comparison["series"] {
    return this.#looksOf(key, treatment).flatMap(({ at, effect, variance }) => {
      const estimate = normalEstimate({ value: effect, variance }, { alpha: this.alpha });
      if (estimate.status !== "ok") return [];
      const { low, high } = estimate.interval;
      return [{ day: at.slice(0, 10), value: effect, low, high }];
    });
  }

  quality(): ReturnType<typeof qualityOf> {
    const { document, aggregate, accounts, looks } = this.facts;
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
    const { document, aggregate } = this.facts;
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
    const { document, aggregate, atMs } = this.facts;
    return this.primaries().flatMap((metric) => {
      const sums = sumsOf(aggregate, metric);
      return document.treatments.flatMap((treatment) => {
        const { point } = this.effect(metric, treatment, sums);
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
    const { document, atMs } = this.facts;
    const startedMs = Date.parse(document.startedAt ?? "");
    return this.primaries().flatMap((metric) => {
      const sums = sumsOf(this.facts.aggregate, metric);
      return document.treatments.map((treatment): ProgressReport => {
        const { point, relative } = this.effect(metric, treatment, sums);
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

  /** What the experiment is decided by. */
  primaries(): readonly FrozenMetric[] {
    return this.metrics.filter(({ key }) => this.facts.document.metrics.primary.includes(key));
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

/** Units of an arm over all its epochs. */
export function armUnits(epochs: ByEpoch): number {
  return [...epochs.values()].reduce((sum, arm) => sum + unitsOf(arm), 0);
}

/** At the pace so far; nothing in the first hour, of which no pace can be read. */
function daysToGo(fraction: number, days: number): number | undefined {
  if (fraction >= 1) return 0;
  return days > 1 / 24 && fraction > 0 ? Math.ceil((days * (1 - fraction)) / fraction) : undefined;
}
