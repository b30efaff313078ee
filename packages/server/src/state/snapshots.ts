import type { Condition, Draw, FlagKey, SegmentKey, Serve, Snapshot, SnapshotFlag, Space, Targeting } from "@belay/protocol";
import type { EnvironmentState, FlagDocument, Held, SegmentDocument } from "./workspace.ts";

/** What makes an environment's snapshot. */
export interface SnapshotSources extends Pick<EnvironmentState, "key" | "revision" | "targetings"> {
  readonly flags: ReadonlyMap<FlagKey, Held<FlagDocument>>;
  readonly segments: ReadonlyMap<SegmentKey, Held<SegmentDocument>>;
}

/** What may differ from the snapshot before: `undefined` means everything. */
export interface Touched {
  readonly flags: ReadonlySet<FlagKey>;
  readonly segments: boolean;
}

/**
 * An environment's snapshot. Flags that were not touched are taken over from `before` as the same objects, so that a
 * change costs what it changes and a diff can compare by identity.
 */
export function renderSnapshot(project: string, sources: SnapshotSources, before?: Snapshot, touched?: Touched): Snapshot {
  const fresh = before === undefined || touched === undefined;
  return {
    format: 1,
    project,
    environment: sources.key,
    revision: sources.revision,
    spaces: fresh ? dictionary() : before.spaces,
    segments: fresh || touched.segments ? renderSegments(sources) : before.segments,
    flags: fresh ? renderFlags(sources) : amendFlags(before.flags, sources, touched.flags),
  };
}

/** The flag as an SDK needs it, or `undefined` where SDKs must not know it. */
export function renderFlag(flag: FlagDocument, targeting: Targeting): SnapshotFlag | undefined {
  if (flag.archived) return undefined;
  const spaces = usedSpaces(flag, targeting);
  return { type: flag.type, variants: flag.variants, ...(spaces === undefined ? {} : { spaces }), ...targeting };
}

function renderFlags(sources: SnapshotSources): Snapshot["flags"] {
  return amendFlags(dictionary(), sources, sources.flags.keys());
}

function amendFlags(before: Snapshot["flags"], sources: SnapshotSources, touched: Iterable<FlagKey>): Snapshot["flags"] {
  const flags = Object.assign(dictionary<SnapshotFlag>(), before);
  for (const key of touched) {
    const flag = sources.flags.get(key);
    const targeting = sources.targetings.get(key);
    const rendered = flag === undefined || targeting === undefined ? undefined : renderFlag(flag.body, targeting.body);
    if (rendered === undefined) delete flags[key];
    else flags[key] = rendered;
  }
  return flags;
}

function renderSegments(sources: SnapshotSources): Snapshot["segments"] {
  const segments = dictionary<Condition>();
  for (const [key, segment] of sources.segments) segments[key] = segment.body.when;
  return segments;
}

/** Those of the flag's spaces that its draws name; others would only cost bytes. */
function usedSpaces(flag: FlagDocument, targeting: Targeting): { [name: string]: Space } | undefined {
  const named = new Set<string>();
  for (const draw of drawsOf(targeting)) named.add(draw.space);
  const used = Object.entries(flag.spaces).filter(([name]) => named.has(name));
  return used.length === 0 ? undefined : Object.fromEntries(used);
}

function* drawsOf({ rules, fallthrough }: Targeting): Generator<Draw> {
  for (const { when, serve } of rules) {
    if (when !== undefined) yield* drawsOfCondition(when);
    yield* drawsOfServe(serve);
  }
  if (fallthrough !== undefined) yield* drawsOfServe(fallthrough);
}

function* drawsOfServe(serve: Serve): Generator<Draw> {
  if ("split" in serve) for (const part of serve.split) yield* part.draws;
}

function* drawsOfCondition(condition: Condition): Generator<Draw> {
  if ("all" in condition) for (const inner of condition.all) yield* drawsOfCondition(inner);
  else if ("any" in condition) for (const inner of condition.any) yield* drawsOfCondition(inner);
  else if ("not" in condition) yield* drawsOfCondition(condition.not);
  else if ("draw" in condition) yield condition.draw;
}

// Names that JavaScript finds special (`__proto__`, `constructor`) are ordinary keys: no prototype to find them on.
const dictionary = <T>(): { [key: string]: T } => Object.create(null) as { [key: string]: T };
