/**
 * The exact guardrail for rare failures. Given that a failure happened, the chance that it is a treated unit's is known without harm: the
 * share of treated units. So the failures are a coin of known bias, whatever the base rate does: a global incident, a daily wave, a ramp
 * and a change of allocation leave the test exact. Source: Wald, Sequential Analysis (1947), for the ratio; Lindon and Malek,
 * "Anytime-valid inference for multinomial count data" (2022), for counts given their total. Assumes failures are rare (conservative
 * above a few percent), one per unit (its first), and that the share was fixed before the event.
 *
 *   evidence = 2/3 (mixture since the start) + 1/3 sum over hours of weight(hour) x (mixture since that hour)
 *
 * The last third finds harm that begins late. Any weights keep the false-alarm chance; these were chosen so that half as many failures
 * again are found a tenth sooner than with equal ones, and five times as many no later. The weights of the hours add up to 1 over an endless run: day d (from 0) has 1 / ((d+1)(d+2)),
 * an equal part for each of its hours; hours to come count as evidence 1. So the false-alarm chance holds for the whole life.
 */
import { ok, type Result, refuse } from "./result.ts";

/** First failures of units within one hour and one allocation epoch. */
export interface FailureCell {
  /** Whole hours since the guardrail started, from 0. Cells come in rising order of hour. */
  readonly hour: number;
  /** Share of exposed units that are treated, strictly between 0 and 1. */
  readonly share: number;
  readonly treated: number;
  /** Failures of both arms. */
  readonly total: number;
}

export interface EventSplitOptions {
  /** "increase" (default): failures may not rise in treatment. "decrease": for rare good events, which may not fall. */
  readonly harm?: "increase" | "decrease";
  /** Rate ratio minus 1 that is still acceptable: 0.1 tolerates 10 % more failures (fewer good events). Default 0. */
  readonly tolerance?: number;
}

export interface SplitEvidence {
  /** Rate of treatment over rate of control, each unit counted once; absent while control has no failure. */
  readonly rateRatio?: number;
  /** ln of the evidence against "no harm". Feed it to `guardrailVerdict`. */
  readonly logE: number;
  readonly treated: number;
  readonly total: number;
}

/** What has been seen so far; the size does not grow with events, only with hours. */
export interface EventSplitState {
  readonly treated: number;
  readonly total: number;
  /** Failures of control, and those of treatment expected per unit of rate ratio: the two halves of a stratified rate ratio. */
  readonly ratioParts: { readonly above: number; readonly below: number };
  readonly hour: number;
  /** ln evidence per alternative since the start. */
  readonly logs: readonly number[];
  /** The same at the beginning of each hour in which something was seen. */
  readonly restarts: readonly { readonly hour: number; readonly logs: readonly number[] }[];
}

/** Rate ratios that count as harm, from a tenth more to ten times. */
export const HARM_RATIOS: readonly number[] = [1.1, 1.25, 1.5, 2, 3, 5, 10];

/** Weight of each in the mixture: most on harm that is worth going back for and hard to see. */
const RATIO_WEIGHTS: readonly number[] = [1 / 16, 3 / 16, 1 / 4, 3 / 16, 1 / 8, 1 / 8, 1 / 16];

const HOURS_PER_DAY = 24;
/** exp of more is beyond a double; evidence that strong is decided anyway. */
const LOG_MAX = 700;
/** A count that a double holds exactly: beyond it sums of evidence could run away. */
const COUNT_MAX = Number.MAX_SAFE_INTEGER;

/**
 * Nothing seen yet.
 * @example startEventSplit() // treated 0, total 0
 */
export function startEventSplit(): EventSplitState {
  const logs = HARM_RATIOS.map(() => 0);
  return { treated: 0, total: 0, ratioParts: { above: 0, below: 0 }, hour: 0, logs, restarts: [] };
}

/**
 * Adds one cell (an event, a flush or a whole hour: splitting a cell does not change the evidence at its end).
 * Broken cells (share outside (0, 1), more treated than total, an hour in the past) answer `invalid-input`.
 * @example observeFailures(startEventSplit(), { hour: 0, share: 0.05, treated: 8, total: 20 }) // treated 8, total 20
 */
export function observeFailures(
  state: EventSplitState,
  cell: FailureCell,
  options: EventSplitOptions = {},
): Result<EventSplitState> {
  if (!isCell(cell) || cell.hour < state.hour || !isTolerance(options.tolerance ?? 0)) return refuse("invalid-input");
  const fresh = cell.hour > state.hour && state.restarts[state.restarts.length - 1]?.hour !== cell.hour;
  const side = harmSide(cell, options);
  const { share, treated, total } = cell;
  return {
    status: "ok",
    treated: state.treated + treated,
    total: state.total + total,
    ratioParts: {
      above: state.ratioParts.above + treated * (1 - share),
      below: state.ratioParts.below + (total - treated) * share,
    },
    hour: cell.hour,
    logs: state.logs.map((log, i) => log + logEvidence(side, HARM_RATIOS[i] ?? 1)),
    restarts: fresh ? [...state.restarts, { hour: cell.hour, logs: state.logs }] : state.restarts,
  };
}

/**
 * The evidence of harm so far. Cost: alternatives x hours.
 * @example splitEvidence(startEventSplit()) // logE 0
 */
export function splitEvidence(state: EventSplitState): Result<SplitEvidence> {
  const sinceStart = logMixture(state.logs);
  const { above, below } = state.ratioParts;
  return ok({
    ...(below > 0 ? { rateRatio: above / below } : {}),
    logE: logOfTwoToOne(sinceStart, logRestartEvidence(state)),
    treated: state.treated,
    total: state.total,
  });
}

/**
 * The evidence of harm from a list of cells.
 * @example eventSplit([{ hour: 0, share: 0.05, treated: 8, total: 20 }]) // logE 8.136, rateRatio 12.67
 */
export function eventSplit(cells: readonly FailureCell[], options: EventSplitOptions = {}): Result<SplitEvidence> {
  let state = startEventSplit();
  for (const cell of cells) {
    const next = observeFailures(state, cell, options);
    if (next.status !== "ok") return next;
    state = next;
  }
  return splitEvidence(state);
}

/**
 * Evidence, valid at any time, that failures are *not* more than (1 + tolerance) times control's: what a promotion needs. It reaches
 * ln(1/alpha) with chance at most alpha when they are.
 * @example countNonInferiority([{ hour: 0, share: 0.5, treated: 60, total: 140 }], { tolerance: 0.5 }) // logE 6.996
 */
export function countNonInferiority(
  cells: readonly FailureCell[],
  { tolerance }: { readonly tolerance: number },
): Result<SplitEvidence> {
  if (!isTolerance(tolerance) || tolerance === 0 || !cells.every(isCell)) return refuse("invalid-input");
  const sum = (of: (cell: FailureCell) => number): number => cells.reduce((all, cell) => all + of(cell), 0);
  const logs = HARM_RATIOS.map((ratio) =>
    sum(({ share, treated, total }) => {
      const boundary = shiftedShare(share, 1 + tolerance);
      // Seen from control: its failures are too many for treatment to be at the boundary.
      return logEvidence({ share: 1 - boundary, hits: total - treated, total }, ratio);
    }),
  );
  const below = sum(({ share, treated, total }) => (total - treated) * share);
  return ok({
    ...(below > 0 ? { rateRatio: sum(({ share, treated }) => treated * (1 - share)) / below } : {}),
    logE: logMixture(logs),
    treated: sum(({ treated }) => treated),
    total: sum(({ total }) => total),
  });
}

/**
 * The evidence of `countNonInferiority`, ln, to expect of so many failures of both arms together while treatment fails as often as
 * control: what a plan goes by. `total` need not be whole.
 * @example expectedNonInferiority({ share: 0.5, total: 140 }, { tolerance: 0.5 }) // logE 1.968
 */
export function expectedNonInferiority(
  { share, total }: Pick<FailureCell, "share" | "total">,
  { tolerance }: { readonly tolerance: number },
): Result<{ logE: number }> {
  if (!(tolerance > 0) || !(share > 0 && share < 1) || !(total >= 0)) return refuse("invalid-input");
  const side = { share: 1 - shiftedShare(share, 1 + tolerance), hits: (1 - share) * total, total };
  return ok({ logE: logMixture(HARM_RATIOS.map((ratio) => logEvidence(side, ratio))) });
}

/**
 * Weight of the restarts at hours 1 to `hour` together: day d (from 0) weighs 1 / ((d+1)(d+2)), so that the days before d weigh
 * 1 - 1 / (d+1) and an endless run weighs 1. For whoever restarts another sequence every hour.
 * @example restartWeight(24) // 0.5
 */
export function restartWeight(hour: number): number {
  if (!(hour > 0)) return 0;
  if (hour > Number.MAX_SAFE_INTEGER) return 1;
  const day = Math.floor(hour / HOURS_PER_DAY);
  const rest = hour - day * HOURS_PER_DAY;
  return day / (day + 1) + rest / HOURS_PER_DAY / ((day + 1) * (day + 2));
}

interface HarmSide {
  /** Chance that a failure falls on the harmed side at the edge of what is tolerated. */
  readonly share: number;
  readonly hits: number;
  readonly total: number;
}

function harmSide({ share, treated, total }: FailureCell, { harm = "increase", tolerance = 0 }: EventSplitOptions): HarmSide {
  if (harm === "increase") return { share: shiftedShare(share, 1 + tolerance), hits: treated, total };
  // Fewer good events in treatment are more of them in control: the same coin seen from its other side.
  return { share: shiftedShare(1 - share, 1 + tolerance), hits: total - treated, total };
}

function shiftedShare(share: number, ratio: number): number {
  return share / (share + (1 - share) / ratio);
}

function logEvidence({ share, hits, total }: HarmSide, ratio: number): number {
  return hits * Math.log(ratio) - total * Math.log1p(share * (ratio - 1));
}

function logRestartEvidence({ logs, hour, restarts }: EventSplitState): number {
  // Weight of the hours to come, whose evidence is still 1. An hour without failures has the evidence of the next one that saw some.
  let sum = 1 - restartWeight(hour);
  let previous = 0;
  for (const restart of restarts) {
    const since = Math.exp(Math.min(LOG_MAX, logMixture(logs.map((log, i) => log - (restart.logs[i] ?? 0)))));
    sum += (restartWeight(restart.hour) - restartWeight(previous)) * since;
    previous = restart.hour;
  }
  return Math.log(sum);
}

/** ln of the mixture of evidences, one for each of the ratios. */
function logMixture(logs: readonly number[]): number {
  let top = Number.NEGATIVE_INFINITY;
  for (const log of logs) top = Math.max(top, log);
  let sum = 0;
  for (const [i, log] of logs.entries()) sum += (RATIO_WEIGHTS[i] ?? 0) * Math.exp(log - top);
  return top + Math.log(sum);
}

/** ln of two thirds of one and a third of the other. */
function logOfTwoToOne(a: number, b: number): number {
  const top = Math.max(a, b);
  return top + Math.log((2 * Math.exp(a - top) + Math.exp(b - top)) / 3);
}

function isTolerance(tolerance: number): boolean {
  return tolerance >= 0 && Number.isFinite(tolerance);
}

function isCell({ hour, share, treated, total }: FailureCell): boolean {
  return Number.isInteger(hour) && hour >= 0 && share > 0 && share < 1 && treated >= 0 && treated <= total && total <= COUNT_MAX;
}
