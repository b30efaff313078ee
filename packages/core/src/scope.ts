import type { EvaluationContext } from "@belay/protocol";
import { isPlain } from "./attribute.ts";

export const NO_CONTEXT: EvaluationContext = Object.freeze({});

/**
 * One evaluation: its context, and the number that whatever is remembered within it carries. It lets go of the context
 * afterwards: an SDK must not keep a request's data alive.
 */
export class Scope {
  context: EvaluationContext = NO_CONTEXT;
  /** The context's `targetingKey` as it was read, own or not. */
  targetingKey: unknown = undefined;
  isPlain = true;
  isBusy = false;
  tick = 0;

  enter(context: EvaluationContext, tick: number): void {
    this.isBusy = true;
    this.context = context;
    // Loaded before the prototype is asked for: V8 then knows the object's shape and answers without a call.
    this.targetingKey = context.targetingKey;
    this.isPlain = isPlain(context);
    this.tick = tick;
  }

  leave(): void {
    this.isBusy = false;
    this.context = NO_CONTEXT;
    this.targetingKey = undefined;
  }
}
