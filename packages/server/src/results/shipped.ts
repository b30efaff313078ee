import type { CumulativeReport, FrozenMetric, HoldoutArm, HoldoutReport, ShippedEffect } from "@belay/protocol";
import { cumulativeEffect, type Point, shrink, srmTest } from "@belay/stats";
import type { ExperimentDocument, ProjectState } from "../state/workspace.ts";
import { type Aggregate, HELD_OUT, REST } from "../store/events/index.ts";
import { type ByEpoch, NOBODY, sumsOf } from "./cells.ts";
import { armValue, estimateEffect, unitsOf } from "./estimate.ts";
import { pastEffects, priorOf } from "./prior.ts";

/** What shipped, taken together: by a holdout, and as the sum of what experiments have shown. Pure. */

const ALPHA = 0.05;
/** As the arm sizes of an experiment: a clean holdout is flagged once in a thousand looks. */
const SAMPLE_RATIO_ALPHA = 0.001;

export interface HeldOut extends Pick<HoldoutReport, "holdout" | "environment" | "from" | "at" | "lagMs"> {
  readonly metric: FrozenMetric;
  /** Held out, in parts per million. */
  readonly share: number;
  readonly aggregate: Aggregate;
}

/** Those held out against *all* the rest, which is a quarter more precise than against as many of them. */
export function holdoutReport({ metric, share, aggregate, ...about }: HeldOut): HoldoutReport {
  const sums = sumsOf(aggregate, metric);
  const [heldOut, rest] = [sums.get(HELD_OUT) ?? NOBODY, sums.get(REST) ?? NOBODY];
  const { absolute, relative } = estimateEffect(metric, { control: heldOut, treatment: rest }, ALPHA);
  return {
    ...about,
    metric: metric.key,
    version: metric.version,
    heldOut: armOf(metric, heldOut),
    rest: armOf(metric, rest),
    sampleRatio: sampleRatioOf(aggregate, share),
    absolute,
    relative,
  };
}

function armOf(metric: FrozenMetric, epochs: ByEpoch): HoldoutArm {
  const units = [...epochs.values()].reduce((sum, arm) => sum + unitsOf(arm), 0);
  return { units, value: armValue(metric, epochs) };
}

function sampleRatioOf({ arms }: Aggregate, share: number): HoldoutReport["sampleRatio"] {
  const seen = (side: string): number =>
    arms.filter(({ variant }) => variant === side).reduce((sum, { units }) => sum + units, 0);
  const test = srmTest({ counts: [seen(HELD_OUT), seen(REST)], weights: [share, 1_000_000 - share] });
  if (test.status !== "ok") return test;
  return { status: "ok", pValue: test.pValue, isMismatched: test.pValue < SAMPLE_RATIO_ALPHA };
}

export interface Shipped extends Pick<CumulativeReport, "environment" | "metric" | "at"> {
  /** Decided from this moment on, and before that one. */
  readonly fromMs?: number;
  readonly untilMs?: number;
  readonly holdout?: HoldoutReport;
}

/** The last looks of all experiments that shipped, raw and shrunken toward what all finished ones have shown. */
export function cumulativeReport(project: Pick<ProjectState, "experiments" | "looks">, asked: Shipped): CumulativeReport {
  const { environment, metric, at, holdout } = asked;
  const prior = priorOf(pastEffects(project));
  const decided = decidedOf(project, asked);
  const measured = decided.flatMap(({ key, decision }) => {
    const { at: decidedAt, variant, isAgainstAdvice } = decision;
    const point = lastEffect(project, { key, metric, variant });
    return point === undefined ? [] : [{ point, experiment: key, variant, decidedAt, isAgainstAdvice }];
  });
  const points = measured.map(({ point }) => point);
  const sum = cumulativeEffect(points, prior, { alpha: ALPHA });
  if (sum.status !== "ok") throw new Error(`effects of finished experiments do not add up: ${sum.reason}`);
  const { raw, value, interval } = sum;
  return {
    environment,
    metric,
    at,
    prior,
    shipped: measured.map(({ point, ...about }): ShippedEffect => {
      const shrunken = shrink(point, prior);
      const standardError = Math.sqrt(point.variance);
      return { ...about, effect: point.value, standardError, shrunken: shrunken.status === "ok" ? shrunken.value : 0 };
    }),
    unmeasured: decided.flatMap(({ key }) => (measured.some(({ experiment }) => experiment === key) ? [] : [key])),
    raw,
    total: { value, interval },
    ...(holdout === undefined ? {} : { holdout }),
  };
}

interface Decided {
  readonly key: string;
  readonly decision: NonNullable<ExperimentDocument["decision"]>;
}

/** Experiments that shipped and have the metric among their primary ones, in the order of their decisions. */
function decidedOf(
  { experiments }: Pick<ProjectState, "experiments">,
  { environment, metric, fromMs = -Infinity, untilMs = Infinity }: Shipped,
): Decided[] {
  return [...experiments]
    .flatMap(([key, { body }]): Decided[] => {
      const { decision } = body;
      const isMeant = body.environment === environment && body.metrics.primary.includes(metric);
      return isMeant && decision?.outcome === "ship" ? [{ key, decision }] : [];
    })
    .filter(({ decision: { at } }) => Date.parse(at) >= fromMs && Date.parse(at) < untilMs)
    .sort((a, b) => (a.decision.at < b.decision.at ? -1 : 1));
}

function lastEffect(
  { looks }: Pick<ProjectState, "looks">,
  { key, metric, variant }: { readonly key: string; readonly metric: string; readonly variant: string },
): Point | undefined {
  const last = looks.get(key)?.body.looks.findLast((look) => look.metric === metric && look.treatment === variant);
  return last === undefined ? undefined : { value: last.effect, variance: last.variance };
}
