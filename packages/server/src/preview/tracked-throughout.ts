import type { ExperimentKey, Targeting } from "@belay/protocol";

/** Experiments that a flag tracks before an edit and after it, in the order of their keys. A flag that is off tracks none. */
export function trackedThroughout(before: Targeting | undefined, after: Targeting | undefined): readonly ExperimentKey[] {
  const still = new Set(experimentsOf(after));
  return [...new Set(experimentsOf(before))].filter((experiment) => still.has(experiment)).sort();
}

function experimentsOf(targeting: Targeting | undefined): readonly ExperimentKey[] {
  if (targeting?.enabled !== true) return [];
  const { rules, fallthrough } = targeting;
  const serves = [...rules.map(({ serve }) => serve), ...(fallthrough === undefined ? [] : [fallthrough])];
  const parts = serves.flatMap((serve) => ("split" in serve ? serve.split : []));
  return parts.flatMap(({ tracks }) => (tracks !== undefined && "experiment" in tracks ? [tracks.experiment] : []));
}
