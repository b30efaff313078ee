import { applyToSnapshot } from "@belay/core";
import type { Condition, FlagKey, SegmentKey, Snapshot, SnapshotChange, SnapshotFlag, Space, Targeting } from "@belay/protocol";
import { LayeredMap } from "./layered-map.ts";
import { usesOfTargeting } from "./uses.ts";
import type { EnvironmentState, FlagDocument, Held, HoldoutDocument, LayerDocument, SegmentDocument } from "./workspace.ts";

type SnapshotHead = Pick<Snapshot, "project" | "environment" | "revision" | "spaces" | "segments">;

/**
 * A snapshot of which most changes need only a part. Its flags are a map, of which the next version costs what changed; the
 * object that goes over the wire is made when somebody asks for it.
 */
export class LiveSnapshot {
  readonly head: SnapshotHead;
  readonly flags: ReadonlyMap<FlagKey, SnapshotFlag>;
  #whole: Snapshot | undefined;

  constructor(head: SnapshotHead, flags: ReadonlyMap<FlagKey, SnapshotFlag>) {
    this.head = head;
    this.flags = flags;
  }

  /** All of it, as SDKs hold it; made once. */
  get whole(): Snapshot {
    this.#whole ??= { format: 1, ...this.head, flags: dictionary(this.flags) };
    return this.#whole;
  }

  /** The snapshot with these flags alone. */
  part(keys: Iterable<FlagKey>): Snapshot {
    const flags = [...keys].flatMap((key) => {
      const flag = this.flags.get(key);
      return flag === undefined ? [] : [[key, flag] as const];
    });
    return { format: 1, ...this.head, flags: dictionary(flags) };
  }
}

/** One that came from elsewhere. */
export function liveSnapshot({ format: _, flags, ...head }: Snapshot): LiveSnapshot {
  return new LiveSnapshot(head, new Map(Object.entries(flags)));
}

/** The snapshot that a change makes of the one it starts from, as `applyToSnapshot` has it, at the price of the change. */
export function snapshotAfter(before: LiveSnapshot, { flags: changed, ...change }: SnapshotChange): LiveSnapshot {
  const { format: _, flags: __, ...head } = applyToSnapshot(before.part([]), { ...change, flags: {} });
  const flags = LayeredMap.copy(before.flags);
  for (const [key, flag] of Object.entries(changed)) flags.put(key, flag ?? undefined);
  return new LiveSnapshot(head, flags);
}

/** What makes an environment's snapshot. */
export interface SnapshotSources extends Pick<EnvironmentState, "key" | "revision" | "targetings"> {
  readonly flags: ReadonlyMap<FlagKey, Held<FlagDocument>>;
  readonly segments: ReadonlyMap<SegmentKey, Held<SegmentDocument>>;
  readonly layers: ReadonlyMap<string, Held<LayerDocument>>;
  readonly holdouts: ReadonlyMap<string, Held<HoldoutDocument>>;
}

/** What may differ from the snapshot before. */
export interface Touched {
  readonly flags: ReadonlySet<FlagKey>;
  readonly segments: boolean;
  readonly spaces: boolean;
}

/**
 * An environment's snapshot. Flags that were not touched are taken over from `before` as the same objects, so that a
 * change costs what it changes and a diff can compare by identity; without `touched` all of it is made anew.
 */
export function renderSnapshot(project: string, sources: SnapshotSources, before: LiveSnapshot, touched?: Touched): LiveSnapshot {
  const { key: environment, revision } = sources;
  const segments = touched?.segments === false ? before.head.segments : renderSegments(sources);
  const spaces = touched?.spaces === false ? before.head.spaces : renderSpaces(sources);
  const head = { project, environment, revision, spaces, segments };
  const flags = LayeredMap.copy(touched === undefined ? new Map<FlagKey, SnapshotFlag>() : before.flags);
  for (const key of touched?.flags ?? sources.flags.keys()) {
    flags.put(key, renderFlag(sources.flags.get(key)?.body, sources.targetings.get(key)?.body));
  }
  return new LiveSnapshot(head, flags);
}

/** The flag as an SDK needs it, or `undefined` where SDKs must not know it. */
function renderFlag(flag: FlagDocument | undefined, targeting: Targeting | undefined): SnapshotFlag | undefined {
  if (flag === undefined || targeting === undefined || flag.archived) return undefined;
  const spaces = usedSpaces(flag, targeting);
  const { type, variants, metadata } = flag;
  return {
    type,
    variants,
    ...(spaces === undefined ? {} : { spaces }),
    ...(metadata === undefined ? {} : { metadata }),
    ...targeting,
  };
}

function renderSegments({ segments }: SnapshotSources): Snapshot["segments"] {
  return dictionary<Condition>([...segments].map(([key, { body }]) => [key, body.when]));
}

/** Spaces that flags share, under the names their draws use. One that no draw names costs some forty bytes. */
function renderSpaces({ layers, holdouts }: SnapshotSources): Snapshot["spaces"] {
  return dictionary<Space>([
    ...[...layers].map(([key, { body }]) => [`layer/${key}`, body.space] as const),
    ...[...holdouts].map(([key, { body }]) => [`holdout/${key}`, body.space] as const),
  ]);
}

/** Those of the flag's spaces that its draws name; others would only cost bytes. */
function usedSpaces(flag: FlagDocument, targeting: Targeting): { [name: string]: Space } | undefined {
  const uses = usesOfTargeting(targeting).filter(({ kind }) => kind === "space");
  const used = Object.entries(flag.spaces).filter(([space]) => uses.some(({ name }) => name === space));
  return used.length === 0 ? undefined : Object.fromEntries(used);
}

// Names that JavaScript finds special (`__proto__`, `constructor`) are ordinary keys: no prototype to find them on.
function dictionary<T>(entries: Iterable<readonly [string, T]>): { [key: string]: T } {
  const made = Object.create(null) as { [key: string]: T };
  for (const [key, value] of entries) made[key] = value;
  return made;
}
