import type { EvaluationContext } from "@belay/protocol";
import { isPlain } from "./attribute.ts";

export const NO_CONTEXT: EvaluationContext = Object.freeze({});

/**
 * One evaluation: its context, and the number that whatever is remembered within it carries. It lets go of the context
 * afterwards: an SDK must not keep a request's data alive.
 */
export class Scope {
  context: EvaluationContext = NO_CONTEXT;
  isPlain = true;
  tick = 0;

  enter(context: EvaluationContext, tick: number): void {
    this.context = context;
    this.isPlain = isPlain(context);
    this.tick = tick;
  }

  leave(): void {
    this.context = NO_CONTEXT;
  }
}
