import type { Guardrail } from "@belay/protocol";
import {
  countNonInferiority,
  type EventSplitState,
  expectedNonInferiority,
  observeFailures,
  type Result,
  refuse,
  splitEvidence,
  startEventSplit,
  timesUntil,
} from "@belay/stats";
import { cellAt } from "./cells.ts";
import type { Moment, Tally } from "./guardrails.ts";
import { PROMOTION_EVIDENCE } from "./promotion.ts";

/** Failures of one hour under one share. */
interface Cell extends Moment {
  treated: number;
  total: number;
}

/** First failures of units, judged by the exact event split: see `@belay/stats`. In whatever order they come. */
export class FailureCount implements Tally {
  readonly #guardrail: Guardrail;
  readonly #cells: Cell[] = [];
  /** What the first cells add up to: hours that are over do not change any more, almost always. */
  #summed: { cells: number; state: EventSplitState } = { cells: 0, state: startEventSplit() };

  constructor(guardrail: Guardrail) {
    this.#guardrail = guardrail;
  }

  /** O(1): two counters, and at a new hour or share a cell. */
  note(isTreated: boolean, _value: number, moment: Moment): void {
    if (!(moment.share > 0 && moment.share < 1)) return;
    const at = cellAt(this.#cells, moment, () => ({ ...moment, treated: 0, total: 0 }));
    if (at < this.#summed.cells) this.#summed = { cells: 0, state: startEventSplit() };
    const cell = this.#cells[at] as Cell;
    cell.total += 1;
    if (isTreated) cell.treated += 1;
  }

  evidence(): Result<{ logE: number }> {
    const last = this.#cells.at(-1)?.hour ?? 0;
    let { cells, state } = this.#summed;
    for (; (this.#cells[cells]?.hour ?? last) < last; cells += 1) state = this.#added(state, this.#cells[cells] as Cell);
    this.#summed = { cells, state };
    return splitEvidence(this.#cells.slice(cells).reduce((sum, cell) => this.#added(sum, cell), state));
  }

  promotion(reach: number): Result<{ logE: number }> {
    const stage = this.#at(reach);
    if (stage.length === 0) return refuse("too-few-events");
    return countNonInferiority(stage, { tolerance: this.#guardrail.margin });
  }

  horizon(reach: number): Result<{ times: number }> {
    const stage = this.#at(reach);
    const [first] = stage;
    if (first === undefined) return refuse("too-few-events");
    // One reach is one share.
    const seen = stage.reduce((sum, { total }) => sum + total, 0);
    return timesUntil((times) => {
      const expected = expectedNonInferiority({ share: first.share, total: times * seen }, { tolerance: this.#guardrail.margin });
      return expected.status === "ok" ? expected.logE : 0;
    }, PROMOTION_EVIDENCE);
  }

  /** What was counted at one reach, so that more of the treated is harm. */
  #at(reach: number): Cell[] {
    const stage = this.#cells.filter((cell) => cell.reach === reach);
    return this.#guardrail.harm === "increase" ? stage : stage.map(mirrored);
  }

  #added(state: EventSplitState, cell: Cell): EventSplitState {
    const { harm, tolerance = 0 } = this.#guardrail;
    const next = observeFailures(state, cell, { harm, tolerance });
    return next.status === "ok" ? next : state;
  }
}

/** Fewer good events in treatment are more of them in control: the same coin seen from its other side. */
function mirrored({ share, treated, total, ...moment }: Cell): Cell {
  return { ...moment, share: 1 - share, treated: total - treated, total };
}
