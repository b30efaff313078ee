/** The past of an environment: its state at any revision, what differs between two, and the way back to one. */

import type { Reasoned } from "./api.ts";
import type { Condition, Space } from "./flag.ts";
import type { FlagKey, Revision } from "./names.ts";
import type { Snapshot, SnapshotFlag } from "./snapshot.ts";

/** An environment as SDKs held it at a revision. */
export interface PastState {
  readonly project: string;
  readonly environment: string;
  readonly revision: Revision;
  /** When the revision was made. */
  readonly at: string;
  /** Id of the change that made it. */
  readonly change: number;
  readonly snapshot: Snapshot;
}

/** A definition that differs; `before` is absent where it was not there yet, `after` where it is gone. */
export type Difference =
  | { readonly kind: "flag"; readonly key: FlagKey; readonly before?: SnapshotFlag; readonly after?: SnapshotFlag }
  | { readonly kind: "segment"; readonly key: string; readonly before?: Condition; readonly after?: Condition }
  | { readonly kind: "space"; readonly key: string; readonly before?: Space; readonly after?: Space };

export interface StateDiff {
  readonly project: string;
  readonly environment: string;
  readonly from: Revision;
  readonly to: Revision;
  readonly differences: readonly Difference[];
}

export interface RestoreDraft extends Reasoned {
  readonly revision: Revision;
  /** Only these; every flag that was live then when absent. */
  readonly flags?: readonly FlagKey[];
}

/** What a restore did. The revision rises, also where the content goes back. */
export interface RestoreResult {
  readonly project: string;
  readonly environment: string;
  readonly restoredFrom: Revision;
  /** Flags whose targeting was changed. */
  readonly restored: readonly FlagKey[];
  /** What all environments share and so stays as it is, where it differs from what was then. */
  readonly differs: readonly SharedDifference[];
  readonly revision: Revision;
}

export interface SharedDifference {
  readonly kind: "flag" | "segment";
  readonly key: string;
  /** What happened to it since the revision. */
  readonly since: "created" | "changed" | "archived" | "deleted";
}
