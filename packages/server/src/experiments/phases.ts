import type { ExperimentKey, Phase, Revision, Serve, Targeting } from "@belay/protocol";
import { weightsOf } from "../ledger/design.ts";

/** A stretch of one allocation as a targeting shows it: the epoch its exposures carry, and the designed shares. */
export type Allocation = Pick<Phase, "epoch" | "weights">;

/** The allocations of an experiment that a targeting holds, one an epoch, oldest first. */
export function allocationsOf(targeting: Targeting, experiment: ExperimentKey): readonly Allocation[] {
  const found = new Map<Revision, Allocation>();
  for (const serve of servesOf(targeting)) {
    const [weights] = weightsOf(serve, { experiment });
    const epoch = epochOf(serve, experiment);
    if (weights === undefined || epoch === undefined) continue;
    const allocation = { epoch, weights: Object.fromEntries(weights) };
    const known = found.get(epoch);
    // Two splits of one epoch that differ: no single design holds for its units.
    found.set(epoch, known === undefined || isSame(known, allocation) ? allocation : { epoch });
  }
  return [...found.values()].sort((a, b) => a.epoch - b.epoch);
}

/** The phases with those that a targeting has added; the same list where there is none. */
export function withNewPhases(phases: readonly Phase[], allocations: readonly Allocation[], at: string): readonly Phase[] {
  const added = allocations.filter(({ epoch }) => !phases.some((phase) => phase.epoch === epoch));
  return added.length === 0 ? phases : [...phases, ...added.map((allocation) => ({ ...allocation, from: at }))];
}

export function servesOf({ rules, fallthrough }: Targeting): readonly Serve[] {
  return [...rules.map(({ serve }) => serve), ...(fallthrough === undefined ? [] : [fallthrough])];
}

function epochOf(serve: Serve, experiment: ExperimentKey): Revision | undefined {
  if (!("split" in serve)) return undefined;
  for (const { tracks } of serve.split) {
    if (tracks !== undefined && "experiment" in tracks && tracks.experiment === experiment) return tracks.epoch;
  }
  return undefined;
}

function isSame({ weights: a = {} }: Allocation, { weights: b = {} }: Allocation): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
