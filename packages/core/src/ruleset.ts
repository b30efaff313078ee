/** A compiled snapshot: decides flags, takes changes, counts evaluations. */
import type {
  EvaluationContext,
  EvaluationCount,
  FlagKey,
  FlagMetadata,
  Revision,
  SegmentKey,
  Snapshot,
  SnapshotChange,
} from "@belay/protocol";
import { isPlain } from "./attribute.ts";
import { Counters } from "./counters.ts";
import { FIRST_MALFORMED, FIRST_MISS, MALFORMED_FLAG, outcomeAt, outcomeOfTwo, UNKNOWN_FLAG } from "./decide.ts";
import type { Defect } from "./defect.ts";
import { type CompileOptions, Definitions, type FlagDefect } from "./definitions.ts";
import { differs } from "./differs.ts";
import { decideDirect } from "./direct.ts";
import type { Met } from "./fingerprint.ts";
import { hashAfter } from "./murmur3.ts";
import { positionOf } from "./placement.ts";
import type { CompiledFlag, Outcome } from "./program.ts";
import { Scope } from "./scope.ts";
import { SHORTCUTS } from "./shortcuts.ts";
import { outcomeUnlessMet } from "./unless-met.ts";
import { Walker } from "./walker.ts";

/**
 * Compiles a snapshot. A broken flag never throws: it alone answers the caller's default with `PARSE_ERROR`, and
 * `defects()` says why.
 *
 * A flag of several rules that names no other definition is compiled when it is first asked for, so a start does not wait
 * for thousands of flags that this application may never use. The snapshot must not be changed afterwards.
 *
 * @example
 * const ruleset = compile(snapshot);
 * ruleset.decide("checkout-v2", { targetingKey: "user-42" }).value;
 */
export function compile(snapshot: Snapshot, options: CompileOptions = {}): Ruleset {
  return new Ruleset(snapshot, options);
}

export class Ruleset {
  readonly project: string;
  readonly environment: string;
  readonly #definitions: Definitions;
  /** Those of the definitions, at hand: one load less for every question. */
  readonly #flags: ReadonlyMap<FlagKey, CompiledFlag>;
  readonly #walker: Walker;
  /** Those of the counters, at hand too. */
  #counts: Uint32Array = new Uint32Array(0);
  readonly #counters = new Counters((counts) => {
    this.#counts = counts;
  });

  /** Use `compile`. */
  constructor(snapshot: Snapshot, options: CompileOptions) {
    this.project = snapshot.project;
    this.environment = snapshot.environment;
    this.#definitions = new Definitions(snapshot, options, { shortcuts: SHORTCUTS, counters: this.#counters });
    this.#flags = this.#definitions.flags;
    this.#walker = new Walker(this.#definitions);
  }

  /** Revision of the snapshot in force. */
  get revision(): Revision {
    return this.#definitions.revision;
  }

  /** What has been asked for or needs no compiling: flags, and unknown keys that are remembered. */
  get flags(): ReadonlyMap<FlagKey, CompiledFlag> {
    return this.#flags;
  }

  /** Number of flags, malformed ones included. */
  get size(): number {
    return this.#definitions.size;
  }

  has(key: FlagKey): boolean {
    return this.#definitions.has(key);
  }

  keys(): IterableIterator<FlagKey> {
    return this.#definitions.keys();
  }

  /**
   * The flag's outcome for a context: the hot path. Never throws, whatever it is given, allocates nothing, and counts
   * the evaluation.
   *
   * @param met who has been met; a unit met under the outcome's arm is answered the outcome's untracked twin, where that
   *   is found out by the way. The answer to others has `tracks`: ask `met` itself then
   */
  decide(key: FlagKey, context: EvaluationContext, met?: Met): Outcome {
    const flag = this.#flags.get(key);
    if (flag === undefined) return this.#miss(key, context, met);
    let outcome = flag.gate;
    if (outcome === undefined) {
      try {
        const line = flag.program.plainLine;
        if (line === undefined) outcome = this.#decideAny(flag, context, met);
        else {
          // A plain rollout: one read, one hash, one look into a table. The property is loaded plainly (no `?.`, no
          // `line && ...`) and before the prototype is looked at: V8 then knows the object's shape and answers the second
          // question for free; any other way it is a call that costs half a hash. So no context at all throws here.
          const unit = context.targetingKey;
          outcome =
            typeof unit === "string" && unit.length !== 0 && isPlain(context)
              ? (outcomeOfTwo(line, hashAfter(flag, unit)) as Outcome)
              : this.#walker.walk(flag, context);
        }
      } catch {
        outcome = this.#walker.faulted(flag, context);
      }
    }
    const at = flag.slot + outcome.slot;
    (this.#counts[at] as number)++;
    return outcome;
  }

  /** Counts an evaluation whose outcome was found past `decide`. */
  count(flag: CompiledFlag, outcome: Outcome): void {
    const at = flag.slot + outcome.slot;
    (this.#counts[at] as number)++;
  }

  /** As `decide`, uncounted; for explanations and previews. */
  peek(key: FlagKey, context: EvaluationContext): Outcome {
    return this.#walker.peek(key, context);
  }

  /**
   * Would the unit of an outcome that `decide` has just given have got another value outside its arm? See `differs.ts`.
   * For first exposures: it allocates. `undefined` where the outcome is no arm's, or the context throws.
   */
  differs(key: FlagKey, outcome: Outcome, context: EvaluationContext): boolean | undefined {
    const flag = this.#flags.get(key);
    if (flag === undefined || outcome.tracks === undefined) return undefined;
    const scope = new Scope();
    try {
      this.#walker.enter(scope, context);
      return differs(flag, outcome, scope);
    } catch {
      return undefined;
    }
  }

  /** The compiled flag, for `explain`. */
  find(key: FlagKey): CompiledFlag | undefined {
    return this.#definitions.find(key);
  }

  /** What the flag's owner says of it. */
  metadata(key: FlagKey): FlagMetadata | undefined {
    return this.#definitions.read(key)?.program.metadata;
  }

  /** The defect of one flag. */
  defect(key: FlagKey): Defect | undefined {
    return this.#definitions.defect(key);
  }

  /** Why a segment cannot be asked for: a name it uses is missing, or it stands in a cycle. */
  segmentDefect(key: SegmentKey): Defect | undefined {
    return this.#definitions.segmentDefect(key);
  }

  /** Every flag that answers `PARSE_ERROR`, with the first reason. Compiles all of them, which may take a second. */
  defects(): readonly FlagDefect[] {
    return this.#definitions.defects();
  }

  /** The same of the flags that have been compiled so far. */
  knownDefects(): readonly FlagDefect[] {
    return this.#definitions.knownDefects();
  }

  /**
   * Brings the change into force, whole, between two decisions. Answers the keys of the flags that may now decide
   * differently, or `undefined` when the change does not start at this revision: then fetch the whole snapshot.
   */
  apply(change: SnapshotChange): readonly FlagKey[] | undefined {
    return this.#definitions.apply(change);
  }

  /** Evaluations counted since the last call, by flag and variant; starts them at 0 again. */
  takeCounts(): EvaluationCount[] {
    return this.#counters.take(this.#flags);
  }

  /** Apart from `decide`, which has to stay short (see `hashAfter`): every flag and every context. */
  #decideAny(flag: CompiledFlag, context: EvaluationContext, met: Met | undefined): Outcome {
    const { line, steps } = flag.program;
    if (line === undefined && steps === undefined) return this.#walker.walk(flag, context);
    const unit = context.targetingKey;
    if (typeof unit !== "string" || unit.length === 0 || !isPlain(context)) return this.#walker.walk(flag, context);
    if (line === undefined) return decideDirect(flag, unit, context);
    if (met !== undefined && line.subjectSeed !== undefined) return outcomeUnlessMet(line, flag, unit, met);
    return outcomeAt(line, positionOf(hashAfter(flag, unit))) as Outcome;
  }

  /** A key asked for the first time, or one that is not remembered; counted either way. */
  #miss(key: FlagKey, context: EvaluationContext, met: Met | undefined): Outcome {
    if (this.#definitions.read(key) !== undefined) {
      const outcome = this.decide(key, context, met);
      return outcome === MALFORMED_FLAG ? FIRST_MALFORMED : outcome;
    }
    const outcome = this.#definitions.remembersMore ? FIRST_MISS : UNKNOWN_FLAG;
    const { slot } = this.#definitions.rememberUnknown(key) ?? this.#definitions.unknown;
    (this.#counts[slot] as number)++;
    return outcome;
  }
}
