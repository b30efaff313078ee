import type { Condition, FlagMetadata, FlagType, Space, Targeting } from "./flag.ts";
import type { Json } from "./json.ts";
import type { FlagKey, Revision, SegmentKey, SpaceId, VariantName } from "./names.ts";

/** One flag as an SDK needs it: its type, its values, its own spaces and how it decides. No descriptions, owners or e-mails. */
export interface SnapshotFlag extends Targeting {
  readonly type: FlagType;
  readonly variants: { readonly [name: VariantName]: Json };
  /** The flag's own spaces by short name, conventionally `share` and `split`; only those its draws use. */
  readonly spaces?: { readonly [name: SpaceId]: Space };
  /** Told with every answer; decides nothing. */
  readonly metadata?: FlagMetadata;
}

/** Everything one environment's decisions need and nothing else. */
export interface Snapshot {
  readonly format: 1;
  readonly project: string;
  readonly environment: string;
  readonly revision: Revision;
  /** Spaces that several flags share: layers and holdouts. */
  readonly spaces: { readonly [id: SpaceId]: Space };
  readonly segments: { readonly [key: SegmentKey]: Condition };
  readonly flags: { readonly [key: FlagKey]: SnapshotFlag };
}

/**
 * What turns the snapshot at revision `from` into the one at `revision`: spaces, segments and flags that differ, whole;
 * `null` says that the name is gone. A holder at another revision than `from` must fetch the whole snapshot.
 */
export interface SnapshotChange {
  readonly format: 1;
  readonly project: string;
  readonly environment: string;
  readonly from: Revision;
  readonly revision: Revision;
  readonly spaces: { readonly [id: SpaceId]: Space | null };
  readonly segments: { readonly [key: SegmentKey]: Condition | null };
  readonly flags: { readonly [key: FlagKey]: SnapshotFlag | null };
}
