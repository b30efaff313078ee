import type { Guardrail } from "@belay/protocol";
import {
  andThen,
  type Moments,
  mergeMoments,
  NO_MOMENTS,
  ok,
  oneSidedEvidence,
  type Point,
  type Result,
  refuse,
  restartWeight,
  timesUntil,
  valueSignal,
} from "@belay/stats";
import { cellAt } from "./cells.ts";
import type { Moment, Tally } from "./guardrails.ts";
import { PROMOTION_EVIDENCE } from "./promotion.ts";

/** Units of the smaller arm before the first look. */
const BURN_IN = 50;
/** exp of more is beyond a double; evidence that strong is decided anyway. */
const LOG_MAX = 700;

/** The values of one hour under one share. */
interface Cell extends Moment {
  treated: Moments;
  control: Moments;
}

/**
 * The first value of each unit (latency, size of an order), judged by one-sided mixture sequences: half of the weight on the
 * one since the start, half on one that starts every hour. Arms are compared within a share and then put together, so that
 * a drift over a ramp is no effect.
 */
export class ValueCount implements Tally {
  readonly #guardrail: Guardrail;
  readonly #cap: number;
  readonly #scale: number;
  readonly #cells: Cell[] = [];

  constructor(guardrail: Guardrail, { cap, scale }: { readonly cap: number; readonly scale: number }) {
    this.#guardrail = guardrail;
    this.#cap = cap;
    this.#scale = scale;
  }

  /** O(1): one step of Welford's recursion. */
  note(isTreated: boolean, value: number, moment: Moment): void {
    if (!(moment.share > 0 && moment.share < 1) || !Number.isFinite(value)) return;
    const make = (): Cell => ({ ...moment, treated: NO_MOMENTS, control: NO_MOMENTS });
    const cell = this.#cells[cellAt(this.#cells, moment, make)] as Cell;
    const capped = Math.min(value, this.#cap);
    const arm = isTreated ? "treated" : "control";
    cell[arm] = mergeMoments(cell[arm], { n: 1, mean: capped, m2: 0 });
  }

  evidence(): Result<{ logE: number }> {
    const { harm, tolerance = 0 } = this.#guardrail;
    const edge = harm === "increase" ? tolerance : -tolerance;
    const logEOf = (effect: Result<Point>): number | undefined => {
      const found = andThen(effect, ({ value, variance }) =>
        oneSidedEvidence({ value: value - edge, variance }, { scale: this.#scale, direction: harm }),
      );
      return found.status === "ok" ? found.logE : undefined;
    };
    const sinceStart = logEOf(stratified(this.#cells));
    if (sinceStart === undefined) return refuse("burn-in");
    return ok({ logE: mean(sinceStart, this.#logRestarts(logEOf)) });
  }

  promotion(reach: number): Result<{ logE: number }> {
    return andThen(this.#effectAt(reach), (effect) => this.#harmlessness(effect));
  }

  horizon(reach: number): Result<{ times: number }> {
    return andThen(this.#effectAt(reach), ({ variance }) =>
      timesUntil((times) => {
        const expected = this.#harmlessness({ value: 0, variance: variance / times });
        return expected.status === "ok" ? expected.logE : 0;
      }, PROMOTION_EVIDENCE),
    );
  }

  #effectAt(reach: number): Result<Point> {
    return pooled(this.#cells.filter((cell) => cell.reach === reach));
  }

  /** Evidence that an effect is within the margin. */
  #harmlessness({ value, variance }: Point): Result<{ logE: number }> {
    const { harm, margin } = this.#guardrail;
    const edge = harm === "increase" ? margin : -margin;
    const direction = harm === "increase" ? "decrease" : "increase";
    return oneSidedEvidence({ value: value - edge, variance }, { scale: Math.max(this.#scale, margin), direction });
  }

  /** ln of the weighted evidence since each hour; an hour without enough units, or to come, counts as evidence 1. */
  #logRestarts(logEOf: (effect: Result<Point>) => number | undefined): number {
    // Backwards, so that each hour adds its own units to those since: one pass over all hours.
    const strata = new Map<number, Cell>();
    const since: { readonly hour: number; readonly logE: number }[] = [];
    for (let i = this.#cells.length - 1; i >= 0; i -= 1) {
      const cell = this.#cells[i] as Cell;
      if (cell.hour === 0) break;
      strata.set(cell.share, merged(strata.get(cell.share), cell));
      if (this.#cells[i - 1]?.hour !== cell.hour)
        since.push({ hour: cell.hour, logE: logEOf(stratified([...strata.values()])) ?? 0 });
    }
    let sum = 1 - restartWeight(this.#cells.at(-1)?.hour ?? 0);
    let previous = 0;
    for (const { hour, logE } of since.reverse()) {
      sum += (restartWeight(hour) - restartWeight(previous)) * Math.exp(Math.min(LOG_MAX, logE));
      previous = hour;
    }
    return Math.log(sum);
  }
}

function merged(all: Cell | undefined, { treated, control, ...moment }: Cell): Cell {
  return {
    ...moment,
    treated: mergeMoments(all?.treated ?? NO_MOMENTS, treated),
    control: mergeMoments(all?.control ?? NO_MOMENTS, control),
  };
}

function pooled(cells: readonly Cell[]): Result<Point> {
  const all = cells.reduce<Cell | undefined>(merged, undefined);
  if (all === undefined) return refuse("too-few-units");
  return valueSignal({ control: all.control, treatment: all.treated }, { careful: "always", burnIn: BURN_IN });
}

/** The effect within each share, put together by overlap weights; shares with too few units are left out. */
function stratified(cells: readonly Cell[]): Result<Point> {
  let weights = 0;
  let value = 0;
  let variance = 0;
  for (const share of new Set(cells.map((cell) => cell.share))) {
    const stratum = cells.filter((cell) => cell.share === share);
    const effect = pooled(stratum);
    if (effect.status !== "ok") continue;
    const count = (arm: "treated" | "control"): number => stratum.reduce((sum, cell) => sum + cell[arm].n, 0);
    const weight = (count("treated") * count("control")) / (count("treated") + count("control"));
    weights += weight;
    value += weight * effect.value;
    variance += weight * weight * effect.variance;
  }
  return weights === 0 ? refuse("burn-in") : ok({ value: value / weights, variance: variance / (weights * weights) });
}

/** ln of half of each. */
function mean(a: number, b: number): number {
  const top = Math.max(a, b);
  return top + Math.log((Math.exp(a - top) + Math.exp(b - top)) / 2);
}
