import type { FlagKey, Snapshot, SnapshotFlag } from "@belay/protocol";
import { namesUsedByCondition, namesUsedByFlag } from "./names-used.ts";
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
  const malformed = new Set(
    compile(visible)
      .defects()
      .map(({ flag }) => flag),
  );
  if (malformed.size === 0) return visible;
  return { ...visible, flags: Object.fromEntries(flags.map(([key, flag]) => [key, malformed.has(key) ? MALFORMED : flag])) };
}

/** No reader takes it for a flag: every SDK answers the caller's default with `PARSE_ERROR`. */
const MALFORMED = {} as SnapshotFlag;

function pick<T>(table: { readonly [name: string]: T }, names: ReadonlySet<string>): { readonly [name: string]: T } {
  return Object.fromEntries(Object.entries(table).filter(([name]) => names.has(name)));
}
