/** The flags, segments and spaces of a snapshot in force: compiles them, links them, takes changes, knows what is wrong. */
import type { Condition, FlagKey, Revision, SegmentKey, Snapshot, SnapshotChange, SnapshotFlag, Space } from "@belay/protocol";
import type { Counters } from "./counters.ts";
import { MALFORMED_FLAG, UNKNOWN_FLAG } from "./decide.ts";
import { type Defect, Defects } from "./defect.ts";
import type { LegacyHashFunction } from "./legacy-hash-function.ts";
import { type Linkable, link } from "./link.ts";
import { namesOthers } from "./names-used.ts";
import type { PatternCompiler } from "./operators.ts";
import {
  CompiledFlag,
  type FlagRef,
  LONG_WAY,
  type Outcome,
  type Program,
  type Refs,
  type SegmentRef,
  type SharedSpace,
  SpaceState,
  UNKNOWN_KEY,
  type Way,
} from "./program.ts";
import { isRecord, Reading, readCondition, type Surroundings } from "./read-condition.ts";
import { isSpace, readFlag } from "./read-flag.ts";
import type { Shortcuts } from "./shortcuts.ts";

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

/** What is made along with the definitions for those who decide by them. */
export interface Equipment {
  readonly shortcuts?: Shortcuts;
  readonly counters?: Counters;
}

/** Unknown keys remembered, so that the second question about one costs a single look-up; beyond, each is a miss. */
const UNKNOWN_KEYS_MAX = 1_000;
/** A longer text is no key that anybody uses. */
const KEY_LENGTH_MAX = 128;
/** Programs of longer definitions are not compared with others: few repeat, and writing and keeping the text costs. */
const SHARED_PROGRAM_RULES_MAX = 1;
const SHARED_PROGRAM_TEXT_MAX = 1_000;
const NO_REFS: Refs = { flags: new Set(), segments: new Set(), spaces: new Set() };

function programOf(gate: Outcome, way: Way): Program {
  return {
    type: "boolean",
    variants: [],
    constant: gate,
    way,
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

const UNKNOWN_PROGRAM = programOf(UNKNOWN_FLAG, UNKNOWN_KEY);
const MALFORMED_PROGRAM = programOf(MALFORMED_FLAG, LONG_WAY);

export class Definitions {
  readonly project: string;
  readonly environment: string;
  /** What has been compiled, and the unknown keys that are remembered: the hot path looks here, and nowhere else. */
  readonly flags: Map<FlagKey, CompiledFlag> = new Map();
  /** Stands for every key that nothing is known of. */
  readonly unknown: CompiledFlag = new CompiledFlag(UNKNOWN_PROGRAM, []);
  #revision: Revision;
  readonly #options: CompileOptions;
  readonly #equipment: Equipment;
  /** Definitions nobody has asked for yet. A key is here or in `flags`: the hot path looks there alone, and misses once. */
  readonly #unread = new Map<FlagKey, SnapshotFlag>();
  #unknownKeys = 0;
  readonly #flagRefs = new Map<FlagKey, FlagRef>();
  readonly #segments = new Map<string, SegmentRef>();
  readonly #spaces = new Map<string, SharedSpace>();
  /** Flags that name others: the only ones that take part in linking. */
  readonly #linked = new Map<FlagKey, CompiledFlag>();
  readonly #ownDefects = new Map<FlagKey, Defect>();
  #linkDefects: ReadonlyMap<string, Defect> = new Map();

  constructor(snapshot: Snapshot, options: CompileOptions, equipment: Equipment) {
    this.project = snapshot.project;
    this.environment = snapshot.environment;
    this.#revision = snapshot.revision;
    this.#options = options;
    this.#equipment = equipment;
    equipment.counters?.place(this.unknown, []);
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
    for (const key of this.#flagRefs.keys()) this.read(key);
    equipment.counters?.reserve(slots);
    this.#link();
  }

  /** Revision of the snapshot in force. */
  get revision(): Revision {
    return this.#revision;
  }

  /** Number of flags, malformed ones included. */
  get size(): number {
    return this.flags.size - this.#unknownKeys + this.#unread.size;
  }

  has(key: FlagKey): boolean {
    return this.#unread.has(key) || this.find(key) !== undefined;
  }

  *keys(): IterableIterator<FlagKey> {
    for (const [key, flag] of this.flags) if (flag.program !== UNKNOWN_PROGRAM) yield key;
    yield* this.#unread.keys();
  }

  /** The compiled flag of a key, or the unknown key remembered; compiles it at the first question, which takes microseconds. */
  read(key: FlagKey): CompiledFlag | undefined {
    const definition = this.#unread.get(key);
    if (definition !== undefined) this.#setFlag(key, definition);
    return this.flags.get(key);
  }

  /** The compiled flag of a key. */
  find(key: FlagKey): CompiledFlag | undefined {
    const flag = this.read(key);
    return flag?.program === UNKNOWN_PROGRAM ? undefined : flag;
  }

  /** Remembers a key that no flag has; `undefined` where it cannot be, or enough are remembered. */
  rememberUnknown(key: unknown): CompiledFlag | undefined {
    if (this.#unknownKeys >= UNKNOWN_KEYS_MAX || typeof key !== "string" || key.length > KEY_LENGTH_MAX) return undefined;
    const flag = new CompiledFlag(UNKNOWN_PROGRAM, []);
    this.#place(flag);
    this.flags.set(key, flag);
    this.#unknownKeys++;
    return flag;
  }

  get remembersMore(): boolean {
    return this.#unknownKeys < UNKNOWN_KEYS_MAX;
  }

  /** The defect of one flag. */
  defect(key: FlagKey): Defect | undefined {
    this.read(key);
    return this.#ownDefects.get(key) ?? this.#linkDefects.get(`flag/${key}`);
  }

  /** Why a segment cannot be asked for: a name it uses is missing, or it stands in a cycle. */
  segmentDefect(key: SegmentKey): Defect | undefined {
    return this.#linkDefects.get(`segment/${key}`);
  }

  /** Every flag that answers `PARSE_ERROR`, with the first reason. Compiles all of them, which may take a second. */
  defects(): readonly FlagDefect[] {
    for (const key of [...this.#unread.keys()]) this.read(key);
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

  /** Evaluations are numbered anew: what was remembered at an equal number must not be taken for a later one's. */
  forgetTicks(): void {
    for (const ref of this.#flagRefs.values()) ref.tick = 0;
    for (const ref of this.#segments.values()) ref.tick = 0;
    for (const space of this.#spaces.values()) if (space.state !== undefined) space.state.tick = 0;
    for (const flag of this.flags.values()) {
      for (const space of flag.spaces ?? [flag]) space.tick = 0;
    }
  }

  #place(flag: CompiledFlag): void {
    this.#equipment.counters?.place(flag, [this.unknown, ...this.flags.values()]);
  }

  #setFlag(key: FlagKey, definition: unknown, shared?: Map<string, Program>): void {
    const { flag, defect } = this.#compileFlag(definition, shared);
    const before = this.#removeFlag(key);
    if (before !== undefined && before.program.variants.length === flag.program.variants.length) flag.slot = before.slot;
    else this.#place(flag);
    this.flags.set(key, flag);
    if (defect !== undefined) this.#ownDefects.set(key, defect);
    const { refs } = flag.program;
    if (refs.flags.size + refs.segments.size + refs.spaces.size > 0) this.#linked.set(key, flag);
    const ref = this.#flagRefs.get(key);
    if (ref !== undefined) ref.flag = flag;
  }

  /** Takes the flag out of force; answers the flag (or remembered miss) that was there, its counts carried over. */
  #removeFlag(key: FlagKey): CompiledFlag | undefined {
    this.#unread.delete(key);
    const before = this.flags.get(key);
    if (before === undefined) return undefined;
    this.#equipment.counters?.carry(key, before);
    this.flags.delete(key);
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
      shortcuts: this.#equipment.shortcuts,
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
