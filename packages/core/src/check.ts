/** Everything wrong with a definition before it is saved: what an SDK would isolate is refused here, with its way out. */
import type { Condition, FlagKey, FlagTest, SegmentKey, Serve, Snapshot, SnapshotFlag, SpaceId } from "@belay/protocol";
import { type Defect, Defects } from "./defect.ts";
import type { CompileOptions } from "./definitions.ts";
import { LIMITS } from "./limits.ts";
import { namesOthers, namesUsedByCondition, namesUsedByFlag } from "./names-used.ts";
import { Reading, readCondition } from "./read-condition.ts";
import { readFlag } from "./read-flag.ts";
import { compile, type Ruleset } from "./ruleset.ts";

/** The names a definition may use: the environment as it will be, the definition itself included. */
export type Among = Pick<Snapshot, "spaces" | "segments" | "flags">;

/** What is wrong with the flag `key` among the others; an empty list when it is fine. */
export function checkFlag(flag: SnapshotFlag, among: Among, key: FlagKey, options: CompileOptions = {}): Defect[] {
  const defects = new Defects();
  const bytes = sizeOf(flag);
  if (bytes !== undefined && bytes > LIMITS.flagBytes) {
    defects.add("limit_exceeded", "", {
      received: bytes,
      allowed: LIMITS.flagBytes,
      reason: `a flag holds at most ${LIMITS.flagBytes} bytes of JSON`,
    });
    return defects.list;
  }
  readFlag(flag, detached(among, options), defects);
  if (defects.list.length === 0 && bytes === undefined) defects.add("limit_exceeded", "", { reason: "it nests too deep" });
  if (defects.list.length > 0) return defects.list;
  checkRuleIds(flag, defects);
  new NameCheck(among, Object.keys(flag.spaces ?? {}), defects).flag(flag);
  // Linking finds fault with names alone.
  if (defects.list.length > 0 || !namesOthers(flag)) return defects.list;
  const defect = linked(among, { kind: "flag", name: key }, options).defect(key);
  return defect === undefined ? [] : [defect];
}

/** What is wrong with the segment `key` among the others; an empty list when it is fine. */
export function checkSegment(condition: Condition, among: Among, key: SegmentKey, options: CompileOptions = {}): Defect[] {
  const defects = new Defects();
  readCondition(condition, "condition", new Reading(detached(among, options), defects, []));
  if (defects.list.length > 0) return defects.list;
  new NameCheck(among, [], defects).condition(condition, "condition");
  if (defects.list.length > 0) return defects.list;
  const defect = linked(among, { kind: "segment", name: key }, options).segmentDefect(key);
  return defect === undefined ? [] : [defect];
}

/** Holders for reading one definition alone; spaces are there so that a draw knows what divides it. */
function detached(among: Among, options: CompileOptions): ConstructorParameters<typeof Reading>[0] {
  return {
    flag: (key) => ({ key, flag: undefined, tick: 0, outcome: undefined }),
    segment: (key) => ({
      key,
      state: "absent",
      node: undefined,
      refs: { flags: new Set(), segments: new Set(), spaces: new Set() },
      tick: 0,
      matches: false,
    }),
    space: (id) => ({ id, definition: Object.hasOwn(among.spaces, id) ? among.spaces[id] : undefined, state: undefined }),
    pattern: options.regex,
    legacyHashes: options.legacyHashes,
  };
}

function checkRuleIds(flag: SnapshotFlag, defects: Defects): void {
  const seen = new Set<string>();
  for (const [i, rule] of flag.rules.entries()) {
    if (seen.has(rule.id))
      defects.add("invalid_field", `rules[${i}].id`, { received: rule.id, reason: "another rule has this id" });
    seen.add(rule.id);
  }
}

/** Do the segments, spaces, flags and variants that a definition names exist? Each that does not is noted at its place. */
class NameCheck {
  readonly #among: Among;
  readonly #own: readonly SpaceId[];
  readonly #defects: Defects;

  constructor(among: Among, own: readonly SpaceId[], defects: Defects) {
    this.#among = among;
    this.#own = own;
    this.#defects = defects;
  }

  flag({ prerequisites = [], rules, fallthrough }: SnapshotFlag): void {
    for (const [i, test] of prerequisites.entries()) this.#flagTest(test, `prerequisites[${i}]`);
    for (const [i, { when, serve }] of rules.entries()) {
      if (when !== undefined) this.condition(when, `rules[${i}].when`);
      this.#serve(serve, `rules[${i}].serve`);
    }
    if (fallthrough !== undefined) this.#serve(fallthrough, "fallthrough");
  }

  condition(condition: Condition, field: string): void {
    if ("all" in condition) for (const [i, inner] of condition.all.entries()) this.condition(inner, `${field}.all[${i}]`);
    else if ("any" in condition) for (const [i, inner] of condition.any.entries()) this.condition(inner, `${field}.any[${i}]`);
    else if ("not" in condition) this.condition(condition.not, `${field}.not`);
    else if ("segment" in condition) this.#segment(condition.segment, `${field}.segment`);
    else if ("draw" in condition) this.#space(condition.draw.space, `${field}.draw.space`);
    else if ("flag" in condition) this.#flagTest(condition, field);
  }

  #serve(serve: Serve, field: string): void {
    if (!("split" in serve)) return;
    for (const [i, { draws }] of serve.split.entries()) {
      for (const [j, { space }] of draws.entries()) this.#space(space, `${field}.split[${i}].draws[${j}].space`);
    }
  }

  #segment(key: SegmentKey, field: string): void {
    if (!Object.hasOwn(this.#among.segments, key)) this.#defects.add("unknown_segment", field, { received: key });
  }

  #space(id: SpaceId, field: string): void {
    const { spaces } = this.#among;
    if (this.#own.includes(id) || Object.hasOwn(spaces, id)) return;
    this.#defects.add("unknown_space", field, { received: id, allowed: [...this.#own, ...Object.keys(spaces)] });
  }

  /** Variants that a test names must exist at the other flag, or the test could never hold. */
  #flagTest(test: FlagTest, field: string): void {
    const { flags } = this.#among;
    const other = Object.hasOwn(flags, test.flag) ? flags[test.flag] : undefined;
    if (other === undefined) {
      this.#defects.add("unknown_flag", `${field}.flag`, { received: test.flag });
      return;
    }
    // The other flag may be malformed, and then has no variants to serve.
    const allowed = Object.keys(other.variants ?? {});
    for (const [i, variant] of test.variants.entries()) {
      if (allowed.includes(variant)) continue;
      this.#defects.add("unknown_variant", `${field}.variants[${i}]`, { received: variant, allowed });
    }
  }
}

interface Start {
  readonly kind: "flag" | "segment";
  readonly name: string;
}

/** Cycles and chains show only in the whole: compile it, to ask what became of the definition. */
function linked(among: Among, start: Start, options: CompileOptions): Ruleset {
  return compile({ format: 1, project: "", environment: "", revision: 0, ...reachable(among, start) }, options);
}

/** Only what the definition can reach: checking one flag of 20,000 must not compile them all. */
function reachable(among: Among, start: Start): Among {
  const flags = new Set<string>();
  const segments = new Set<string>();
  const waiting = [start];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const seen = next.kind === "flag" ? flags : segments;
    if (seen.has(next.name)) continue;
    seen.add(next.name);
    const flag = next.kind === "flag" && Object.hasOwn(among.flags, next.name) ? among.flags[next.name] : undefined;
    const segment = next.kind === "segment" && Object.hasOwn(among.segments, next.name) ? among.segments[next.name] : undefined;
    const names = flag !== undefined ? namesUsedByFlag(flag) : segment !== undefined ? namesUsedByCondition(segment) : undefined;
    for (const name of names?.flags ?? []) waiting.push({ kind: "flag", name });
    for (const name of names?.segments ?? []) waiting.push({ kind: "segment", name });
  }
  return { spaces: among.spaces, segments: pick(among.segments, segments), flags: pick(among.flags, flags) };
}

function pick<T>(table: { readonly [name: string]: T }, names: ReadonlySet<string>): { readonly [name: string]: T } {
  const entries: [string, T][] = [];
  for (const name of names) if (Object.hasOwn(table, name)) entries.push([name, table[name] as T]);
  return Object.fromEntries(entries);
}

/** Bytes of the definition as JSON; `undefined` when it nests too deep to be written. */
function sizeOf(flag: SnapshotFlag): number | undefined {
  try {
    return utf8Length(JSON.stringify(flag));
  } catch {
    return undefined;
  }
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A pair is 2 units and 4 bytes, so each of its halves adds one.
    if (unit > 0x7f) bytes += unit < 0x800 || (unit & 0xf800) === 0xd800 ? 1 : 2;
  }
  return bytes;
}
