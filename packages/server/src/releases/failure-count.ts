import type { Guardrail } from "@belay/protocol";
import {
  countNonInferiority,
  type EventSplitState,
  observeFailures,
  type Result,
  refuse,
  splitEvidence,
  startEventSplit,
} from "@belay/stats";
import { cellAt } from "./cells.ts";
import type { Moment, Tally } from "./guardrails.ts";

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
    const stage = this.#cells.filter((cell) => cell.reach === reach);
    if (stage.length === 0) return refuse("too-few-events");
    const { harm, margin } = this.#guardrail;
    return countNonInferiority(harm === "increase" ? stage : stage.map(mirrored), { tolerance: margin });
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
