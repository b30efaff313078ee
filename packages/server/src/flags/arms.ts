import type { ArmFlow, FlagKey, SnapshotFlag, Targeting } from "@belay/protocol";
import { type Refusal, refuse } from "../control/decision.ts";
import { definitionsOf, movementBetween } from "../preview/movement.ts";
import { trackedThroughout } from "../preview/tracked-throughout.ts";
import type { Definitions } from "../preview/walk.ts";
import type { EnvironmentState, FlagDocument, Held } from "../state/workspace.ts";

/** A flag with how it decides in one environment. */
export interface Subject {
  readonly flag: FlagDocument;
  readonly targeting: Held<Targeting>;
}

/** It stands before writes: tens of milliseconds at most, and an experiment it cannot clear in them counts as moved. */
const QUESTIONS_MAX = 20_000;

/**
 * Experiments of which an edit of a targeting would move units from one arm to another, while they run: the flag is on
 * before and after, and both track the experiment under its key.
 *
 *   moves nobody between arms                             moves
 *   a comparison raised up to half; any share lowered     a comparison raised beyond half: control becomes treatment
 *   a share of a weighted split raised or lowered         weights changed inside a share
 *   an experiment ended, or begun under another key       rules put in another order that track the same experiment
 */
export function armMoves(
  place: { readonly environment: EnvironmentState; readonly flag: FlagKey },
  { flag, targeting }: Subject,
  after: Targeting,
): readonly ArmFlow[] {
  if (trackedThroughout(targeting.body, after).length === 0) return [];
  const live = definitionsOf(place.environment.snapshot);
  const within = (own: Targeting): Definitions => {
    const { type, variants, spaces } = flag;
    const decided: SnapshotFlag = { type, variants, spaces: { ...spaces }, ...own };
    return { ...live, flag: (key) => (key === place.flag ? decided : live.flag(key)) };
  };
  return movementBetween(within(targeting.body), within(after), place.flag, QUESTIONS_MAX).experiments;
}

export function refuseMoves([first]: readonly ArmFlow[]): Refusal {
  return refuse("experiment_moves", { field: "newEpoch", experiment: first?.experiment, share: first?.moved.max });
}
