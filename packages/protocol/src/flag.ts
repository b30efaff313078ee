import type { Json } from "./json.ts";
import type { AttributePath, FlagKey, Ppm, SegmentKey, SpaceId, VariantName } from "./names.ts";

/** Type of a flag's values; `object` holds any JSON object or list. */
export type FlagType = "boolean" | "string" | "number" | "object";

/** What a flag's owner says of it to applications, beside its value: a ticket, a team, the version of a schema. */
export interface FlagMetadata {
  readonly [name: string]: string | number | boolean;
}

/** Why a flag exists; it decides when the flag counts as overdue. */
export type FlagKind = "release" | "experiment" | "operational" | "permission";

/**
 * A line of 1,000,000 points on which every unit falls once, for ever:
 * `point = floor(murmur3_x86_32(utf8(salt + unit), 0) * 1_000_000 / 2^32)`.
 */
export interface Space {
  /** Text before the unit. Salts made by Belay are 8 characters of base32; imported ones may be any text. */
  readonly salt: string;
  /** What is the unit; `targetingKey` when absent. */
  readonly by?: AttributePath;
  /** Another product's bucketing, registered from `@belay/core/legacy-hashes`, so that migrating moves nobody. Absent: murmur3 as above. */
  readonly legacy?: LegacyHash;
}

/** How an imported space places a unit: `fn` over `text` gives an integer point of `points`. */
export interface LegacyHash {
  /** Name of a registered function, for example `sha1` or `fnv1a`. */
  readonly fn: string;
  /** Number of points of the imported scale, for example 100 (whole percents) or 10,000. */
  readonly points: number;
  /** What is hashed: `{salt}` and `{unit}` are replaced, everything else stands for itself. */
  readonly text: string;
}

/** Half-open ranges `[from, to)` of a space, ascending and disjoint: does the unit's point lie in one of them? */
export interface Draw {
  readonly space: SpaceId;
  readonly in: readonly (readonly [from: Ppm, to: Ppm])[];
}

export type Operator =
  | "in"
  | "contains"
  | "startsWith"
  | "endsWith"
  | "matches"
  | "lt"
  | "lte"
  | "gt"
  | "gte"
  | "before"
  | "after"
  | "semverEq"
  | "semverLt"
  | "semverLte"
  | "semverGt"
  | "semverGte"
  | "exists"
  | "cidr";

/**
 * One question about one attribute. A missing attribute, or one of the wrong type, never matches; a list attribute
 * matches if any element does; nothing is coerced.
 *
 * `value` by operator: `in`, `contains`, `startsWith`, `endsWith`, `matches`, `cidr` take one value or a list (any of
 * them); the comparisons take one; `exists` takes `true` or `false`.
 */
export interface Test {
  readonly attribute: AttributePath;
  readonly op: Operator;
  readonly value: Json;
}

/** Does another flag serve this unit one of these variants? */
export interface FlagTest {
  readonly flag: FlagKey;
  readonly variants: readonly VariantName[];
}

export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | { readonly segment: SegmentKey }
  | { readonly draw: Draw }
  | FlagTest
  | Test;

/**
 * What a first exposure through a part is recorded for. `epoch` is the revision at which the allocation of this split
 * last changed: the server stamps it, and a unit is recorded once per epoch.
 */
export type Tracks = ({ readonly experiment: string } | { readonly release: string }) & {
  readonly epoch?: number;
  /** For exposures through this part. Stamped into what browsers hold, where it is the same for every unit; of no effect elsewhere. */
  readonly differs?: boolean;
};

/** One share of a split: it serves its variant to the units that all its draws hold. No draws: everybody. */
export interface Part {
  readonly variant: VariantName;
  readonly draws: readonly Draw[];
  readonly tracks?: Tracks;
}

/** What a rule gives. In a split the first part that holds the unit serves; where none does, the rule is passed over. */
export type Serve = { readonly variant: VariantName } | { readonly split: readonly Part[] };

export interface Rule {
  readonly id: string;
  readonly name?: string;
  /** Absent: everybody. */
  readonly when?: Condition;
  readonly serve: Serve;
}

/**
 * How a flag decides in one environment. Order: not enabled -> prerequisites -> rules -> fallthrough.
 * A disabled flag, or one whose prerequisite does not hold, serves `off`; an absent `off` or `fallthrough` is the
 * caller's own default.
 */
export interface Targeting {
  readonly enabled: boolean;
  readonly off?: VariantName;
  readonly prerequisites?: readonly FlagTest[];
  readonly rules: readonly Rule[];
  readonly fallthrough?: Serve;
}
