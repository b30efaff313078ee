import { ppmFromPercent } from "@belay/core";
import type { Ppm, Revision, Targeting } from "@belay/protocol";
import type { FlagDocument } from "../state/workspace.ts";
import { stampEpochs } from "./epochs.ts";
import { moveRollout, rolloutState } from "./rollout.ts";

export interface Lowering {
  /** Where the rollout goes down to; absent: the flag is switched off. */
  readonly ppm: Ppm | undefined;
  /** At which revision: a comparison that moves begins an epoch. */
  readonly revision: Revision;
}

/** The targeting with less shown than before; the very same where it shows no more than that already. Total, and never more. */
export function lowered(targeting: Targeting, flag: FlagDocument | undefined, { ppm, revision }: Lowering): Targeting {
  if (ppm === undefined) return targeting.enabled ? { ...targeting, enabled: false } : targeting;
  const standing = standingPpm(targeting);
  if (flag === undefined || standing === undefined || standing <= ppm) return targeting;
  const moved = moveRollout(targeting, flag, ppm, undefined);
  return "code" in moved ? targeting : stampEpochs(targeting, moved.targeting, revision);
}

/** Where a rollout stands; `undefined` without one. */
export function standingPpm(targeting: Targeting): Ppm | undefined {
  const state = rolloutState(targeting);
  return state === undefined ? undefined : ppmFromPercent(state.percentage);
}
