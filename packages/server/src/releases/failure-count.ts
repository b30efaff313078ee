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
import type { Moment, Tally } from "./guardrails.ts";

/** First failures of units, judged by the exact event split: see `@belay/stats`. */
export class FailureCount implements Tally {
  readonly #guardrail: Guardrail;
  #state: EventSplitState = startEventSplit();
  #cell = { hour: 0, share: 0, treated: 0, total: 0 };
  /** What came in the present stage, for its non-inferiority. */
  #stage = { hour: 0, share: 0, treated: 0, total: 0 };

  constructor(guardrail: Guardrail) {
    this.#guardrail = guardrail;
  }

  /** O(1): two counters, and at a new hour or share the closing of a cell. */
  note(isTreated: boolean, _value: number, { hour, share }: Moment): void {
    if (!(share > 0 && share < 1)) return;
    // A clock that was set back must not open hours that are over.
    const now = Math.max(hour, this.#cell.hour, this.#state.hour);
    if (now !== this.#cell.hour || share !== this.#cell.share) this.#close({ hour: now, share });
    if (share !== this.#stage.share) this.#stage = { hour: 0, share, treated: 0, total: 0 };
    for (const cell of [this.#cell, this.#stage]) {
      cell.total += 1;
      if (isTreated) cell.treated += 1;
    }
  }

  evidence(): Result<{ logE: number }> {
    this.#close(this.#cell);
    return splitEvidence(this.#state);
  }

  promotion(share: number): Result<{ logE: number }> {
    if (this.#stage.share !== share || this.#stage.total === 0) return refuse("too-few-events");
    const { harm, margin } = this.#guardrail;
    return countNonInferiority([harm === "increase" ? this.#stage : mirrored(this.#stage)], { tolerance: margin });
  }

  #close(next: { readonly hour: number; readonly share: number }): void {
    if (this.#cell.total > 0) {
      const { harm, tolerance = 0 } = this.#guardrail;
      const state = observeFailures(this.#state, this.#cell, { harm, tolerance });
      if (state.status === "ok") this.#state = state;
    }
    this.#cell = { hour: next.hour, share: next.share, treated: 0, total: 0 };
  }
}

/** Fewer good events in treatment are more of them in control: the same coin seen from its other side. */
function mirrored({ hour, share, treated, total }: { hour: number; share: number; treated: number; total: number }) {
  return { hour, share: 1 - share, treated: total - treated, total };
}
