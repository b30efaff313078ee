/** Everything wrong with a definition before it is saved: what an SDK would isolate is refused here, with its way out. */
import type { Condition, FlagKey, FlagTest, SegmentKey, Snapshot, SnapshotFlag } from "@belay/protocol";
import { type Defect, Defects } from "./defect.ts";
import { LIMITS } from "./limits.ts";
import { namesUsedByCondition, namesUsedByFlag } from "./names-used.ts";
import { Reading, readCondition } from "./read-condition.ts";
import { readFlag } from "./read-flag.ts";
import { type CompileOptions, compile } from "./ruleset.ts";

/** The names a definition may use: the environment as it will be, the definition itself included. */
export type Among = Pick<Snapshot, "spaces" | "segments" | "flags">;

/** What is wrong with the flag `key` among the others; an empty list when it is fine. */
export function checkFlag(flag: SnapshotFlag, among: Among, key: FlagKey, options: CompileOptions = {}): Defect[] {
  const defects = new Defects();
  const bytes = utf8Length(JSON.stringify(flag));
  if (bytes > LIMITS.flagBytes) {
    defects.add("limit_exceeded", "", {
      received: bytes,
      allowed: LIMITS.flagBytes,
      reason: `a flag holds at most ${LIMITS.flagBytes} bytes of JSON`,
    });
    return defects.list;
  }
  readFlag(flag, detached(among, options), defects);
  if (defects.list.length > 0) return defects.list;
  checkRuleIds(flag, defects);
  checkFlagTests(flag, among, defects);
  return defects.list.length > 0 ? defects.list : checkLinks(among, options, key);
}

/** What is wrong with the segment `key` among the others; an empty list when it is fine. */
export function checkSegment(condition: Condition, among: Among, key: SegmentKey, options: CompileOptions = {}): Defect[] {
  const defects = new Defects();
  readCondition(condition, "condition", new Reading(detached(among, options), defects, []));
  if (defects.list.length > 0) return defects.list;
  for (const name of namesUsedByCondition(condition).segments) {
    if (!Object.hasOwn(among.segments, name)) defects.add("unknown_segment", "condition.segment", { received: name });
  }
  if (defects.list.length > 0) return defects.list;
  // A cycle through this segment shows at the segment when it is asked for by a flag that is plain otherwise.
  const probe: SnapshotFlag = {
    type: "boolean",
    variants: { on: true },
    enabled: true,
    rules: [{ id: "probe", when: { segment: key }, serve: { variant: "on" } }],
  };
  return checkLinks({ ...among, flags: { ...among.flags, [PROBE]: probe } }, options, PROBE);
}

/** No flag of a project can have this key. */
const PROBE = " probe";

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

/** Variants that a test names must exist at the other flag, or the test could never hold. */
function checkFlagTests(flag: SnapshotFlag, among: Among, defects: Defects): void {
  for (const [i, test] of (flag.prerequisites ?? []).entries()) checkFlagTest(test, `prerequisites[${i}]`, among, defects);
  for (const [i, rule] of flag.rules.entries()) {
    if (rule.when !== undefined) checkTestsIn(rule.when, `rules[${i}].when`, among, defects);
  }
  const used = namesUsedByFlag(flag);
  for (const name of used.segments)
    if (!Object.hasOwn(among.segments, name)) defects.add("unknown_segment", "segment", { received: name });
  for (const id of used.spaces)
    if (!Object.hasOwn(among.spaces, id)) defects.add("unknown_space", "draw.space", { received: id });
}

function checkTestsIn(condition: Condition, field: string, among: Among, defects: Defects): void {
  if ("all" in condition)
    for (const [i, inner] of condition.all.entries()) checkTestsIn(inner, `${field}.all[${i}]`, among, defects);
  else if ("any" in condition)
    for (const [i, inner] of condition.any.entries()) checkTestsIn(inner, `${field}.any[${i}]`, among, defects);
  else if ("not" in condition) checkTestsIn(condition.not, `${field}.not`, among, defects);
  else if ("flag" in condition) checkFlagTest(condition, field, among, defects);
}

function checkFlagTest(test: FlagTest, field: string, among: Among, defects: Defects): void {
  const other = Object.hasOwn(among.flags, test.flag) ? among.flags[test.flag] : undefined;
  if (other === undefined) {
    defects.add("unknown_flag", `${field}.flag`, { received: test.flag });
    return;
  }
  for (const [i, variant] of test.variants.entries()) {
    if (!Object.hasOwn(other.variants, variant)) {
      defects.add("unknown_variant", `${field}.variants[${i}]`, { received: variant, allowed: Object.keys(other.variants) });
    }
  }
}

/** Cycles and chains show only in the whole: compile it and ask what became of the flag. */
function checkLinks(among: Among, options: CompileOptions, key: FlagKey): Defect[] {
  const ruleset = compile({ format: 1, project: "", environment: "", revision: 0, ...reachable(among, key) }, options);
  const defect = ruleset.defect(key);
  return defect === undefined ? [] : [defect];
}

/** Only what the flag can reach: checking one flag of 20,000 must not compile them all. */
function reachable(among: Among, key: FlagKey): Among {
  const flags = new Set<string>();
  const segments = new Set<string>();
  const waiting: { readonly kind: "flag" | "segment"; readonly name: string }[] = [{ kind: "flag", name: key }];
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

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A pair is 2 units and 4 bytes, so each of its halves adds one.
    if (unit > 0x7f) bytes += unit < 0x800 || (unit & 0xf800) === 0xd800 ? 1 : 2;
  }
  return bytes;
}
