import type { AnalysisPlan, Look, NonInferiorityReport, SequentialReport } from "@belay/protocol";
import {
  type Arms,
  andThen,
  countNonInferiority,
  type FailureCell,
  type AnalysisPlan as LedgerPlan,
  ledgerInflation,
  ledgerVerdict,
  mixtureScale,
  mixtureSequence,
  ok,
  oneSidedMixture,
  type Point,
  planLook,
  type Result,
  refuse,
  relativeEffect,
  requiredUnits,
} from "@belay/stats";

/*
 * What may be said under constant looking. All of it is on the scale of relative effects, on which a plan's information does not
 * depend on the base rate: 1 / variance at the planned end is known before the first unit.
 */

/** The effect that the endless sequence is tuned for where no plan says which one matters: 5 %. */
const NO_PLAN_EFFECT = 0.05;
const POWER = 0.8;
const NON_INFERIORITY_ALPHA = 0.05;

/** One comparison's share of a plan: alpha is divided over primary metrics and treatments. */
export interface ComparisonPlan extends LedgerPlan {
  readonly alpha: number;
  readonly isPlanned: boolean;
}

export function comparisonPlan(plan: AnalysisPlan | undefined, alphaWithoutPlan: number, comparisons: number): ComparisonPlan {
  const alpha = (plan?.alpha ?? alphaWithoutPlan) / Math.max(1, comparisons);
  const power = plan?.power ?? POWER;
  const inflation = plan === undefined ? undefined : ledgerInflation({ alpha }, { looks: plan.horizonDays, power });
  const design = { alpha, power, ...(inflation?.status === "ok" ? { inflation: inflation.factor } : {}) };
  const sizing = requiredUnits({ unitVariance: 1, effect: plan?.smallestEffect ?? NO_PLAN_EFFECT }, design);
  const informationMax = sizing.status === "ok" ? sizing.informationMax : 1;
  return { alpha, informationMax, isPlanned: plan !== undefined };
}

/** The entry for the look ledger of one comparison at one moment. */
export function lookAt(
  plan: ComparisonPlan,
  past: readonly Look[],
  point: Point,
  about: Pick<Look, "at" | "metric" | "treatment" | "units">,
): Look | undefined {
  const planned = plan.isPlanned ? planLook(plan, past.flatMap(plannedLook), point) : refuse("plan-ended");
  const entry = planned.status === "ok" ? planned : undefined;
  const verdict = plan.isPlanned ? ledgerVerdict(plan, point, entry) : sequenceAlone(plan, point);
  if (verdict.status !== "ok") return undefined;
  return {
    ...about,
    effect: point.value,
    variance: point.variance,
    information: 1 / point.variance,
    ...(entry === undefined ? {} : { fraction: entry.fraction, alphaSpent: entry.spent }),
    ...(entry?.bound === undefined ? {} : { bound: entry.bound }),
    rejectedBy: verdict.rejectedBy,
  };
}

/** A look as the spending plan knows it; nothing where the plan did not look. */
function plannedLook({ fraction, alphaSpent, bound }: Look): { fraction: number; spent: number; bound?: number }[] {
  if (fraction === undefined || alphaSpent === undefined) return [];
  return [{ fraction, spent: alphaSpent, ...(bound === undefined ? {} : { bound }) }];
}

/**
 * What both ledgers say now: the plan by the looks that were written down, the sequence at this very moment, for it may be
 * asked at any time.
 */
export function sequentialReport(plan: ComparisonPlan, looks: readonly Look[], point: Result<Point>): Result<SequentialReport> {
  return andThen(point, (effect) =>
    andThen(plan.isPlanned ? ledgerVerdict(plan, effect) : sequenceAlone(plan, effect), (now) => {
      const last = looks.at(-1);
      const byPlan = last?.bound === undefined ? undefined : intervalAt(last, last.bound);
      const isCurrent = byPlan !== undefined && last?.effect === effect.value && last.variance === effect.variance;
      const interval = isCurrent
        ? {
            low: Math.max(byPlan.low, now.interval.low),
            high: Math.min(byPlan.high, now.interval.high),
            level: now.interval.level,
          }
        : now.interval;
      const rejected = new Set([...looks.flatMap(({ rejectedBy }) => rejectedBy), ...now.rejectedBy]);
      return ok({
        interval,
        anytimePValue: Math.min(1, Math.exp(-now.logE)),
        rejectedBy: (["plan", "sequence"] as const).filter((ledger) => rejected.has(ledger)),
      });
    }),
  );
}

function sequenceAlone(
  plan: ComparisonPlan,
  point: Point,
): Result<{
  interval: { low: number; high: number; level: number };
  logE: number;
  rejectedBy: readonly ("plan" | "sequence")[];
}> {
  return andThen(mixture(plan, point, plan.alpha), ({ interval, logE }) =>
    ok({ interval, logE, rejectedBy: logE >= -Math.log(plan.alpha) ? (["sequence"] as const) : [] }),
  );
}

function mixture(plan: ComparisonPlan, point: Point, alpha: number): ReturnType<typeof mixtureSequence> {
  return andThen(mixtureScale({ variance: 1 / plan.informationMax }, { alpha }), ({ scale }) =>
    mixtureSequence(point, { scale, alpha }),
  );
}

function intervalAt({ effect, variance }: Look, bound: number): { low: number; high: number } {
  const reach = bound * Math.sqrt(variance);
  return { low: effect - reach, high: effect + reach };
}

/** The same of rare failures, exactly: whatever the base rate does, whose failures they are is a coin of known bias. */
export function countReport(
  failures: readonly FailureCell[],
  { tolerance }: { readonly tolerance: number },
): Result<NonInferiorityReport> {
  return andThen(countNonInferiority(failures, { tolerance }), ({ logE }) => {
    const pValue = Math.min(1, Math.exp(-logE));
    return ok({ method: "count" as const, tolerance, anytimePValue: pValue, isNonInferior: pValue <= NON_INFERIORITY_ALPHA });
  });
}

/** Is a guardrail at most its tolerance worse? At any time, at 5 %: no alarm is no answer to that, this is. */
export function nonInferiorityReport(
  plan: ComparisonPlan,
  arms: Result<Arms<Point>>,
  { tolerance, good }: { readonly tolerance: number; readonly good: "increase" | "decrease" },
): Result<NonInferiorityReport> {
  return andThen(arms, (both) => {
    if (both.control.value <= 0) return refuse("control-near-zero");
    return andThen(relativeEffect(both, { method: "delta" }), ({ value, standardError }) => {
      const sign = good === "increase" ? 1 : -1;
      const shifted = { value: sign * value + tolerance, variance: standardError ** 2 };
      return andThen(mixtureScale({ variance: 1 / plan.informationMax }, { alpha: NON_INFERIORITY_ALPHA }), ({ scale }) =>
        andThen(oneSidedMixture(shifted, { scale, direction: "increase", alpha: NON_INFERIORITY_ALPHA }), ({ pValue }) =>
          ok({ method: "sequence" as const, tolerance, anytimePValue: pValue, isNonInferior: pValue <= NON_INFERIORITY_ALPHA }),
        ),
      );
    });
  });
}
