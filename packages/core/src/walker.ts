/** The way through a flag that knows every kind of rule: evaluations by the walk, numbered. */
import type { EvaluationContext, FlagKey } from "@belay/protocol";
import { decideFlag, FAULT } from "./decide.ts";
import type { Definitions } from "./definitions.ts";
import type { CompiledFlag, Outcome } from "./program.ts";
import { NO_CONTEXT, Scope } from "./scope.ts";

/** Evaluations are numbered up to here, then from 1 again: the number stays a small integer. */
const TICK_MAX = 2 ** 30;

export class Walker {
  readonly #definitions: Definitions;
  #tick = 0;
  #scope = new Scope();

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  /** One scope serves all evaluations; only a context whose getter evaluates a flag in between needs another. */
  walk(flag: CompiledFlag, context: EvaluationContext): Outcome {
    const scope = this.#scope.isBusy ? new Scope() : this.#scope;
    this.enter(scope, typeof context === "object" && context !== null ? context : NO_CONTEXT);
    const outcome = decideFlag(flag, scope);
    scope.leave();
    return outcome;
  }

  /** The answer after something threw: a getter of the context's, or that there is no context. */
  faulted(flag: CompiledFlag, context: EvaluationContext | null | undefined): Outcome {
    this.#scope = new Scope();
    return context === null || context === undefined ? this.walk(flag, NO_CONTEXT) : FAULT;
  }

  /** The outcome of a flag, uncounted; for explanations and previews. */
  peek(key: FlagKey, context: EvaluationContext): Outcome {
    const flag = this.#definitions.read(key) ?? this.#definitions.unknown;
    try {
      return this.walk(flag, context);
    } catch {
      return this.faulted(flag, context);
    }
  }

  /** Begins a numbered evaluation in a scope. */
  enter(scope: Scope, context: EvaluationContext): void {
    if (++this.#tick === TICK_MAX) {
      this.#tick = 1;
      this.#definitions.forgetTicks();
    }
    scope.enter(context, this.#tick);
  }
}
