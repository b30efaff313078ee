/**
 * Alpha in two ledgers. A planned experiment puts 90 % of its alpha on a group-sequential plan, which is strong up to the planned end and
 * mute after it, and 10 % on a mixture sequence, which may speak for ever. Reject when either does; the interval is the intersection
 * of both. Running a plan alone past its end rejects 11 % of A/A tests.
 *
 * The total false-positive rate is at most alpha: let q be the chance that the sequence rejects at looks of the plan. The plan's bounds are set so
 * that either has rejected at its looks with chance 0.9 alpha + q; that the sequence rejects at any other time has chance 0.1 alpha - q
 * at most. So what both find is paid for once, and the pair keeps 96 % of the power of one look.
 */
import {
  evenLooks,
  inflationOf,
  type Look,
  nextLook,
  type Spending,
  type SpendingPlan,
  sequentialBounds,
} from "./group-sequential.ts";
import { mixtureCritical, mixtureScale, mixtureSequence, type SequenceEstimate } from "./mixture.ts";
import { andThen, type ClosedInterval, DEFAULT_ALPHA, isRate, type Ok, ok, type Point, type Result, refuse } from "./result.ts";

export interface AnalysisPlan {
  /** Two-sided, for both ledgers together. Default 0.05. */
  readonly alpha?: number;
  /** Share of alpha on the plan, the rest on the sequence. Default 0.9. */
  readonly planShare?: number;
  /** Default "obrien-fleming". */
  readonly spending?: Spending;
  /** 1 / variance of the effect at the planned end: see `requiredUnits`. Fixed before start. */
  readonly informationMax: number;
}

export interface LedgerVerdict {
  readonly value: number;
  /** Intersection of the plan's interval (when this is a look of the plan) and the sequence's. */
  readonly interval: ClosedInterval;
  readonly z: number;
  /** Which ledgers reject "no effect" at this look. A rejection at an earlier look stays: keep it. */
  readonly rejectedBy: readonly ("plan" | "sequence")[];
  /** ln of the sequence's evidence. */
  readonly logE: number;
  /** The look to write to the ledger; absent when the plan did not look (information not grown, or plan ended). */
  readonly look?: Look;
}

/**
 * Variance, over that of the planned end, at which the sequence is tuned: half of the plan's way. So it finds at the looks that it shares with
 * the plan what it would else find after them: 96.08 % of the power of one look at 336 looks (tuned at the end 96.00 %), and
 * 81.4 % power at twice the plan's length (tuned at the end 81.8 %).
 */
const TUNED_AT = 2;

/**
 * The looks of a plan at planned fractions of its information, for showing a plan before it starts and for power: `rejectionChance`.
 * @example planLooks({ informationMax: 1e6 }, [0.5, 1]) // bound 3.004, bound 2.01
 */
export function planLooks(plan: AnalysisPlan, fractions: readonly number[]): Result<{ looks: readonly Look[] }> {
  return isAnalysisPlan(plan) ? sequentialBounds(spendingPlanOf(plan), fractions) : refuse("invalid-input");
}

/**
 * How much more information the two ledgers need than one look at alpha, for the same power: the `inflation` of a `Design`, so that
 * `requiredUnits` gives the units and the `informationMax` of this plan.
 * @example ledgerInflation({}, { looks: 14 }) // factor 1.0695
 */
export function ledgerInflation(
  plan: Omit<AnalysisPlan, "informationMax">,
  { looks, power = 0.8 }: { readonly looks: number; readonly power?: number },
): Result<{ factor: number }> {
  const { alpha = DEFAULT_ALPHA } = plan;
  return andThen(evenLooks(looks), ({ fractions }) =>
    andThen(planLooks({ ...plan, informationMax: 1 }, fractions), (bounds) =>
      inflationOf(bounds.looks, { alpha, sides: 2, power }),
    ),
  );
}

/**
 * The next entry of the look ledger for this effect: information is 1 / variance. Call it from a scheduler, never from a page view, and
 * keep the answer. `not-yet` when information has not grown or the plan has ended.
 * @example planLook({ informationMax: 1e6 }, [], { variance: 4e-6 }) // fraction 0.25
 */
export function planLook(plan: AnalysisPlan, past: readonly Look[], { variance }: Pick<Point, "variance">): Result<Look> {
  if (!isAnalysisPlan(plan) || !(variance > 0)) return refuse("invalid-input");
  return nextLook(spendingPlanOf(plan), past, 1 / variance / plan.informationMax);
}

/**
 * What both ledgers say about an effect. `look` is the entry of `planLook` for this effect, absent when there is none.
 * @example ledgerVerdict({ informationMax: 1e6 }, { value: 0.004, variance: 1e-6 }, { fraction: 1, spent: 0.045, bound: 2.01 }) // z 4,
 *   logE 6.052
 */
export function ledgerVerdict(plan: AnalysisPlan, effect: Point, look?: Look): Result<LedgerVerdict> {
  if (!isAnalysisPlan(plan) || !(effect.variance > 0)) return refuse("invalid-input");
  return andThen(sequenceOf(plan, effect), (sequence) => verdictOf(plan, effect, sequence, look));
}

/**
 * `planLook` and `ledgerVerdict` in one step, against a ledger of past looks.
 * @example judge({ informationMax: 1e6 }, [], { value: 0.004, variance: 2e-6 }) // z 2.828, bound 3.004
 */
export function judge(plan: AnalysisPlan, past: readonly Look[], effect: Point): Result<LedgerVerdict> {
  const look = planLook(plan, past, effect);
  if (look.status !== "ok") return look.status === "not-yet" ? ledgerVerdict(plan, effect) : look;
  const { status: _, ...entry } = look;
  return ledgerVerdict(plan, effect, entry);
}

function verdictOf(
  plan: AnalysisPlan,
  effect: Point,
  sequence: Ok<SequenceEstimate>,
  look: Look | undefined,
): Result<LedgerVerdict> {
  const { alpha = DEFAULT_ALPHA } = plan;
  const root = Math.sqrt(effect.variance);
  const z = effect.value / root;
  const byPlan = look?.bound !== undefined && Math.abs(z) >= look.bound;
  const bySequence = sequence.logE >= -Math.log(sequenceAlpha(plan));
  const reach = Math.min((look?.bound ?? Number.POSITIVE_INFINITY) * root, sequence.interval.high - effect.value);
  return ok({
    value: effect.value,
    interval: { low: effect.value - reach, high: effect.value + reach, level: 1 - alpha },
    z,
    rejectedBy: [...(byPlan ? ["plan" as const] : []), ...(bySequence ? ["sequence" as const] : [])],
    logE: sequence.logE,
    ...(look === undefined ? {} : { look }),
  });
}

function sequenceOf(plan: AnalysisPlan, effect: Point): Result<SequenceEstimate> {
  const alpha = sequenceAlpha(plan);
  return andThen(mixtureScale({ variance: TUNED_AT / plan.informationMax }, { alpha }), ({ scale }) =>
    mixtureSequence(effect, { scale, alpha }),
  );
}

function spendingPlanOf(plan: AnalysisPlan): SpendingPlan {
  const { alpha = DEFAULT_ALPHA, planShare = 0.9, spending = "obrien-fleming" } = plan;
  const tuned = mixtureScale({ variance: TUNED_AT }, { alpha: sequenceAlpha(plan) });
  // On the scale of fractions the variance at the planned end is 1, so r = scale^2 at the end and grows with the fraction.
  const r = tuned.status === "ok" ? tuned.scale ** 2 : 0;
  return {
    alpha: alpha * planShare,
    sides: 2,
    spending,
    rival: (fraction) => mixtureCritical(r * fraction, sequenceAlpha(plan)),
  };
}

function sequenceAlpha({ alpha = DEFAULT_ALPHA, planShare = 0.9 }: AnalysisPlan): number {
  return alpha * (1 - planShare);
}

function isAnalysisPlan({ alpha = DEFAULT_ALPHA, planShare = 0.9, informationMax }: AnalysisPlan): boolean {
  return isRate(alpha) && isRate(planShare) && informationMax > 0 && Number.isFinite(informationMax);
}
