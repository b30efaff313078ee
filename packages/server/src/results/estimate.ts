import type { FrozenMetric } from "@belay/protocol";
import {
  type Arms,
  adjustedDifference,
  andThen,
  bothArms,
  type ControlLevel,
  type combination,
  cupedDifference,
  cupedRatioDifference,
  differenceOf,
  type Estimate,
  type JointMoments,
  marginal,
  meanDifference,
  meanPoint,
  meanRelative,
  mergeMoments,
  normalEstimate,
  type Ok,
  ok,
  type Point,
  type Proportion,
  proportionDifference,
  proportionPoint,
  proportionRelative,
  quantileEstimate,
  type Result,
  ratioPoint,
  refuse,
  relativeEffect,
  relativeToControl,
  unitVariance,
} from "@belay/stats";
import type { ArmSums, ByEpoch } from "./cells.ts";

/** A treatment beside the control, as every later step reads it. */
export interface Estimated {
  /** In words: the test, and what it was adjusted by. */
  readonly method: string;
  /** In the unit of the metric. */
  readonly absolute: Result<Estimate>;
  /** As a share of control. */
  readonly relative: Result<Estimate>;
  /**
   * The relative effect with the variance it has under "no effect": what sequences and plans are fed. The control is taken as
   * a fixed scale, so that its z is the z of the absolute test.
   */
  readonly point: Result<Point>;
  /** Both arms, phases weighted alike. */
  readonly arms: Result<Arms<Point>>;
  readonly varianceRatio?: number;
}

type Family = "share" | "mean" | "ratio" | "quantile";

/**
 * The effect of a treatment. Units are compared within phases only, for the allocation may have moved with the base rate; phases
 * are put together by overlap weights, nC nT / (nC + nT). One phase is tested by the exact method of its kind.
 */
export function estimateEffect(metric: FrozenMetric, { control, treatment }: Arms<ByEpoch>, alpha: number): Estimated {
  const strata = [...control].flatMap(([epoch, sums]): Arms<ArmSums>[] => {
    const other = treatment.get(epoch);
    return other === undefined ? [] : [{ control: sums, treatment: other }];
  });
  const family = familyOf(metric);
  const [only] = strata;
  if (only === undefined) return refused(family, "too-few-units");
  const hasCovariate =
    family !== "quantile" && only.control.kind === "moments" && only.control.joint.means.length > plainWidth(family);
  const context: Context = { metric, family, alpha, hasCovariate };
  const found = strata.length === 1 ? inOnePhase(context, only) : overPhases(context, strata);
  return { ...found, absolute: estimateAlone(found.absolute), relative: estimateAlone(found.relative) };
}

/** Without what a method says besides, its z, its degrees of freedom: every method answers alike. */
function estimateAlone(result: Result<Estimate>): Result<Estimate> {
  return andThen(result, ({ value, standardError, interval, pValue }) => ok({ value, standardError, interval, pValue }));
}

interface Context {
  readonly metric: FrozenMetric;
  readonly family: Family;
  readonly alpha: number;
  readonly hasCovariate: boolean;
}

function familyOf({ measure: { kind } }: FrozenMetric): Family {
  if (kind === "quantile") return "quantile";
  if (kind === "mean" || kind === "ratio") return "ratio";
  return kind === "count" || kind === "sum" ? "mean" : "share";
}

const plainWidth = (family: Family): number => (family === "ratio" ? 2 : 1);

const TESTS: Readonly<Record<Family, string>> = {
  share: "score test of two shares, Newcombe's interval",
  mean: "Welch's t test",
  ratio: "delta method of a ratio, clustered by unit",
  quantile: "order statistics, clustered by unit",
};

function refused(family: Family, reason: Parameters<typeof refuse>[0]): Estimated {
  const none = refuse(reason);
  return { method: TESTS[family], absolute: none, relative: none, point: none, arms: none };
}

function inOnePhase(context: Context, sums: Arms<ArmSums>): Estimated {
  const { family, hasCovariate } = context;
  const arms = bothArms(sums, (arm) => armPoint(context, arm));
  const { absolute, relative, varianceRatio } = hasCovariate ? adjusted(context, sums) : plain(context, sums, arms);
  const testVariance = andThen(absolute, ({ standardError }) =>
    ok({ variance: Math.max(standardError ** 2, family === "mean" ? unequalVariance(sums) : 0) }),
  );
  return {
    method: hasCovariate ? `${TESTS[family]}, adjusted by the time before exposure` : TESTS[family],
    absolute,
    relative,
    point: pointOf(absolute, testVariance, arms),
    arms,
    ...(varianceRatio === undefined ? {} : { varianceRatio }),
  };
}

interface Differences {
  readonly absolute: Result<Adjustable>;
  readonly relative: Result<Estimate>;
  readonly varianceRatio?: number;
}

/** An effect; adjusted by a covariate, with the level it is a share of. */
interface Adjustable extends Estimate {
  readonly control?: ControlLevel;
}

interface Adjusted extends Estimate {
  readonly control: ControlLevel;
  readonly varianceRatio: number;
}

function plain({ family, alpha }: Context, sums: Arms<ArmSums>, points: Result<Arms<Ok<Point>>>): Differences {
  if (family === "share") {
    const shares = { control: shareOf(sums.control), treatment: shareOf(sums.treatment) };
    return { absolute: proportionDifference(shares, { alpha }), relative: relativeShare(shares, alpha) };
  }
  if (family === "mean") {
    const moments = { control: marginal(jointOf(sums.control), 0), treatment: marginal(jointOf(sums.treatment), 0) };
    return { absolute: meanDifference(moments, { alpha }), relative: meanRelative(moments, { alpha }) };
  }
  return {
    absolute: andThen(points, (both) => normalEstimate(differenceOf(both), { alpha })),
    relative: andThen(points, (both) => relativeEffect(both, { alpha })),
  };
}

/** With the standard error of the effect itself: the method's own is that of the logarithm of the ratio. */
function relativeShare(shares: Arms<Proportion>, alpha: number): Result<Estimate> {
  return andThen(proportionRelative(shares, { alpha }), ({ value, standardError, interval, pValue }) =>
    ok({ value, standardError: standardError * (1 + value), interval, pValue }),
  );
}

function adjusted({ family, alpha }: Context, { control, treatment }: Arms<ArmSums>): Differences {
  const [after, before] =
    family === "ratio"
      ? [
          [0, 1],
          [2, 3],
        ]
      : [[0], [1]];
  const of = (columns: readonly number[]): Arms<JointMoments> => ({
    control: columnsOf(jointOf(control), columns),
    treatment: columnsOf(jointOf(treatment), columns),
  });
  const columns = [...after, ...before];
  const flagged = of([...columns, columns.length]);
  const fit: Result<Adjusted> =
    family === "ratio"
      ? cupedRatioDifference(of(columns), { alpha })
      : family === "mean" && isSomeMissing(flagged)
        ? adjustedDifference(flagged, { alpha })
        : cupedDifference(of(columns), { alpha });
  const relative = andThen(fit, ({ value, standardError, control: level }) =>
    relativeToControl({ value, variance: standardError ** 2 }, level, { alpha }),
  );
  return { absolute: fit, relative, ...(fit.status === "ok" ? { varianceRatio: fit.varianceRatio } : {}) };
}

/** Units of whom nothing was seen before: they count as 0, and that it is no measured 0 is a covariate of its own, the last column. Of shares
 * it says nothing new: whoever was not seen before did not do it. */
function isSomeMissing({ control, treatment }: Arms<JointMoments>): boolean {
  return [control, treatment].every((joint) => marginal(joint, joint.means.length - 1).m2 > 0);
}

function overPhases(context: Context, strata: readonly Arms<ArmSums>[]): Estimated {
  const { family, alpha, hasCovariate } = context;
  const parts = strata.flatMap((sums) => {
    const arms = bothArms(sums, (arm) => armPoint(context, arm));
    const effect: Result<Adjustable> = hasCovariate
      ? adjusted(context, sums).absolute
      : andThen(arms, (both) => effectOf(context, sums, both));
    if (arms.status !== "ok" || effect.status !== "ok") return [];
    const [nC, nT] = [unitsOf(sums.control), unitsOf(sums.treatment)];
    return [{ weight: (nC * nT) / (nC + nT), arms, effect }];
  });
  if (parts.length === 0) return refused(family, "too-few-strata");
  const weights = parts.map(({ weight }) => weight);
  const arms: Result<Arms<Point>> = ok({
    control: weighted(
      weights,
      parts.map((part) => part.arms.control),
    ),
    treatment: weighted(
      weights,
      parts.map((part) => part.arms.treatment),
    ),
  });
  const effect = weighted(
    weights,
    parts.map((part) => ({ value: part.effect.value, variance: part.effect.standardError ** 2 })),
  );
  const absolute = normalEstimate(effect, { alpha });
  const relative = andThen(arms, (both) =>
    hasCovariate ? relativeToControl(effect, controlOver(parts), { alpha }) : relativeEffect(both, { alpha }),
  );
  const method = `${TESTS[family]}, within ${parts.length} phases${hasCovariate ? ", adjusted by the time before exposure" : ""}`;
  return { method, absolute, relative, point: pointOf(absolute, ok({ variance: effect.variance }), arms), arms };
}

/** Within one of several phases: the variance is that of the test, so that a phase with few successes does not vanish. */
function effectOf({ family, alpha }: Context, sums: Arms<ArmSums>, points: Arms<Point>): Result<Estimate> {
  const { value, variance } = differenceOf(points);
  if (family !== "share") return normalEstimate({ value, variance }, { alpha });
  const shares = { control: shareOf(sums.control), treatment: shareOf(sums.treatment) };
  return andThen(proportionDifference(shares, { alpha }), ({ standardError }) =>
    normalEstimate({ value, variance: standardError ** 2 }, { alpha }),
  );
}

function weighted(weights: readonly number[], points: readonly Point[]): Point {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return points.reduce(
    (sum, { value, variance }, index) => {
      const share = (weights[index] ?? 0) / total;
      return { value: sum.value + share * value, variance: sum.variance + share * share * variance };
    },
    { value: 0, variance: 0 },
  );
}

function pointOf(absolute: Result<Estimate>, variance: Result<{ variance: number }>, arms: Result<Arms<Point>>): Result<Point> {
  return andThen(absolute, ({ value }) =>
    andThen(variance, (test) =>
      andThen(arms, ({ control }) => {
        if (control.value === 0) return refuse("control-near-zero");
        if (!(test.variance > 0)) return refuse("no-variance");
        const scale = Math.abs(control.value);
        return ok({ value: value / scale, variance: test.variance / scale / scale });
      }),
    ),
  );
}

/** The control over all phases: its covariance with the effect adds up by the squares of the weights, as variances do. */
function controlOver(parts: readonly { readonly weight: number; readonly effect: Adjustable }[]): ControlLevel {
  const total = parts.reduce((sum, { weight }) => sum + weight, 0);
  return parts.reduce<ControlLevel>(
    (sum, { weight, effect: { control } }) => {
      const share = weight / total;
      return {
        value: sum.value + share * (control?.value ?? 0),
        variance: sum.variance + share * share * (control?.variance ?? 0),
        covariance: sum.covariance + share * share * (control?.covariance ?? 0),
      };
    },
    { value: 0, variance: 0, covariance: 0 },
  );
}

/** What a variant is worth in one phase. */
function armPoint({ metric, family, alpha }: Context, sums: ArmSums): Result<Point> {
  if (sums.kind === "ranks") {
    const quantile = metric.measure.kind === "quantile" ? metric.measure.quantile : 0.5;
    return andThen(quantileEstimate(sums.sample, { quantile, alpha, clusters: sums.clusters }), ({ value, variance }) =>
      ok({ value, variance }),
    );
  }
  if (family === "share") return proportionPoint(shareOf(sums));
  return family === "ratio" ? ratioPoint(columnsOf(sums.joint, [0, 1])) : meanPoint(marginal(sums.joint, 0));
}

/** What a variant is worth over all phases; for showing it, never for comparing. */
export function armValue(metric: FrozenMetric, epochs: ByEpoch): Result<{ value: number }> {
  const context: Context = { metric, family: familyOf(metric), alpha: 0.05, hasCovariate: false };
  const points = [...epochs.values()].flatMap((sums) => {
    const point = armPoint(context, sums);
    return point.status === "ok" ? [{ weight: unitsOf(sums), value: point.value }] : [];
  });
  const units = points.reduce((sum, { weight }) => sum + weight, 0);
  if (units === 0) return refuse("too-few-units");
  return ok({ value: points.reduce((sum, { weight, value }) => sum + (weight / units) * value, 0) });
}

export function unitsOf(sums: ArmSums): number {
  return sums.kind === "ranks" ? sums.units : sums.joint.n;
}

/** When one arm is more than twice the other, the small arm's own variance is too uncertain to lean on alone. */
function unequalVariance({ control, treatment }: Arms<ArmSums>): number {
  const [nC, nT] = [unitsOf(control), unitsOf(treatment)];
  if (Math.max(nC, nT) <= 2 * Math.min(nC, nT)) return 0;
  const within = mergeMoments(centred(jointOf(control)), centred(jointOf(treatment)));
  return (unitVariance(within) ?? 0) * (1 / nC + 1 / nT);
}

function centred(joint: JointMoments): ReturnType<typeof combination> {
  return { ...marginal(joint, 0), mean: 0 };
}

function shareOf(sums: ArmSums): Proportion {
  const { n, means } = jointOf(sums);
  // A mean of zeros and ones times their number is their sum but for the last bit.
  return { n, successes: Math.round((means[0] ?? 0) * n) };
}

function jointOf(sums: ArmSums): JointMoments {
  return sums.kind === "moments" ? sums.joint : sums.clusters;
}

function columnsOf({ n, means, cross }: JointMoments, columns: readonly number[]): JointMoments {
  return {
    n,
    means: columns.map((i) => means[i] ?? 0),
    cross: columns.map((i) => columns.map((j) => cross[i]?.[j] ?? 0)),
  };
}
