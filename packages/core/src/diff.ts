/** Changes between two snapshots of one environment. */
import type { Json, Snapshot, SnapshotChange } from "@belay/protocol";
import { namesUsedByCondition, namesUsedByFlag } from "./names-used.ts";
import { isSameJson } from "./same-json.ts";

type Table<T> = { readonly [name: string]: T };

/**
 * What turns `before` into `after`: each space, segment and flag that differs, whole; `null` for one that is gone.
 * A flag or segment that draws on a changed shared space comes along, because it was compiled for the old one.
 */
export function diffSnapshots(before: Snapshot, after: Snapshot): SnapshotChange {
  const spaces = diffTable(before.spaces, after.spaces);
  const respaced = Object.keys(spaces);
  const isRespaced = (names: () => { readonly spaces: ReadonlySet<string> }): boolean =>
    respaced.length > 0 && respaced.some((id) => names().spaces.has(id));
  return {
    format: 1,
    project: after.project,
    environment: after.environment,
    from: before.revision,
    revision: after.revision,
    spaces,
    segments: diffTable(before.segments, after.segments, (segment) => isRespaced(() => namesUsedByCondition(segment))),
    flags: diffTable(before.flags, after.flags, (flag) => isRespaced(() => namesUsedByFlag(flag))),
  };
}

/** The snapshot that a change makes of the one it starts from. */
export function applyToSnapshot(snapshot: Snapshot, change: SnapshotChange): Snapshot {
  return {
    ...snapshot,
    revision: change.revision,
    spaces: applyToTable(snapshot.spaces, change.spaces),
    segments: applyToTable(snapshot.segments, change.segments),
    flags: applyToTable(snapshot.flags, change.flags),
  };
}

function diffTable<T extends object>(
  before: Table<T>,
  after: Table<T>,
  isTouched: (value: T) => boolean = () => false,
): Table<T | null> {
  const changed: [string, T | null][] = [];
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) changed.push([name, null]);
  for (const [name, value] of Object.entries(after)) {
    const earlier = Object.hasOwn(before, name) ? before[name] : undefined;
    if (earlier === undefined || (earlier !== value && !isEqual(earlier, value)) || isTouched(value)) changed.push([name, value]);
  }
  // fromEntries defines own properties, so that a flag called __proto__ is one.
  return Object.fromEntries(changed);
}

function applyToTable<T>(table: Table<T>, change: Table<T | null>): Table<T> {
  return Object.fromEntries(
    Object.entries<T | null>({ ...table, ...change }).filter((entry): entry is [string, T] => entry[1] !== null),
  );
}

function isEqual(a: object, b: object): boolean {
  return isSameJson(a as Json, b as Json);
}
