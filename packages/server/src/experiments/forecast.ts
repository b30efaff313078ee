import type {
  AnalysisPlan,
  Baseline,
  ExperimentKey,
  Forecast,
  ForecastRequest,
  MetricForecast,
  MetricKind,
} from "@belay/protocol";
import { type Design, detectableEffect, ledgerInflation, requiredUnits, shareVariance } from "@belay/stats";
import type { ExperimentDocument, MetricDocument, ProjectState } from "../state/workspace.ts";
import { overlapsOf } from "./overlap.ts";
import { allocationsOf } from "./phases.ts";
import type { Recent } from "./recent.ts";

/** What an experiment would need and could see, from its plan and what the last days were like. Pure. */
export function forecastOf(
  project: ProjectState,
  key: ExperimentKey,
  experiment: ExperimentDocument,
  { request, recent }: { readonly request: ForecastRequest; readonly recent: Recent | undefined },
): Forecast {
  const unitsPerDay = request.unitsPerDay ?? recent?.unitsPerDay;
  const pair = pairOf(project, key, experiment);
  return {
    ...(unitsPerDay === undefined ? {} : { unitsPerDay }),
    unitsFrom: request.unitsPerDay !== undefined ? "request" : unitsPerDay === undefined ? "nowhere" : "exposures",
    metrics: experiment.metrics.primary.map((metric): MetricForecast => {
      const asked = own(request.baselines, metric);
      const baseline = asked ?? recent?.baselines.get(metric);
      const known = {
        metric,
        ...(baseline === undefined ? {} : { baseline }),
        baselineFrom: asked !== undefined ? "request" : baseline === undefined ? "nowhere" : "exposures",
      } as const;
      const measured = project.metrics.get(metric)?.body;
      return { ...known, ...sizing(experiment, { ...pair, measured }, baseline, unitsPerDay) };
    }),
    overlaps: overlapsOf(project, key, experiment),
  };
}

/** One treatment beside the control: the smallest treatment, for it needs longest. */
interface Pair {
  /** Of the pair's units. */
  readonly treatmentShare: number;
  /** The pair's units of all that the experiment takes. */
  readonly ofAll: number;
}

/** As the newest allocation says; equal arms where no split tracks the experiment yet. */
function pairOf(project: ProjectState, key: ExperimentKey, { flag, environment, control, treatments }: ExperimentDocument): Pair {
  const targeting = project.environments.get(environment)?.targetings.get(flag)?.body;
  const weights = targeting === undefined ? undefined : allocationsOf(targeting, key).at(-1)?.weights;
  const weightOf = (arm: string): number => own(weights, arm) ?? 0;
  const [ofControl, ofTreatment] = [weightOf(control), Math.min(...treatments.map(weightOf))];
  const total = weightOf(control) + treatments.reduce((sum, arm) => sum + weightOf(arm), 0);
  if (!(ofControl > 0 && ofTreatment > 0)) return { treatmentShare: 0.5, ofAll: 2 / (treatments.length + 1) };
  return { treatmentShare: ofTreatment / (ofControl + ofTreatment), ofAll: (ofControl + ofTreatment) / total };
}

type Sizing = Omit<MetricForecast, "metric" | "baseline" | "baselineFrom">;

function sizing(
  { plan, metrics, treatments }: ExperimentDocument,
  { treatmentShare, ofAll, measured }: Pair & { readonly measured: MetricDocument | undefined },
  baseline: Baseline | undefined,
  unitsPerDay: number | undefined,
): Sizing {
  if (plan === undefined) return { missing: "there is no plan" };
  if (baseline === undefined) return { missing: "no recent unit says what the metric is like without treatment" };
  if (baseline.mean === 0) return { missing: "the metric is 0 without treatment, so no effect is a share of it" };
  const design = designOf(plan, { successMetrics: metrics.primary.length * treatments.length, treatmentShare });
  const effect = (measured?.good === "decrease" ? -1 : 1) * plan.smallestEffect * baseline.mean;
  const unitVariance = baseline.sd ** 2 * varianceGrowth(measured?.measure.kind, baseline.mean, { effect, treatmentShare });
  const needed = requiredUnits({ unitVariance, effect }, design);
  if (needed.status !== "ok") return { missing: `the sizes cannot be computed: ${needed.reason}` };
  const requiredUnitsOfPair = needed.units;
  if (unitsPerDay === undefined)
    return { requiredUnits: requiredUnitsOfPair, missing: "no recent exposure says how many units come" };
  const perDay = unitsPerDay * ofAll;
  const requiredDays = Math.ceil(requiredUnitsOfPair / perDay);
  const seen = detectableEffect({ unitVariance, units: perDay * plan.horizonDays }, design);
  return {
    requiredUnits: requiredUnitsOfPair,
    requiredDays,
    isWithinHorizon: requiredDays <= plan.horizonDays,
    ...(seen.status === "ok" ? { detectableEffect: seen.effect / Math.abs(baseline.mean) } : {}),
  };
}

const SHARES: ReadonlySet<MetricKind | undefined> = new Set(["proportion", "retention", "funnel"]);

/** How much more a unit of both arms varies than one without treatment: known of shares, taken to be nothing of other metrics. */
function varianceGrowth(
  kind: MetricKind | undefined,
  mean: number,
  effect: { readonly effect: number; readonly treatmentShare: number },
): number {
  const [without, both] = [shareVariance(mean), shareVariance(mean, effect)];
  const isKnown = SHARES.has(kind) && without.status === "ok" && both.status === "ok";
  return isKnown ? both.unitVariance / without.unitVariance : 1;
}

/** One look a day, in two ledgers. */
function designOf({ alpha, power, horizonDays }: AnalysisPlan, over: Pick<Design, "successMetrics" | "treatmentShare">): Design {
  const inflation = ledgerInflation({ alpha: alpha / (over.successMetrics ?? 1) }, { looks: horizonDays, power });
  return { alpha, power, ...over, ...(inflation.status === "ok" ? { inflation: inflation.factor } : {}) };
}

function own<T>(record: { readonly [name: string]: T } | undefined, name: string): T | undefined {
  return record !== undefined && Object.hasOwn(record, name) ? record[name] : undefined;
}
