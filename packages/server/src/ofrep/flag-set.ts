import { type CompileOptions, compile, type Outcome, type Ruleset } from "@belay/core";
import type { EvaluationContext, EvaluationCount, FlagKey, Revision } from "@belay/protocol";
import type { Feed } from "../snapshots/feed.ts";
import { type DefaultsMode, failureOf, type OfrepFailure, setMetadata, successOf, textFor, useDefault } from "./answer.ts";

/** One flag's answer: what failed, or the text of the success. */
export type OneAnswer = { readonly failure: OfrepFailure } | { readonly text: string; readonly isValueless: boolean };

/** What one feed decides, compiled when a change arrives and asked as often as anybody likes. */
export class FlagSet {
  readonly #feed: Feed;
  readonly #options: CompileOptions;
  #ruleset: Ruleset;
  /** Made at the first bulk evaluation of a revision. */
  #rows: readonly Row[] | undefined;
  #metadata: string;

  constructor(feed: Feed, options: CompileOptions) {
    this.#feed = feed;
    this.#options = options;
    this.#ruleset = compile(feed.snapshot, options);
    this.#metadata = setMetadata(this.id, this.revision);
    feed.onChange((_, change) => {
      if (this.#ruleset.apply(change) === undefined) this.#ruleset = compile(this.#feed.snapshot, this.#options);
      this.#rows = undefined;
      this.#metadata = setMetadata(this.id, this.revision);
    });
  }

  get revision(): Revision {
    return this.#ruleset.revision;
  }

  /** `project/environment`. */
  get id(): string {
    return `${this.#ruleset.project}/${this.#ruleset.environment}`;
  }

  /** Text of the metadata that all answers of this revision have, without braces. */
  get metadata(): string {
    return this.#metadata;
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
    const text = textFor(successOf(key, outcome, this.#metadata, this.#ruleset.metadata(key)), context);
    return { text, isValueless: outcome.value === undefined };
  }

  /**
   * Decides all flags for one context: the texts of the answers as bytes, by key. Not counted: whoever asks for all of
   * them has not met any yet.
   */
  all(context: EvaluationContext, defaults: DefaultsMode): Buffer[] {
    const texts: Buffer[] = [];
    this.#rows ??= [...this.#ruleset.keys()].sort().map((key) => ({ key, texts: new Map() }));
    for (const row of this.#rows) {
      const outcome = this.#ruleset.peek(row.key, context);
      const isPlain = outcome.errorCode === undefined && (outcome.value !== undefined || defaults === "valueless");
      const text = isPlain ? this.#success(row, outcome, context) : this.#exception(row.key, outcome, defaults);
      if (text !== undefined) texts.push(text);
    }
    return texts;
  }

  /** Evaluations of single flags since the last call. */
  takeCounts(): EvaluationCount[] {
    return this.#ruleset.takeCounts();
  }

  #success({ key, texts }: Row, outcome: Outcome, context: EvaluationContext): Buffer {
    const known = texts.get(outcome);
    if (known !== undefined) return known;
    const success = successOf(key, outcome, this.#metadata, this.#ruleset.metadata(key));
    const text = Buffer.from(textFor(success, context));
    if (success.tracks === undefined) texts.set(outcome, text);
    return text;
  }

  #exception(key: FlagKey, outcome: Outcome, defaults: DefaultsMode): Buffer | undefined {
    const failure = failureOf(key, outcome, this.#ruleset.defect(key)?.reason);
    if (failure === undefined && defaults === "omit") return undefined;
    return Buffer.from(JSON.stringify(failure ?? useDefault(key)));
  }
}

/**
 * A flag's answers of this revision, in words. Outcomes are constants: each is said once, not once a person, and as bytes:
 * joining and encoding a thousand strings costs more than deciding a thousand flags.
 */
interface Row {
  readonly key: FlagKey;
  readonly texts: Map<Outcome, Buffer>;
}
