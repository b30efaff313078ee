import type {
  Condition,
  FlagKey,
  FlagKind,
  FlagType,
  Json,
  Revision,
  Role,
  SdkKeyKind,
  SegmentKey,
  Space,
  Targeting,
  VariantName,
} from "@belay/protocol";
import type { LiveSnapshot } from "./snapshots.ts";

/**
 * The live state, as the documents of the change log add up to it. Immutable: a commit makes the next workspace, which
 * shares with the one before it all that did not change.
 */
export interface Workspace {
  readonly revision: Revision;
  readonly projects: ReadonlyMap<string, ProjectState>;
  readonly tokens: ReadonlyMap<string, Held<TokenDocument>>;
  /** SDK keys of all projects by their id, which is unique everywhere: one look-up finds the caller. */
  readonly sdkKeys: ReadonlyMap<string, PlacedSdkKey>;
}

/** A document with the revision of its stream at which it was last written: the ETag of what it describes. */
export interface Held<T> {
  readonly body: T;
  readonly revision: Revision;
}

export interface ProjectState {
  readonly key: string;
  readonly revision: Revision;
  readonly document: Held<ProjectDocument>;
  readonly flags: ReadonlyMap<FlagKey, Held<FlagDocument>>;
  readonly segments: ReadonlyMap<SegmentKey, Held<SegmentDocument>>;
  readonly environments: ReadonlyMap<string, EnvironmentState>;
}

export interface EnvironmentState {
  readonly key: string;
  readonly revision: Revision;
  readonly document: Held<EnvironmentDocument>;
  /** One for every flag of the project, archived ones included. */
  readonly targetings: ReadonlyMap<FlagKey, Held<Targeting>>;
  /** What servers' SDKs hold at this revision. */
  readonly snapshot: LiveSnapshot;
}

export interface ProjectDocument {
  readonly name: string;
  readonly privateAttributes: readonly string[];
  /** Days that events are kept; absent: the default of `retention/domain.ts`. */
  readonly retentionDays?: number;
  readonly createdAt: string;
}

export interface EnvironmentDocument {
  readonly name: string;
  readonly createdAt: string;
}

export interface FlagDocument {
  readonly type: FlagType;
  readonly variants: { readonly [name: VariantName]: Json };
  readonly description: string;
  readonly tags: readonly string[];
  readonly owner?: string;
  readonly kind: FlagKind;
  readonly expectedLifetimeDays?: number;
  readonly clientSide: boolean;
  readonly spaces: FlagSpaces;
  readonly archived: boolean;
  readonly createdAt: string;
}

/** `share` is the line a rollout climbs, `split` the one its variants divide. */
export interface FlagSpaces {
  readonly share: Space;
  readonly split: Space;
}

export interface SegmentDocument {
  readonly description: string;
  readonly when: Condition;
  readonly createdAt: string;
}

/** A secret is never kept: only its SHA-256, in hex. */
export interface SdkKeyDocument {
  readonly environment: string;
  readonly kind: SdkKeyKind;
  readonly name: string;
  readonly hash: string;
  readonly createdAt: string;
  readonly revoked: boolean;
}

export interface PlacedSdkKey {
  readonly id: string;
  readonly project: string;
  readonly document: SdkKeyDocument;
}

export interface TokenDocument {
  readonly name: string;
  readonly role: Role;
  readonly projects?: readonly string[];
  readonly environments?: readonly string[];
  readonly hash: string;
  readonly createdAt: string;
  readonly expiresAt?: string;
  readonly revoked: boolean;
}

/** What the documents of the change log hold, by kind. */
export interface Documents {
  readonly project: ProjectDocument;
  readonly environment: EnvironmentDocument;
  readonly flag: FlagDocument;
  readonly segment: SegmentDocument;
  readonly targeting: Targeting;
  readonly "sdk-key": SdkKeyDocument;
  readonly token: TokenDocument;
}

export type DocumentKind = keyof Documents;
