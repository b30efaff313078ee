/** A compiled snapshot: decides flags, takes changes, counts evaluations. */
import type {
  Condition,
  EvaluationContext,
  EvaluationCount,
  FlagKey,
  FlagMetadata,
  Revision,
  SegmentKey,
  Snapshot,
  SnapshotChange,
  SnapshotFlag,
  Space,
} from "@belay/protocol";
import { isPlain } from "./attribute.ts";
import {
  decideFlag,
  FAULT,
  FIRST_MALFORMED,
  FIRST_MISS,
  MALFORMED_FLAG,
  outcomeAt,
  outcomeOfTwo,
  UNKNOWN_FLAG,
} from "./decide.ts";
import { type Defect, Defects } from "./defect.ts";
import { differs } from "./differs.ts";
import { decideDirect } from "./direct.ts";
import type { Met } from "./fingerprint.ts";
import type { LegacyHashFunction } from "./legacy-hash-function.ts";
import { type Linkable, link } from "./link.ts";
import { hashAfter } from "./murmur3.ts";
import { namesOthers } from "./names-used.ts";
import type { PatternCompiler } from "./operators.ts";
import { positionOf } from "./placement.ts";
import {
  CompiledFlag,
  type DirectStep,
  type FlagRef,
  type Outcome,
  type Program,
  type Refs,
  type SegmentRef,
  type SharedSpace,
  SpaceState,
} from "./program.ts";
import { isRecord, Reading, readCondition, type Surroundings } from "./read-condition.ts";
import { isSpace, readFlag } from "./read-flag.ts";
import { NO_CONTEXT, Scope } from "./scope.ts";
import { outcomeUnlessMet } from "./unless-met.ts";

/** What compiling may use; absent, definitions that need it are malformed. */
export interface CompileOptions {
  /** Makes a pattern of the linear-time engine that `matches` needs; throws on one the engine lacks. */
  readonly regex?: PatternCompiler;
  /** Other products' bucketing functions by name, from `@belay/core/legacy-hashes`. */
  readonly legacyHashes?: ReadonlyMap<string, LegacyHashFunction>;
}

/** Why one flag answers `PARSE_ERROR`. */
export interface FlagDefect extends Defect {
  readonly flag: FlagKey;
}

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

/** Unknown keys remembered, so that the second question about one costs a single look-up; beyond, each is a miss. */
const UNKNOWN_KEYS_MAX = 1_000;
/** Programs of longer definitions are not compared with others: few repeat, and writing and keeping the text costs. */
const SHARED_PROGRAM_RULES_MAX = 1;
const SHARED_PROGRAM_TEXT_MAX = 1_000;
/** Evaluations are numbered up to here, then from 1 again: the number stays a small integer. */
const TICK_MAX = 2 ** 30;

const NO_REFS: Refs = { flags: new Set(), segments: new Set(), spaces: new Set() };

function programOf(gate: Outcome): Program {
  return {
    type: "boolean",
    variants: [],
    constant: gate,
    plainLine: undefined,
    line: undefined,
    steps: undefined,
    isEnabled: true,
    off: gate,
    prerequisites: [],
    rules: [],
    fallthrough: undefined,
    none: gate,
    metadata: undefined,
    refs: NO_REFS,
  };
}

const UNKNOWN_PROGRAM = programOf(UNKNOWN_FLAG);
const MALFORMED_PROGRAM = programOf(MALFORMED_FLAG);

export class Ruleset {
  readonly project: string;
  readonly environment: string;
  #revision: Revision;
  readonly #options: CompileOptions;
  readonly #flags = new Map<FlagKey, CompiledFlag>();
  /** Definitions nobody has asked for yet. A key is here or in `#flags`: the hot path looks there alone, and misses once. */
  readonly #unread = new Map<FlagKey, SnapshotFlag>();
  readonly #unknown: CompiledFlag;
  #unknownKeys = 0;
  readonly #flagRefs = new Map<FlagKey, FlagRef>();
  readonly #segments = new Map<string, SegmentRef>();
  readonly #spaces = new Map<string, SharedSpace>();
  /** Flags that name others: the only ones that take part in linking. */
  readonly #linked = new Map<FlagKey, CompiledFlag>();
  readonly #ownDefects = new Map<FlagKey, Defect>();
  #linkDefects: ReadonlyMap<string, Defect> = new Map();
  #tick = 0;
  #scope = new Scope();
  #counts = new Uint32Array(1_024);
  #slots = 0;
  /** Counts of flags that a change replaced, until they are taken. */
  readonly #carried = new Map<string, EvaluationCount>();

  /** Use `compile`. */
  constructor(snapshot: Snapshot, options: CompileOptions) {
    this.project = snapshot.project;
    this.environment = snapshot.environment;
    this.#revision = snapshot.revision;
    this.#options = options;
    this.#unknown = new CompiledFlag(UNKNOWN_PROGRAM, []);
    this.#slots = slotsOf(this.#unknown);
    const shared = new Map<string, Program>();
    for (const [id, space] of Object.entries(snapshot.spaces)) this.#setSpace(id, space);
    for (const [key, segment] of Object.entries(snapshot.segments)) this.#setSegment(key, segment);
    let slots = 0;
    for (const [key, flag] of Object.entries(snapshot.flags)) {
      const waiting = tryRead(() => slotsOfWaiting(flag));
      if (waiting === undefined) this.#setFlag(key, flag, shared);
      else {
        this.#unread.set(key, flag);
        slots += waiting;
      }
    }
    // Whom others ask for is decided inside their evaluations, past the look-up that would compile it.
    for (const key of this.#flagRefs.keys()) this.#read(key);
    this.#reserveCounts(slots);
    this.#link();
  }

  /** Revision of the snapshot in force. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Number of flags, malformed ones included. */
  get size(): number {
    return this.#flags.size - this.#unknownKeys + this.#unread.size;
  }

  has(key: FlagKey): boolean {
    return this.#unread.has(key) || this.find(key) !== undefined;
  }

  *keys(): IterableIterator<FlagKey> {
    for (const [key, flag] of this.#flags) if (flag.program !== UNKNOWN_PROGRAM) yield key;
    yield* this.#unread.keys();
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
              ? outcomeOfTwo(line, hashAfter(flag, unit))
              : this.#walk(flag, context);
        }
      } catch {
        outcome = this.#faulted(flag, context);
      }
    }
    const at = flag.slot + outcome.slot;
    (this.#counts[at] as number)++;
    return outcome;
  }

  /** As `decide`, uncounted; for explanations and previews. */
  peek(key: FlagKey, context: EvaluationContext): Outcome {
    const flag = this.#read(key) ?? this.#unknown;
    if (flag.gate !== undefined) return flag.gate;
    try {
      return this.#decideAny(flag, context, undefined);
    } catch {
      return this.#faulted(flag, context);
    }
  }

  /**
   * Would the unit of an outcome that `decide` has just given have got another value outside its arm? See `differs.ts`.
   * For first exposures: it allocates. `undefined` where the outcome is no arm's, or the context throws.
   */
  differs(key: FlagKey, outcome: Outcome, context: EvaluationContext): boolean | undefined {
    const flag = this.#flags.get(key);
    if (flag === undefined || outcome.tracks === undefined) return undefined;
    if (++this.#tick === TICK_MAX) this.#forget();
    const scope = new Scope();
    try {
      scope.enter(context, this.#tick);
      return differs(flag, outcome, scope);
    } catch {
      return undefined;
    }
  }

  /** The compiled flag, for `explain`. */
  find(key: FlagKey): CompiledFlag | undefined {
    const flag = this.#read(key);
    return flag?.program === UNKNOWN_PROGRAM ? undefined : flag;
  }

  /** What the flag's owner says of it. */
  metadata(key: FlagKey): FlagMetadata | undefined {
    return this.#read(key)?.program.metadata;
  }

  /** The defect of one flag. */
  defect(key: FlagKey): Defect | undefined {
    this.#read(key);
    return this.#ownDefects.get(key) ?? this.#linkDefects.get(`flag/${key}`);
  }

  /** Why a segment cannot be asked for: a name it uses is missing, or it stands in a cycle. */
  segmentDefect(key: SegmentKey): Defect | undefined {
    return this.#linkDefects.get(`segment/${key}`);
  }

  /** Every flag that answers `PARSE_ERROR`, with the first reason. Compiles all of them, which may take a second. */
  defects(): readonly FlagDefect[] {
    for (const key of [...this.#unread.keys()]) this.#read(key);
    return this.knownDefects();
  }

  /** The same of the flags that have been compiled so far. */
  knownDefects(): readonly FlagDefect[] {
    const all = new Map<FlagKey, Defect>(this.#ownDefects);
    for (const [id, defect] of this.#linkDefects) if (id.startsWith("flag/")) all.set(id.slice("flag/".length), defect);
    return [...all].map(([flag, defect]) => ({ flag, ...defect }));
  }

  /**
   * Brings the change into force, whole, between two decisions. Answers the keys of the flags that may now decide
   * differently, or `undefined` when the change does not start at this revision: then fetch the whole snapshot.
   */
  apply(change: SnapshotChange): readonly FlagKey[] | undefined {
    if (change.from !== this.#revision || change.revision <= change.from) return undefined;
    if (change.project !== this.project || change.environment !== this.environment) return undefined;
    for (const [id, space] of Object.entries(change.spaces)) this.#setSpace(id, space ?? undefined);
    for (const [key, segment] of Object.entries(change.segments)) this.#setSegment(key, segment);
    for (const [key, flag] of Object.entries(change.flags)) {
      if (flag === null) this.#removeFlag(key);
      else this.#setFlag(key, flag);
    }
    this.#link();
    this.#revision = change.revision;
    return this.#affected(change);
  }

  /** Evaluations counted since the last call, by flag and variant; starts them at 0 again. */
  takeCounts(): EvaluationCount[] {
    for (const [key, flag] of this.#flags) this.#carry(key, flag);
    const counts = [...this.#carried.values()];
    this.#carried.clear();
    return counts;
  }

  /** Apart from `decide`, which has to stay short (see `hashAfter`): every flag and every context. */
  #decideAny(flag: CompiledFlag, context: EvaluationContext, met: Met | undefined): Outcome {
    const { line, steps, none } = flag.program;
    if (line === undefined && steps === undefined) return this.#walk(flag, context);
    const unit = context.targetingKey;
    if (typeof unit !== "string" || unit.length === 0 || !isPlain(context)) return this.#walk(flag, context);
    if (line === undefined) return decideDirect(steps as readonly DirectStep[], none, flag, unit, context);
    if (met !== undefined && line.subjectSeed !== undefined) return outcomeUnlessMet(line, flag, unit, met);
    return outcomeAt(line, positionOf(hashAfter(flag, unit))) as Outcome;
  }

  /** The answer after something threw: a getter of the context's, or that there is no context. */
  #faulted(flag: CompiledFlag, context: EvaluationContext | null | undefined): Outcome {
    this.#scope = new Scope();
    return context === null || context === undefined ? this.#walk(flag, NO_CONTEXT) : FAULT;
  }

  /** One scope serves all evaluations; only a context whose getter evaluates a flag in between needs another. */
  #walk(flag: CompiledFlag, context: EvaluationContext): Outcome {
    const scope = this.#scope.isBusy ? new Scope() : this.#scope;
    if (++this.#tick === TICK_MAX) this.#forget();
    scope.enter(typeof context === "object" && context !== null ? context : NO_CONTEXT, this.#tick);
    const outcome = decideFlag(flag, scope);
    scope.leave();
    return outcome;
  }

  /** Ticks start again: what was remembered at an equal one must not be taken for this evaluation's. */
  #forget(): void {
    this.#tick = 1;
    for (const ref of this.#flagRefs.values()) ref.tick = 0;
    for (const ref of this.#segments.values()) ref.tick = 0;
    for (const space of this.#spaces.values()) if (space.state !== undefined) space.state.tick = 0;
    for (const flag of this.#flags.values()) {
      for (const space of flag.spaces ?? [flag]) space.tick = 0;
    }
  }

  /** A key asked for the first time, or one that is not remembered; counted either way. */
  #miss(key: FlagKey, context: EvaluationContext, met: Met | undefined): Outcome {
    if (this.#read(key) !== undefined) {
      const outcome = this.decide(key, context, met);
      return outcome === MALFORMED_FLAG ? FIRST_MALFORMED : outcome;
    }
    let flag = this.#unknown;
    let outcome = FIRST_MISS;
    if (this.#unknownKeys >= UNKNOWN_KEYS_MAX) outcome = UNKNOWN_FLAG;
    else if (typeof key === "string" && key.length <= 128) {
      flag = this.#withSlot(new CompiledFlag(UNKNOWN_PROGRAM, []));
      this.#flags.set(key, flag);
      this.#unknownKeys++;
    }
    this.#counts[flag.slot] = (this.#counts[flag.slot] as number) + 1;
    return outcome;
  }

  /** The compiled flag of a key; compiles it at the first question, which takes microseconds. */
  #read(key: FlagKey): CompiledFlag | undefined {
    const definition = this.#unread.get(key);
    if (definition !== undefined) this.#setFlag(key, definition);
    return this.#flags.get(key);
  }

  #withSlot(flag: CompiledFlag): CompiledFlag {
    if (this.#slots + slotsOf(flag) > this.#counts.length) this.#repackCounts(slotsOf(flag));
    flag.slot = this.#slots;
    this.#slots += slotsOf(flag);
    return flag;
  }

  /** Closes the gaps that replaced flags left, and doubles the counters if there is still no room for `more`. */
  #repackCounts(more: number): void {
    const flags = [...this.#flags.values()];
    const needed = flags.reduce((sum, flag) => sum + slotsOf(flag), slotsOf(this.#unknown) + more);
    const counts = new Uint32Array(needed > this.#counts.length / 2 ? this.#counts.length * 2 + more : this.#counts.length);
    this.#slots = 0;
    for (const flag of [this.#unknown, ...flags]) {
      counts.set(this.#counts.subarray(flag.slot, flag.slot + slotsOf(flag)), this.#slots);
      flag.slot = this.#slots;
      this.#slots += slotsOf(flag);
    }
    this.#counts = counts;
  }

  /** Room for so many more, now: making it while somebody waits for a first answer would take milliseconds. */
  #reserveCounts(more: number): void {
    if (more === 0) return;
    const counts = new Uint32Array(this.#counts.length + more);
    counts.set(this.#counts);
    this.#counts = counts;
  }

  #carry(key: FlagKey, flag: CompiledFlag): void {
    for (let slot = 0; slot <= flag.program.variants.length; slot++) {
      const count = this.#counts[flag.slot + slot];
      if (count === undefined || count === 0) continue;
      const variant = slot === 0 ? undefined : flag.program.variants[slot - 1];
      const name = JSON.stringify([key, variant]);
      const carried = this.#carried.get(name)?.count ?? 0;
      this.#carried.set(name, { flag: key, ...(variant === undefined ? {} : { variant }), count: carried + count });
      this.#counts[flag.slot + slot] = 0;
    }
  }

  #setFlag(key: FlagKey, definition: unknown, shared?: Map<string, Program>): void {
    const { flag, defect } = this.#compileFlag(definition, shared);
    const before = this.#removeFlag(key);
    if (before !== undefined && before.program.variants.length === flag.program.variants.length) flag.slot = before.slot;
    else this.#withSlot(flag);
    this.#flags.set(key, flag);
    if (defect !== undefined) this.#ownDefects.set(key, defect);
    const { refs } = flag.program;
    if (refs.flags.size + refs.segments.size + refs.spaces.size > 0) this.#linked.set(key, flag);
    const ref = this.#flagRefs.get(key);
    if (ref !== undefined) ref.flag = flag;
  }

  /** Takes the flag out of force; answers the flag (or remembered miss) that was there, its counts carried over. */
  #removeFlag(key: FlagKey): CompiledFlag | undefined {
    this.#unread.delete(key);
    const before = this.#flags.get(key);
    if (before === undefined) return undefined;
    this.#carry(key, before);
    this.#flags.delete(key);
    if (before.program === UNKNOWN_PROGRAM) this.#unknownKeys--;
    this.#ownDefects.delete(key);
    this.#linked.delete(key);
    const ref = this.#flagRefs.get(key);
    if (ref !== undefined) ref.flag = undefined;
    return before;
  }

  #compileFlag(definition: unknown, shared?: Map<string, Program>): { flag: CompiledFlag; defect?: Defect } {
    const text = shared && tryRead(() => sharedProgramText(definition));
    const known = text === undefined ? undefined : shared?.get(text);
    if (known !== undefined) return { flag: new CompiledFlag(known, saltsOf(definition)) };
    const defects = new Defects();
    const read = tryRead(() => readFlag(definition, this.#surroundings, defects));
    if (read === undefined) {
      const flag = new CompiledFlag(MALFORMED_PROGRAM, []);
      return { flag, defect: defects.list[0] ?? { code: "invalid_field", field: "", reason: "it could not be read" } };
    }
    if (text !== undefined) shared?.set(text, read.program);
    return { flag: new CompiledFlag(read.program, read.salts) };
  }

  get #surroundings(): Surroundings {
    return {
      flag: (key) => held(this.#flagRefs, key, () => ({ key, flag: this.find(key), tick: 0, outcome: undefined })),
      segment: (key) =>
        held(this.#segments, key, () => ({ key, state: "absent", node: undefined, refs: NO_REFS, tick: 0, matches: false })),
      space: (id) => held(this.#spaces, id, () => ({ id, definition: undefined, state: undefined })),
      pattern: this.#options.regex,
      legacyHashes: this.#options.legacyHashes,
    };
  }

  #setSegment(key: string, condition: Condition | null): void {
    const ref = this.#surroundings.segment(key);
    const defects = new Defects();
    const reading = new Reading(this.#surroundings, defects, []);
    ref.node = condition === null ? undefined : readCondition(condition, "", reading);
    ref.refs = { flags: reading.flags, segments: reading.segments, spaces: reading.spaces };
    ref.state = condition === null ? "absent" : ref.node === undefined ? "malformed" : "fine";
    ref.tick = 0;
  }

  #setSpace(id: string, space: Space | undefined): void {
    const shared = this.#surroundings.space(id);
    shared.definition = space !== undefined && isSpace(space, id, new Defects()) ? space : undefined;
    shared.state = shared.definition === undefined ? undefined : new SpaceState(shared.definition.salt);
  }

  #link(): void {
    const members = this.#members();
    this.#linkDefects = members.length === 0 ? new Map() : link(members);
    for (const [key, flag] of this.#linked) {
      flag.gate = this.#linkDefects.has(`flag/${key}`) ? MALFORMED_FLAG : flag.program.constant;
    }
  }

  #members(): Linkable[] {
    const members: Linkable[] = [];
    for (const [key, flag] of this.#linked) members.push({ kind: "flag", key, refs: flag.program.refs });
    for (const ref of this.#segments.values()) {
      if (ref.state !== "absent")
        members.push({ kind: "segment", key: ref.key, refs: ref.state === "fine" ? ref.refs : undefined });
    }
    return members;
  }

  /** The changed flags, and those that ask for something changed, directly or through others. */
  #affected(change: SnapshotChange): FlagKey[] {
    const touched = new Set([
      ...Object.keys(change.flags).map((key) => `flag/${key}`),
      ...Object.keys(change.segments).map((key) => `segment/${key}`),
      ...Object.keys(change.spaces).map((id) => `space/${id}`),
    ]);
    const members = this.#members();
    for (let grew = true; grew; ) {
      grew = false;
      for (const { kind, key, refs } of members) {
        if (refs === undefined || touched.has(`${kind}/${key}`) || !namesAny(refs, touched)) continue;
        touched.add(`${kind}/${key}`);
        grew = true;
      }
    }
    return [...touched].filter((id) => id.startsWith("flag/")).map((id) => id.slice("flag/".length));
  }
}

function namesAny(refs: Refs, touched: ReadonlySet<string>): boolean {
  for (const ref of refs.flags) if (touched.has(`flag/${ref.key}`)) return true;
  for (const ref of refs.segments) if (touched.has(`segment/${ref.key}`)) return true;
  for (const space of refs.spaces) if (touched.has(`space/${space.id}`)) return true;
  return false;
}

function held<T>(holders: Map<string, T>, name: string, make: () => T): T {
  const holder = holders.get(name) ?? make();
  holders.set(name, holder);
  return holder;
}

/** A definition that throws when it is looked at (too deep for the stack, a getter of a bootstrap object) is just not readable. */
function tryRead<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}

/** One counter for the caller's default, one for each variant. */
function slotsOf(flag: CompiledFlag): number {
  return flag.program.variants.length + 1;
}

/**
 * The counters of a definition that can wait until somebody asks for it; `undefined` where it must be compiled now: it
 * names others, so linking has to know it, or is soon compiled, or cannot be looked into.
 */
function slotsOfWaiting(definition: SnapshotFlag): number | undefined {
  if (isShort(definition) || namesOthers(definition)) return undefined;
  return Object.keys(definition.variants).length + 1;
}

/**
 * The definition with its own spaces' salts taken out (but not what they are, so that a malformed one has no
 * well-formed twin): flags with the same text share one program. Spaces that are no record at all have no twin either.
 */
function sharedProgramText(definition: unknown): string | undefined {
  if (!isRecord(definition) || !isShort(definition)) return undefined;
  const { spaces = {} } = definition;
  if (!isRecord(spaces)) return undefined;
  const saltless = Object.entries(spaces).map(([name, space]) => [
    name,
    isRecord(space) ? { ...space, salt: typeof space["salt"] } : space,
  ]);
  const text = JSON.stringify({ ...definition, spaces: saltless });
  return text.length <= SHARED_PROGRAM_TEXT_MAX ? text : undefined;
}

/** So few rules that compiling them costs no more than keeping them would. */
function isShort(definition: unknown): boolean {
  const rules = isRecord(definition) ? definition["rules"] : undefined;
  return Array.isArray(rules) && rules.length <= SHARED_PROGRAM_RULES_MAX;
}

/** Salts of a definition whose twin has been read, and so has well-formed spaces. */
function saltsOf(definition: unknown): string[] {
  const { spaces } = definition as { spaces?: Record<string, Space> };
  return Object.values(spaces ?? {}).map((space) => space.salt);
}
