import { type CompileOptions, compile, type Outcome, type Ruleset } from "@belay/core";
import type { EvaluationContext, EvaluationCount, FlagKey, Revision } from "@belay/protocol";
import type { Feed } from "../snapshots/feed.ts";
import { type DefaultsMode, failureOf, type OfrepFailure, openingOf, sharedMetadata, successText, useDefault } from "./answer.ts";

/** One flag's answer: what failed, or the text of the success. */
export type OneAnswer = { readonly failure: OfrepFailure } | { readonly text: string; readonly isValueless: boolean };

/** What one feed decides, compiled when a change arrives and asked as often as anybody likes. */
export class FlagSet {
  readonly #feed: Feed;
  readonly #options: CompileOptions;
  #ruleset: Ruleset;
  /** Made at the first bulk evaluation of a revision. */
  #sorted: readonly Row[] | undefined;
  #shared: string;

  constructor(feed: Feed, options: CompileOptions) {
    this.#feed = feed;
    this.#options = options;
    this.#ruleset = compile(feed.snapshot, options);
    this.#shared = this.#sharedText();
    feed.onChange((_, change) => {
      if (this.#ruleset.apply(change) === undefined) this.#ruleset = compile(this.#feed.snapshot, this.#options);
      this.#sorted = undefined;
      this.#shared = this.#sharedText();
    });
  }

  get revision(): Revision {
    return this.#ruleset.revision;
  }

  /** `project/environment`. */
  get id(): string {
    return `${this.#ruleset.project}/${this.#ruleset.environment}`;
  }

  /** Decides one flag and counts it. */
  decide(key: FlagKey, context: EvaluationContext): Outcome {
    return this.#ruleset.decide(key, context);
  }

  /** Whether a decision differs: see `Exposure.differs`. */
  differs(key: FlagKey, outcome: Outcome, context: EvaluationContext): boolean | undefined {
    return this.#ruleset.differs(key, outcome, context);
  }

  /** Puts the outcome of a flag into words. */
  say(key: FlagKey, outcome: Outcome, context: EvaluationContext): OneAnswer {
    const failure = failureOf(key, outcome, this.#ruleset.defect(key)?.reason);
    if (failure !== undefined) return { failure };
    const text = successText(openingOf(key), outcome, this.#shared, context);
    return { text, isValueless: outcome.value === undefined };
  }

  /**
   * Decides all flags for one context: the texts of the answers, by key. Not counted: whoever asks for all of them has
   * not met any yet.
   */
  all(context: EvaluationContext, defaults: DefaultsMode): string {
    let texts = "";
    for (const { key, opening } of this.#rows()) {
      const outcome = this.#ruleset.peek(key, context);
      const isPlain = outcome.errorCode === undefined && (outcome.value !== undefined || defaults === "valueless");
      const text = isPlain ? successText(opening, outcome, this.#shared, context) : this.#exception(key, outcome, defaults);
      if (text !== undefined) texts += texts === "" ? text : `,${text}`;
    }
    return texts;
  }

  /** Evaluations of single flags since the last call. */
  takeCounts(): EvaluationCount[] {
    return this.#ruleset.takeCounts();
  }

  #exception(key: FlagKey, outcome: Outcome, defaults: DefaultsMode): string | undefined {
    const failure = failureOf(key, outcome, this.#ruleset.defect(key)?.reason);
    if (failure === undefined && defaults === "omit") return undefined;
    return JSON.stringify(failure ?? useDefault(key));
  }

  #rows(): readonly Row[] {
    this.#sorted ??= [...this.#ruleset.keys()].sort().map((key) => ({ key, opening: openingOf(key) }));
    return this.#sorted;
  }

  #sharedText(): string {
    return sharedMetadata(this.id, this.revision);
  }
}

interface Row {
  readonly key: FlagKey;
  readonly opening: string;
}
