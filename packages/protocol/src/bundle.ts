/** A project as one JSON document, what importing it would change, and a flag's way from one environment to another. */

import type { Flag, Reasoned, RuleDraft, ServeDraft } from "./api.ts";
import type { ExperimentDefinition, ExperimentKey } from "./experiment.ts";
import type { Condition, FlagTest, Space, Targeting } from "./flag.ts";
import type { Json } from "./json.ts";
import type { MetricDefinition, MetricKey } from "./metric.ts";
import type { FlagKey, Ppm, Revision, SegmentKey, VariantName } from "./names.ts";
import type { Movement } from "./preview.ts";

/**
 * What decides and measures in a project: flags, layers and holdouts with their salts, segments, targetings, metrics and
 * experiments as they are defined. No keys, tokens, revisions, results or history.
 */
export interface Bundle {
  readonly format: 1;
  readonly project: { readonly name: string; readonly privateAttributes: readonly string[] };
  readonly segments: { readonly [key: SegmentKey]: BundledSegment };
  readonly flags: { readonly [key: FlagKey]: BundledFlag };
  readonly environments: { readonly [key: string]: BundledEnvironment };
  readonly layers?: { readonly [key: string]: BundledLayer };
  readonly holdouts?: { readonly [key: string]: BundledHoldout };
  readonly metrics?: { readonly [key: MetricKey]: BundledMetric };
  /** Imported as drafts; one that has started here stays as it is. */
  readonly experiments?: { readonly [key: ExperimentKey]: ExperimentDefinition };
}

export interface BundledLayer {
  readonly description: string;
  readonly space: Space;
}

export interface BundledHoldout extends BundledLayer {
  readonly share: Ppm;
  readonly endedAt?: string;
}

export interface BundledMetric extends MetricDefinition {
  readonly archived: boolean;
}

export interface BundledSegment {
  readonly description: string;
  readonly when: Condition;
}

export type BundledFlag = Omit<Flag, "project" | "key" | "createdAt" | "stale" | "revision">;

export interface BundledEnvironment {
  readonly targetings: { readonly [flag: FlagKey]: BundledTargeting };
}

/** A targeting; weights are taken too, epochs are stamped anew. */
export interface BundledTargeting {
  readonly enabled: boolean;
  readonly off?: VariantName;
  readonly prerequisites?: readonly FlagTest[];
  readonly rules: readonly RuleDraft[];
  readonly fallthrough?: ServeDraft;
}

/** An import to look at first. */
export interface ImportRequest {
  readonly bundle: Bundle;
  /** Environments to import into; all of the bundle's when absent. The others stay as they are. */
  readonly environments?: readonly string[];
  /** Units of running experiments may change arms: new epochs begin. Refused otherwise. */
  readonly newEpoch?: boolean;
}

/** The same import made: `plan` is the hash that looking at it gave. */
export interface ImportDraft extends ImportRequest, Reasoned {
  readonly plan: string;
}

/** One definition that an import writes; `before` is absent where it is new. */
export interface PlannedChange {
  readonly kind: "project" | "flag" | "segment" | "targeting" | "layer" | "holdout" | "metric" | "experiment";
  readonly key: string;
  /** Of a targeting. */
  readonly environment?: string;
  readonly before?: Json;
  readonly after: Json;
}

/** What an import would change. Flags and segments that a bundle does not name stay. */
export interface ImportPlan {
  readonly project: string;
  /** Hash of `changes`: an import with it changes exactly this, or nothing. */
  readonly plan: string;
  readonly changes: readonly PlannedChange[];
}

export interface ImportResult extends ImportPlan {
  /** Revision of the project. */
  readonly revision: Revision;
}

/** How a flag would decide in an environment if it decided there as in another one. */
export interface Promotion {
  readonly project: string;
  readonly flag: FlagKey;
  readonly from: string;
  readonly to: string;
  readonly before: Targeting;
  readonly after: Targeting;
  /** Who would move in the environment it is promoted to. */
  readonly movement: Movement;
  /** Hash of `before` and `after`: a promotion with it makes exactly this change, or none. */
  readonly plan: string;
}

export interface PromotionDraft extends Reasoned {
  readonly from: string;
  readonly plan: string;
  readonly newEpoch?: boolean;
}
