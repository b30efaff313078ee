/** Who would move: the question asked before an edit. Shares are percentages of all units that can be placed. */

import type { FlagEdit, ReshuffleDraft, RolloutDraft, TargetingDraft } from "./api.ts";
import type { Targeting } from "./flag.ts";
import type { FlagKey, Revision, VariantName } from "./names.ts";

/** An edit to look at before it is made. */
export type PreviewRequest =
  | { readonly targeting: TargetingDraft }
  | { readonly rollout: RolloutDraft }
  /** Of what all environments share, its variants above all. */
  | { readonly flag: FlagEdit }
  | { readonly reshuffle: ReshuffleDraft };

/** A percentage from 0 to 100 that lies between these; both are the same where it is known exactly. */
export interface ShareBounds {
  readonly min: number;
  readonly max: number;
}

/**
 * `exact`: computed from the ranges alone. `bounds`: it depends on how many units pass a test of an attribute, which
 * nobody knows here; the true share lies within the bounds whatever that number is.
 */
export type PreviewBasis = "exact" | "bounds";

/** Units that get `from` now and `to` after the edit; an absent variant is the caller's default. */
export interface VariantFlow {
  readonly from?: VariantName;
  readonly to?: VariantName;
  readonly share: ShareBounds;
}

/** Units that one part of a targeting serves, before and after, and those it serves after who change value. */
export interface RuleFlow {
  readonly place: "rule" | "fallthrough" | "off";
  readonly rule?: string;
  readonly before: ShareBounds;
  readonly after: ShareBounds;
  readonly changed: ShareBounds;
}

/** Units of a running experiment that would change arms: the edit needs `newEpoch` when there may be any. */
export interface ArmFlow {
  readonly experiment: string;
  readonly moved: ShareBounds;
}

/** Who an edit would move. */
export interface Movement {
  readonly basis: PreviewBasis;
  /** Up to so many percent of units were not followed, for the definitions are too many-branched; flows may be missing. */
  readonly unexplored?: number;
  /** Units whose value would change. */
  readonly changed: ShareBounds;
  readonly variants: readonly VariantFlow[];
  readonly rules: readonly RuleFlow[];
  readonly experiments: readonly ArmFlow[];
}

export interface Preview extends Movement {
  readonly project: string;
  readonly environment: string;
  readonly flag: FlagKey;
  /** Revision of the environment that the edit was compared with. */
  readonly revision: Revision;
  /**
   * For an edit of weights: a targeting with the same weights that moves as few units as any allocation can that has them
   * all over its share. Present when it moves fewer than the edit as sent; `targeting` can be put as it is.
   */
  readonly leastMovement?: { readonly targeting: Targeting; readonly changed: ShareBounds };
}
