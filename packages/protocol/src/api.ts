/**
 * Requests and answers of `/api/v1`. Times are RFC 3339 text in UTC; percentages are numbers from 0 to 100 with at most
 * 4 decimals. `reason` is free text that goes into the audit log.
 */

import type { EvaluationContext } from "./context.ts";
import type { ErrorCode } from "./errors.ts";
import type { Condition, FlagKind, FlagMetadata, FlagTest, FlagType, Part, Rule, Space, Targeting, Tracks } from "./flag.ts";
import type { Json } from "./json.ts";
import type { FlagKey, Revision, SegmentKey, VariantName } from "./names.ts";
import type { Approval } from "./requests.ts";

/** One page of a list in stable order; `next` is the cursor of the page after it, absent on the last one. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

/** What every write may carry. */
export interface Reasoned {
  readonly reason?: string;
}

export interface Project {
  readonly key: string;
  readonly name: string;
  /** Attribute paths that never reach a browser: client-side flags may not read them. */
  readonly privateAttributes: readonly string[];
  readonly createdAt: string;
  /** Revision of the project at which this last changed. */
  readonly revision: Revision;
}

export interface ProjectCreation extends Reasoned {
  readonly key: string;
  readonly name?: string;
  readonly privateAttributes?: readonly string[];
  /** Keys of the first environments; `development`, `staging` and `production` when absent. */
  readonly environments?: readonly string[];
}

export interface Environment {
  readonly project: string;
  readonly key: string;
  readonly name: string;
  /** People other than its author whom an edit that may raise exposure needs; absent: none. */
  readonly approvalsRequired?: number;
  readonly createdAt: string;
  /** The environment's current revision. */
  readonly revision: Revision;
}

export interface EnvironmentCreation extends Reasoned {
  readonly key: string;
  readonly name?: string;
}

/** A flag as all environments of its project share it. */
export interface Flag {
  readonly project: string;
  readonly key: FlagKey;
  readonly type: FlagType;
  readonly variants: { readonly [name: VariantName]: Json };
  readonly description: string;
  readonly tags: readonly string[];
  readonly owner?: string;
  readonly kind: FlagKind;
  /** After that many days a `release` flag counts as overdue. */
  readonly expectedLifetimeDays?: number;
  /** May browsers see it? */
  readonly clientSide: boolean;
  /** Told to applications with every answer, to browsers too where they may see the flag. */
  readonly metadata?: FlagMetadata;
  /** Made once; never changed by an edit. */
  readonly spaces: { readonly share: Space; readonly split: Space };
  readonly archived: boolean;
  readonly createdAt: string;
  /** As last looked at, once an hour; absent: it is not stale. */
  readonly stale?: readonly StaleReason[];
  /** Revision of the project at which the flag last changed: its ETag. */
  readonly revision: Revision;
}

/**
 * Why a flag may have outlived its use: everybody gets one variant for long (`full`), no SDK decides it any more
 * (`unseen`), its expected lifetime is over (`overdue`), or it is archived and applications still ask (`asked-for`).
 */
export type StaleReasonCode = "full" | "unseen" | "overdue" | "asked-for";

export interface StaleReason {
  readonly code: StaleReasonCode;
  /** Of `full`. */
  readonly environment?: string;
  /** When that began; of `asked-for` the last day it was. */
  readonly since: string;
}

/** After how many days a flag counts as stale; 30 until it is set. */
export interface StaleRule extends Reasoned {
  readonly fullDays?: number;
  readonly unseenDays?: number;
}

export interface FlagCreation extends Reasoned {
  readonly key: FlagKey;
  /** `boolean` when absent. */
  readonly type?: FlagType;
  /** `{ "on": true, "off": false }` when absent, which only a boolean flag may leave out. */
  readonly variants?: { readonly [name: VariantName]: Json };
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly owner?: string;
  readonly kind?: FlagKind;
  readonly expectedLifetimeDays?: number;
  readonly clientSide?: boolean;
  readonly metadata?: FlagMetadata;
  /** Attribute that is the unit in this flag's spaces; `targetingKey` when absent. Fixed for the flag's life. */
  readonly by?: string;
}

/** Absent fields stay; `null` clears `owner` and `expectedLifetimeDays`, `{}` the `metadata`, which is replaced whole. Key and type never change, salts only by a reshuffle. */
export interface FlagEdit extends Reasoned {
  readonly variants?: { readonly [name: VariantName]: Json };
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly owner?: string | null;
  readonly kind?: FlagKind;
  readonly expectedLifetimeDays?: number | null;
  readonly clientSide?: boolean;
  readonly metadata?: FlagMetadata;
}

/** Draws anew who takes part in a flag (`share`), who gets what (`split`), or both, in all environments. */
export interface ReshuffleDraft extends Reasoned {
  /** Both when absent. */
  readonly spaces?: readonly ("share" | "split")[];
  /** Units of a running experiment may change arms: a new epoch of it begins. Refused otherwise. */
  readonly newEpoch?: boolean;
}

/** How a flag decides in one environment; `targeting` can be edited and sent back as it is. */
export interface FlagTargeting {
  readonly project: string;
  readonly environment: string;
  readonly flag: FlagKey;
  readonly targeting: Targeting;
  /** Where the reserved rule `rollout` stands; absent without such a rule. */
  readonly rollout?: RolloutState;
  /** Revision of the environment at which this targeting last changed: its ETag. */
  readonly revision: Revision;
}

export interface RolloutState {
  readonly percentage: number;
  readonly variant: VariantName;
}

/**
 * A split as people write it: percentages that sum to exactly 100. The server turns it into parts over the flag's `split`
 * space, in the order of the variants' names, inside `share` percent of its `share` space.
 */
export interface Weighted {
  readonly weights: { readonly [variant: VariantName]: number };
  /** Percentage of units that take part; everybody, and no share to raise, when absent. */
  readonly share?: number;
  readonly tracks?: Tracks;
}

export type ServeDraft = { readonly variant: VariantName } | { readonly split: readonly Part[] } | Weighted;

export interface RuleDraft extends Omit<Rule, "serve"> {
  readonly serve: ServeDraft;
}

/** A whole targeting as `PUT` takes it. `tracks.epoch` is stamped by the server, whatever is sent. */
export interface TargetingDraft extends Reasoned {
  readonly enabled: boolean;
  readonly off?: VariantName;
  readonly prerequisites?: readonly FlagTest[];
  readonly rules: readonly RuleDraft[];
  readonly fallthrough?: ServeDraft;
  /** Units of a running experiment may change arms: a new epoch of it begins. Refused otherwise. */
  readonly newEpoch?: boolean;
}

export interface RolloutDraft extends Reasoned {
  /** From 0 to 100, at most 4 decimals. */
  readonly percentage: number;
  /** What the share gets; a boolean flag's true variant, or the variant rolled out already, when absent. */
  readonly variant?: VariantName;
  /** Units of a running experiment may change arms: a new epoch of it begins. Refused otherwise, unless the share falls. */
  readonly newEpoch?: boolean;
}

/** What an emergency takes away. */
export interface Emergency extends Reasoned {
  /** The flag's rollout goes down to it, and all else stays; absent: the flag is switched off. */
  readonly percentage?: number;
}

/** What a rollout did. `from` is the percentage before. */
export interface RolloutResult {
  readonly project: string;
  readonly environment: string;
  readonly flag: FlagKey;
  readonly percentage: number;
  readonly from: number;
  readonly variant: VariantName;
  /** A disabled flag serves its `off` variant whatever the percentage. */
  readonly enabled: boolean;
  readonly revision: Revision;
}

/** One command for many flags, in one change. */
export interface BulkDraft<A extends string> extends Reasoned {
  readonly action: A;
  readonly flags: readonly FlagKey[];
}

export interface BulkResult {
  readonly project: string;
  /** In the order of the request. */
  readonly results: readonly BulkOutcome[];
  /** Revision of what was changed: the environment, or the project. */
  readonly revision: Revision;
}

/** `unchanged`: it was so already. `refused`: this flag was left as it is, for the reason an error of that code gives. */
export type BulkOutcome =
  | { readonly flag: FlagKey; readonly outcome: "changed" | "unchanged" }
  | { readonly flag: FlagKey; readonly outcome: "refused"; readonly code: ErrorCode; readonly users?: string };

export interface EnabledDraft extends Reasoned {
  readonly enabled: boolean;
}

export interface Segment {
  readonly project: string;
  readonly key: SegmentKey;
  readonly description: string;
  readonly when: Condition;
  readonly createdAt: string;
  /** Revision of the project at which the segment last changed: its ETag. */
  readonly revision: Revision;
}

export interface SegmentCreation extends Reasoned {
  readonly key: SegmentKey;
  readonly description?: string;
  readonly when: Condition;
}

export interface SegmentEdit extends Reasoned {
  readonly description?: string;
  readonly when: Condition;
}

/**
 * `server` reads the full snapshot; `client` only what browsers may see of it. `remote` is for pages whose flags have rules
 * that must not reach them: it reads no rules at all, and every flag's answer, one context at a time. `relay` is for another
 * Belay that stands nearer to the applications: it reads the rules and who may ask for them, and brings what others recorded.
 */
export type SdkKeyKind = "server" | "client" | "remote" | "relay";

export interface SdkKey {
  readonly id: string;
  readonly project: string;
  readonly environment: string;
  readonly kind: SdkKeyKind;
  readonly name: string;
  readonly createdAt: string;
  readonly revoked: boolean;
  /** After a rotation: the secret before works until then. */
  readonly previousUntil?: string;
  /** To the minute; absent: it was never seen used. */
  readonly lastUsedAt?: string;
}

/** A new secret for a key, beside the one of now. */
/** A new secret for an SDK key or an access token. */
export interface SecretRotation extends Reasoned {
  /** Hours that the secret of now goes on working; 24 when absent, 0 ends it at once. */
  readonly overlapHours?: number;
}

export interface SdkKeyCreation extends Reasoned {
  readonly environment: string;
  readonly kind: SdkKeyKind;
  readonly name?: string;
}

/** A key with its secret: shown once, stored as a hash. A repeated request with the same Idempotency-Key omits it. */
export interface SdkKeyCreated extends SdkKey {
  readonly secret?: string;
}

export type Role = "viewer" | "analyst" | "operator" | "editor" | "admin";

export interface Token {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  /** Absent: every project. */
  readonly projects?: readonly string[];
  /** Absent: every environment of those projects. */
  readonly environments?: readonly string[];
  /** The OIDC provider of the person it stands for, who signs in there; absent: who has the secret. */
  readonly issuer?: string;
  readonly createdAt: string;
  /** Absent: never. */
  readonly expiresAt?: string;
  readonly revoked: boolean;
  /** The secret before the last rotation works until then. */
  readonly previousUntil?: string;
  /** To the minute; absent: it was never seen used. */
  readonly lastUsedAt?: string;
}

export interface TokenCreation extends Reasoned {
  readonly name: string;
  readonly role: Role;
  readonly projects?: readonly string[];
  readonly environments?: readonly string[];
  readonly expiresAt?: string;
}

/** A token with its secret: shown once, stored as a hash. */
export interface TokenCreated extends Token {
  readonly secret?: string;
}

/** Who calls, and what they may do. */
export interface Session {
  /** Id and name of the token, as audit rows have them. */
  readonly actor: { readonly id: string; readonly name: string };
  /** The roles they may act in, least first. */
  readonly roles: readonly Role[];
  /** Absent: every project. */
  readonly projects?: readonly string[];
  /** Absent: every environment of those projects. */
  readonly environments?: readonly string[];
  /** When the browser must sign in again at the latest; absent: it was no session that asked. */
  readonly endsAt?: string;
}

/** One audited edit. */
export interface Change {
  readonly id: number;
  readonly project?: string;
  readonly environment?: string;
  /** Revision it made in its environment, or in its project where it concerns all of them. */
  readonly revision: Revision;
  /** Revisions it made in environments. */
  readonly raised: { readonly [environment: string]: Revision };
  readonly at: string;
  readonly actor: { readonly id: string; readonly name: string };
  readonly reason?: string;
  readonly requestId: string;
  /** For example `rollout.set`, `flag.create`. */
  readonly action: string;
  readonly target: { readonly kind: string; readonly key: string };
  /** The thing as it was; absent when the change made it. */
  readonly before?: Json;
  /** The thing as it is since; absent when the change removed it. */
  readonly after?: Json;
  /** Who approved it, where that was asked for. */
  readonly approvals?: readonly Approval[];
}

/** One running SDK and the revision it said it decides with. */
export interface Instance {
  readonly instance: string;
  readonly sdk: string;
  readonly environment: string;
  readonly revision: Revision;
  readonly seenAt: string;
  /** Relays its receipts come by, the one it speaks to first; absent: it speaks to a server itself. */
  readonly via?: readonly string[];
}

/** Asks about now, or about what was: at a revision or at a time. */
export interface ExplainRequest {
  readonly flag: FlagKey;
  readonly context: EvaluationContext;
  readonly revision?: Revision;
  /** RFC 3339; the last revision made until then. */
  readonly at?: string;
}
