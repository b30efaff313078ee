import type { ArmFlow, ExperimentKey, FlagKey, SnapshotFlag, Targeting } from "@belay/protocol";
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

/** What an edit of a targeting does to running experiments. */
export interface ArmMoves {
  /** Units that change arms by it while the flag is on: it is refused, unless it says that it opens a new epoch. */
  readonly moving: readonly ArmFlow[];
  /**
   * Experiments that begin a new epoch. Also those of a flag that is off, if the edit would move their units were it on:
   * what was edited in between comes into force with the switch, which changes no targeting.
   */
  readonly opened: readonly ExperimentKey[];
}

/**
 * Experiments of which an edit of a targeting would move units from one arm to another: both targetings track the
 * experiment under its key.
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
  flagAfter: FlagDocument = flag,
): ArmMoves {
  const [was, is] = [on(targeting.body), on(after)];
  if (trackedThroughout(was, is).length === 0) return { moving: [], opened: [] };
  const live = definitionsOf(place.environment.snapshot);
  const within = (own: Targeting, { type, variants, spaces }: FlagDocument): Definitions => {
    const decided: SnapshotFlag = { type, variants, spaces: { ...spaces }, ...own };
    return { ...live, flag: (key) => (key === place.flag ? decided : live.flag(key)) };
  };
  const flows = movementBetween(within(was, flag), within(is, flagAfter), place.flag, QUESTIONS_MAX).experiments;
  const isOn = targeting.body.enabled && after.enabled;
  return { moving: isOn ? flows : [], opened: flows.map(({ experiment }) => experiment) };
}

function on(targeting: Targeting): Targeting {
  return { ...targeting, enabled: true };
}

export function refuseMoves([first]: readonly ArmFlow[]): Refusal {
  return refuse("experiment_moves", { field: "newEpoch", experiment: first?.experiment, share: first?.moved.max });
}
