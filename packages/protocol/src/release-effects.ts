import type { MetricKey } from "./metric.ts";
import type { FlagKey } from "./names.ts";
import type { Stated, StatedEffect } from "./results.ts";

/** What a release did to a metric, measured against the units it kept out from its first day. */
export interface ReleaseHoldout {
  readonly metric: MetricKey;
  /** Percent of units kept out. */
  readonly percentage: number;
  /** When everybody else had it. */
  readonly from: string;
  readonly at: string;
  readonly lagMs: number;
  readonly whole: HoldoutPeriod;
  /** Each measured by itself: the units seen in it, and what they did from then on. */
  readonly periods: readonly HoldoutPeriod[];
  /** Of the absolute effect, over the periods that are over. */
  readonly decay: Stated<EffectDecay>;
}

/** What finished releases did to a metric, each measured against the units it kept out: of the flags of one tag, or of all. */
export interface KeptOutReport {
  readonly metric: MetricKey;
  readonly tag?: string;
  readonly at: string;
  readonly lagMs: number;
  /** Those that everybody got last come first. */
  readonly releases: readonly KeptOutRelease[];
  /** Further ones that the limit left out. */
  readonly more: number;
  /** Absolute effects added up, over the releases that could be measured. Those kept out of each are others. */
  readonly together: { readonly releases: number; readonly value: number; readonly standardError: number };
}

export interface KeptOutRelease extends Pick<ReleaseHoldout, "percentage" | "from" | "whole" | "decay"> {
  readonly release: string;
  readonly flag: FlagKey;
}

export interface HoldoutPeriod {
  readonly from: string;
  readonly to: string;
  readonly heldOut: number;
  readonly rest: number;
  /** Everybody else less those kept out, in the unit of the metric. */
  readonly absolute: Stated<StatedEffect>;
  /** As a share of those kept out. */
  readonly relative: Stated<StatedEffect>;
}

/** How an effect wears off: by a share a day, compounding. */
export interface EffectDecay {
  readonly initial: number;
  readonly latest: number;
  /** 0 lasts, negative grows. */
  readonly ratePerDay: number;
  /** An end that is absent is open. */
  readonly interval: { readonly low?: number; readonly high?: number; readonly level: number };
  /** Absent where nothing is lost. */
  readonly halfLifeDays?: number;
  /** Of "it lasts". */
  readonly pValue: number;
}

/** What else changes the same units while a release climbs, and whether the two change each other's effect. */
export interface ReleaseInterference {
  /** Most first. */
  readonly forecast: readonly ReleaseOverlap[];
  /** Where a metric was asked for. */
  readonly screen?: InterferenceScreen;
}

export interface ReleaseOverlap {
  readonly kind: "experiment" | "release";
  readonly key: string;
  readonly flag: FlagKey;
  /** Stage by stage, as the other one stands now. */
  readonly stages: readonly {
    readonly name: string;
    /** Percent of all units that are in both. */
    readonly percentage: number;
    /** Of this release's units. */
    readonly ofThis: number;
  }[];
}

export interface InterferenceScreen {
  readonly metric: MetricKey;
  readonly at: string;
  readonly lagMs: number;
  /** One for each treatment of the others; false discoveries are held at 5 % over all of them. */
  readonly pairs: readonly ReleaseInteraction[];
}

export interface ReleaseInteraction {
  readonly kind: "experiment" | "release";
  readonly key: string;
  readonly treatment: string;
  /** Of a release that ramps an experiment: which of its own treatments is meant. */
  readonly ownTreatment?: string;
  /** Units in both. */
  readonly units: number;
  /** Effect of this release with the other's treatment less that without, in the unit of the metric. */
  readonly effect: Stated<StatedEffect>;
  readonly adjustedP?: number;
  /** What could have been found with 80 % power. */
  readonly smallestDetectable?: number;
}
