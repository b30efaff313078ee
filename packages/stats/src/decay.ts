/**
 * Does an effect wear off? Effects of successive periods, each with its variance, are fitted by initial x exp(-rate x time): maximum likelihood
 * with the initial effect profiled out, and the interval of the rate by likelihood ratio, so that it may be open to a side that the data
 * do not close. Source of the interval: Venzon and Moolgavkar, Applied Statistics 37 (1988). Assumes independent periods with normal
 * errors of known variance.
 */
import { type AlphaOption, DEFAULT_ALPHA, type Interval, isRate, ok, type Point, type Result, refuse } from "./result.ts";
import { normalTwoSided, twoSidedZ } from "./special/normal.ts";

/** The effect in one period. */
export interface PeriodEffect extends Point {
  /** Since the start, in whatever unit the rate is wanted in; its middle. */
  readonly time: number;
}

export interface Decay {
  /** What the curve says at time 0, and at the last period. */
  readonly initial: number;
  readonly latest: number;
  /** Share lost per unit of time, compounding: 0 lasts, negative grows. */
  readonly rate: number;
  /** An end that is absent is open: so fast, or such growth, cannot be ruled out. */
  readonly interval: Interval;
  /** Time in which half is lost; absent where nothing is. */
  readonly halfLife?: number;
  /** Two-sided p-value of "it lasts". */
  readonly pValue: number;
}

/** Rates looked at, times the span of the periods: faster than e^-20 over the span is all in its first instant. */
const RATE_MAX = 20;
const STEPS = 4_000;

/**
 * The decay of an effect over at least three periods.
 * @example effectDecay([{ time: 0, value: 4, variance: 0.01 }, { time: 1, value: 2, variance: 0.01 }, { time: 2, value: 1,
 *   variance: 0.01 }]) // halfLife 1
 */
export function effectDecay(periods: readonly PeriodEffect[], { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<Decay> {
  if (!isRate(alpha) || periods.some(({ variance }) => !(variance >= 0))) return refuse("invalid-input");
  const known = periods.filter(({ variance }) => variance > 0);
  const times = known.map(({ time }) => time);
  const span = Math.max(...times) - Math.min(...times);
  if (known.length < 3 || new Set(times).size < 3) return refuse("too-few-strata");
  const fit = (scaled: number): Fit => fitAt(known, scaled / span);
  const grid = Array.from({ length: STEPS + 1 }, (_, step) => RATE_MAX * ((2 * step) / STEPS - 1));
  const gains = grid.map((scaled) => fit(scaled).gain);
  const best = gains.reduce((top, gain, at) => (gain > (gains[top] ?? 0) ? at : top), 0);
  const scaled = vertex(grid, gains, best);
  const { gain, initial } = fit(scaled);
  const isPlausible = (at: number): boolean => (gains[at] ?? 0) >= gain - twoSidedZ(alpha) ** 2;
  const low = grid.findIndex((_, at) => isPlausible(at));
  const high = grid.findLastIndex((_, at) => isPlausible(at));
  const rate = scaled / span;
  return ok({
    initial,
    latest: initial * Math.exp(-rate * Math.max(...times)),
    rate,
    interval: {
      ...(low <= 0 ? {} : { low: Math.min(rate, (grid[low] ?? 0) / span) }),
      ...(high === -1 || high === STEPS ? {} : { high: Math.max(rate, (grid[high] ?? 0) / span) }),
      level: 1 - alpha,
    },
    ...(rate > 0 ? { halfLife: Math.LN2 / rate } : {}),
    pValue: normalTwoSided(Math.sqrt(Math.max(0, gain - fit(0).gain))),
  });
}

interface Fit {
  readonly initial: number;
  /** By how much the curve lowers the sum of squares from that of "no effect at all". */
  readonly gain: number;
}

function fitAt(periods: readonly PeriodEffect[], rate: number): Fit {
  let along = 0;
  let across = 0;
  // Counted from where the curve is highest, so that no power runs away.
  const from = periods.reduce((top, { time }) => Math.max(top, -rate * time), Number.NEGATIVE_INFINITY);
  for (const { time, value, variance } of periods) {
    const curve = Math.exp(-rate * time - from);
    along += (curve * value) / variance;
    across += (curve * curve) / variance;
  }
  return { initial: (along / across) * Math.exp(-from), gain: (along * along) / across };
}

/** Between grid points: the top of the parabola through the best one and its neighbours. */
function vertex(grid: readonly number[], gains: readonly number[], best: number): number {
  const [before, at, after] = [gains[best - 1], gains[best] ?? 0, gains[best + 1]];
  const middle = grid[best] ?? 0;
  if (before === undefined || after === undefined) return middle;
  const bend = before - 2 * at + after;
  return bend < 0 ? middle + ((before - after) / (2 * bend)) * ((2 * RATE_MAX) / STEPS) : middle;
}
