import type { FlagKey, Part, Serve, Snapshot, SnapshotFlag } from "@belay/protocol";
import { differsForAll } from "./differs.ts";
import { namesUsedByCondition, namesUsedByFlag } from "./names-used.ts";
import type { CompiledServe, Outcome, Program } from "./program.ts";
import { compile } from "./ruleset.ts";

/**
 * The part of a snapshot that browsers may hold: the visible flags, and of segments and shared spaces only those that
 * they use. A prerequisite on a flag that is not visible leaves its user malformed there; the server refuses to save one.
 *
 * What is malformed in a browser is emptied: a page checks nothing again, and nothing of such a flag is told to it.
 */
export function clientSnapshot(snapshot: Snapshot, isVisible: (key: FlagKey) => boolean): Snapshot {
  const flags = Object.entries(snapshot.flags).filter(([key]) => isVisible(key));
  const spaces = new Set<string>();
  const segments = new Set<string>();
  const waiting = flags.map(([, flag]) => namesUsedByFlag(flag));
  for (let names = waiting.pop(); names !== undefined; names = waiting.pop()) {
    for (const id of names.spaces) spaces.add(id);
    for (const key of names.segments) {
      const segment = Object.hasOwn(snapshot.segments, key) ? snapshot.segments[key] : undefined;
      if (segment === undefined || segments.has(key)) continue;
      segments.add(key);
      waiting.push(namesUsedByCondition(segment));
    }
  }
  const visible = {
    ...snapshot,
    spaces: pick(snapshot.spaces, spaces),
    segments: pick(snapshot.segments, segments),
    flags: Object.fromEntries(flags),
  };
  const ruleset = compile(visible);
  const malformed = new Set(ruleset.defects().map(({ flag }) => flag));
  const render = ([key, flag]: [FlagKey, SnapshotFlag]): [FlagKey, SnapshotFlag] => {
    const program = ruleset.find(key)?.program;
    return [key, malformed.has(key) || program === undefined ? MALFORMED : stamped(flag, program)];
  };
  return { ...visible, flags: Object.fromEntries(flags.map(render)) };
}

/** The flag with what its exposures say of differing, where that holds for every unit: a page has no room to find out. */
function stamped(flag: SnapshotFlag, program: Program): SnapshotFlag {
  const inServe = <T extends Serve>(serve: T, compiled: CompiledServe | undefined): T => {
    if (!("split" in serve) || serve.split.every(({ tracks }) => tracks === undefined)) return serve;
    return { ...serve, split: serve.split.map((part, i) => stampedPart(part, compiled?.parts?.[i]?.outcome, program)) };
  };
  const rules = flag.rules.map((rule, i) => {
    const serve = inServe(rule.serve, program.rules[i]);
    return serve === rule.serve ? rule : { ...rule, serve };
  });
  const fallthrough = flag.fallthrough && inServe(flag.fallthrough, program.fallthrough);
  const isUntouched = fallthrough === flag.fallthrough && rules.every((rule, i) => rule === flag.rules[i]);
  return isUntouched ? flag : { ...flag, rules, ...(fallthrough === undefined ? {} : { fallthrough }) };
}

function stampedPart(part: Part, outcome: Outcome | undefined, program: Program): Part {
  const differs = part.tracks && outcome && differsForAll(program, outcome);
  return part.tracks === undefined || differs === undefined ? part : { ...part, tracks: { ...part.tracks, differs } };
}

/** No reader takes it for a flag: every SDK answers the caller's default with `PARSE_ERROR`. */
const MALFORMED = {} as SnapshotFlag;

function pick<T>(table: { readonly [name: string]: T }, names: ReadonlySet<string>): { readonly [name: string]: T } {
  return Object.fromEntries(Object.entries(table).filter(([name]) => names.has(name)));
}
