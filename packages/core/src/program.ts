/**
 * What a flag compiles to. Deciding only walks these nodes and compares integers; everything that can be looked up,
 * parsed or refused was so when the snapshot arrived.
 *
 *     CompiledFlag ── own spaces (salt state) ── one per flag, small
 *          └── Program ── prerequisites, rules, fallthrough ── shared by all flags that say the same
 *                 └── Outcome ── the constant a decision picks
 *
 * A flag is its salts plus a program. A thousand plain 50 % rollouts differ in nothing but salts, so they share one
 * program: that is what keeps a simple flag near 200 bytes.
 */
import type { EvaluationErrorCode, FlagMetadata, FlagType, Json, Reason, Space, Test, VariantName } from "@belay/protocol";
import type { AttributeReader } from "./attribute.ts";
import type { Cidr } from "./cidr.ts";
import type { LegacyHashFunction } from "./legacy-hash-function.ts";
import { type HashPrefix, hashPrefix } from "./murmur3.ts";
import type { Position } from "./placement.ts";
import type { Semver } from "./semver.ts";
import type { Tracked } from "./tracked.ts";

/** A constant made at compile time; deciding picks one. */
export interface Outcome {
  /** `undefined`: the caller's default. */
  readonly value: Json | undefined;
  readonly variant: VariantName | undefined;
  readonly reason: Reason;
  readonly ruleId: string | undefined;
  readonly errorCode: EvaluationErrorCode | undefined;
  /** What a first exposure is recorded for; `undefined` where nothing is. */
  readonly tracks: Tracked | undefined;
  /** The same outcome with nothing to record: what is answered to a unit whose exposure is known already. */
  readonly untracked: Outcome | undefined;
  /** Place in the flag's counters: 0 for the caller's default, otherwise the variant's index + 1. */
  readonly slot: number;
}

/** A salt, hashed. `tick` and `position` remember the unit's place within one evaluation. */
export class SpaceState implements HashPrefix {
  // Numbers from the start, and those of the hash side by side: V8 then knows that they are small integers, and most
  // questions find them in one line of the cache.
  readonly h: number = 0;
  readonly tailBytes: number = 0;
  readonly bytes: number = 0;
  readonly tail: number = 0;
  readonly salt: string;
  tick = 0;
  position: Position = 0;

  constructor(salt: string) {
    const prefix = hashPrefix(salt);
    this.salt = salt;
    this.h = prefix.h;
    this.tail = prefix.tail;
    this.tailBytes = prefix.tailBytes;
    this.bytes = prefix.bytes;
  }
}

/** A space that several flags share; its salt may arrive, change or go with a later change of the snapshot. */
export interface SharedSpace {
  readonly id: string;
  definition: Space | undefined;
  state: SpaceState | undefined;
}

/** One question "is the unit's point inside?" with its boundaries as positions. */
export interface CompiledDraw {
  readonly space: string;
  /** Index among the flag's own spaces; -1 when `shared` holds it. */
  readonly own: number;
  readonly shared: SharedSpace | undefined;
  readonly by: AttributeReader;
  readonly legacy: { readonly place: LegacyHashFunction; readonly points: number; readonly text: string } | undefined;
  /** The only range, or the hull of several. Empty: `from` above `last`. */
  readonly from: Position;
  readonly last: Position;
  /** Pairs [from, last] when there are several ranges. */
  readonly ranges: Int32Array | undefined;
  /** Another draw of the same evaluation may ask for this space: remember the position. */
  isReused: boolean;
  readonly inPpm: readonly (readonly [number, number])[];
}

/** What a split of one space gives by position: `outcomes[i]` up to and including `lasts[i]`; `undefined` passes over. */
export interface Line {
  /** Any of the line's draws: they agree on the space and the unit. */
  readonly draw: CompiledDraw;
  readonly lasts: readonly Position[];
  readonly outcomes: readonly (Outcome | undefined)[];
  /** The first of `lasts`. */
  readonly first: Position;
  /** There are no more than two outcomes. */
  readonly isOfTwo: boolean;
  /** Some outcome is exposed. */
  readonly isTracked: boolean;
  /** Seed of the one experiment or release that all its exposures are of; `undefined` where there are none, or several. */
  readonly subjectSeed: number | undefined;
}

/** A rule, or the fallthrough, of a flag that is decided without a scope: where all tests hold, an outcome or a line. */
export interface DirectStep {
  readonly tests: readonly CompiledTest[] | undefined;
  readonly outcome: Outcome | undefined;
  readonly line: Line | undefined;
}

export interface CompiledPart {
  readonly draws: readonly CompiledDraw[];
  readonly outcome: Outcome;
}

/** Exactly one of `outcome` (a plain variant) and `parts` (a split) is present. */
export interface CompiledServe {
  readonly outcome: Outcome | undefined;
  readonly parts: readonly CompiledPart[] | undefined;
  /** The same split as a line, where it is one of several parts: a single draw is asked directly. */
  readonly line: Line | undefined;
}

export interface CompiledRule extends CompiledServe {
  readonly id: string;
  readonly name: string | undefined;
  readonly when: Node | undefined;
}

/** A condition. All nodes have one shape, so the walk is a switch on a number and never a megamorphic call. */
export type Node =
  | { readonly kind: typeof TEST; readonly of: CompiledTest }
  | { readonly kind: typeof ALL; readonly of: readonly Node[] }
  | { readonly kind: typeof ANY; readonly of: readonly Node[] }
  | { readonly kind: typeof NOT; readonly of: Node }
  | { readonly kind: typeof SEGMENT; readonly of: SegmentRef }
  | { readonly kind: typeof DRAW; readonly of: CompiledDraw }
  | { readonly kind: typeof FLAG; readonly of: CompiledFlagTest };

export const TEST = 0;
export const ALL = 1;
export const ANY = 2;
export const NOT = 3;
export const SEGMENT = 4;
export const DRAW = 5;
export const FLAG = 6;

/** A compiled question about one attribute, and the reader of it in one object: a decision waits for one load less. */
export interface CompiledTest extends AttributeReader {
  /** The operator's number. */
  readonly operator: number;
  /** The rule's value in the form the operator asks it in. */
  readonly operand: Operand;
  readonly source: Test;
}

export type Scalar = string | number | boolean;

/** One number, text or boolean; a list of them; a long list as a set; a version; patterns; CIDR blocks. */
export type Operand = Scalar | readonly Scalar[] | ReadonlySet<unknown> | Semver | readonly Pattern[] | readonly Cidr[];

/** A compiled regular expression; `test` searches, it does not match the whole text. */
export interface Pattern {
  test(text: string): boolean;
}

export interface CompiledFlagTest {
  readonly ref: FlagRef;
  readonly variants: readonly VariantName[];
}

/** The one holder of a flag that others ask for: found once, filled again at each change. The memo lasts one evaluation. */
export interface FlagRef {
  readonly key: string;
  flag: CompiledFlag | undefined;
  tick: number;
  outcome: Outcome | undefined;
}

/** The one holder of a segment. A malformed one exists, but has no node. */
export interface SegmentRef {
  readonly key: string;
  state: "absent" | "malformed" | "fine";
  node: Node | undefined;
  /** Further segments and flags it asks for. */
  refs: Refs;
  tick: number;
  matches: boolean;
}

/** The names a definition depends on. */
export interface Refs {
  readonly flags: ReadonlySet<FlagRef>;
  readonly segments: ReadonlySet<SegmentRef>;
  readonly spaces: ReadonlySet<SharedSpace>;
}

/** The way on which `isEnabled` finds a flag's answer: see `way.ts`. */
export type Way = typeof LONG_WAY | typeof UNKNOWN_KEY | typeof BY_STEPS | typeof ON_BELOW | typeof ON_ABOVE;

/** By `decide`, which knows them all. */
export const LONG_WAY = 0;
/** No flag has the key: the default, and nothing to say of it any more. */
export const UNKNOWN_KEY = 1;
/** By the flag's steps, which record nothing. */
export const BY_STEPS = 2;
/** A plain rollout, on below its boundary and off above it. */
export const ON_BELOW = 4;
/** The other way round; the last bit tells the two apart. */
export const ON_ABOVE = 5;

export interface Program {
  readonly type: FlagType;
  readonly variants: readonly VariantName[];
  /** The answer whatever the context: a disabled flag, or one without rules whose fallthrough is plain. */
  readonly constant: Outcome | undefined;
  /** The answer by the unit's position alone: a flag without conditions that divides its one own space by `targetingKey`. */
  readonly line: Line | undefined;
  /** The same line where it is a plain rollout: one or two outcomes, none of them exposed. */
  readonly plainLine: Line | undefined;
  readonly way: Way;
  /** What `decideDirect` walks, where there is no `line` and it can decide the flag. */
  readonly steps: readonly DirectStep[] | undefined;
  readonly isEnabled: boolean;
  readonly off: Outcome;
  readonly prerequisites: readonly CompiledFlagTest[];
  readonly rules: readonly CompiledRule[];
  readonly fallthrough: CompiledServe | undefined;
  /** Nothing served: the caller's default. */
  readonly none: Outcome;
  /** Told with every answer. */
  readonly metadata: FlagMetadata | undefined;
  readonly refs: Refs;
}

/**
 * A flag in force, which is its own first space as well: most flags have one, and a second object for it would cost as much
 * memory as the flag, and a decision one more line of the cache to wait for.
 */
export class CompiledFlag extends SpaceState {
  readonly way: Way = LONG_WAY;
  /** Of a plain rollout: the last position below its boundary. */
  readonly first: Position = 0;
  /** Questions that `isEnabled` has answered by itself; it wraps at 32 bits. */
  asked = 0;
  /** How many of them were above the boundary. */
  above = 0;
  readonly program: Program;
  /** The answer without walking the program: its constant, or the fault that linking found. */
  gate: Outcome | undefined;
  /** First of the flag's counters. */
  slot = 0;
  /** All own spaces, the flag itself first, where there are several. */
  readonly spaces: readonly SpaceState[] | undefined;

  constructor(program: Program, [first = "", ...others]: readonly string[]) {
    super(first);
    this.way = program.way;
    this.first = program.plainLine?.first ?? 0;
    this.program = program;
    this.gate = program.constant;
    this.spaces = others.length > 0 ? [this, ...others.map((salt) => new SpaceState(salt))] : undefined;
  }
}
