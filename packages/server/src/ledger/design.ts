/* How an experiment's arms were meant to share its units, as the splits in force say. */
import { type Part, type Serve, SPACE_PPM, type Targeting, type Tracks } from "@belay/protocol";
import type { Weights } from "./domain.ts";

interface Subject {
  readonly experiment?: string;
  readonly release?: string;
}

/** Shares of the split that tracks a subject; undefined when none does, or several do and differ. */
export function designOf(targetings: Iterable<Targeting>, subject: Subject): Weights | undefined {
  const designs = [...targetings].flatMap(({ rules, fallthrough }) =>
    [...rules.map(({ serve }) => serve), ...(fallthrough === undefined ? [] : [fallthrough])].flatMap((serve) =>
      weightsOf(serve, subject),
    ),
  );
  const [first] = designs;
  return designs.every((design) => isSame(design, first)) ? first : undefined;
}

/** The shares of one split, where it tracks a subject; none otherwise. */
export function weightsOf(serve: Serve, subject: Subject): Weights[] {
  if (!("split" in serve)) return [];
  const weights = new Map<string, number>();
  for (const part of serve.split) {
    if (!isTracked(part.tracks, subject)) continue;
    weights.set(part.variant, (weights.get(part.variant) ?? 0) + shareOf(part));
  }
  return weights.size === 0 ? [] : [weights];
}

/** A part's share of all units: spaces are independent, so the shares of its draws multiply. */
function shareOf({ draws }: Part): number {
  return draws.reduce((share, draw) => share * (draw.in.reduce((sum, [from, to]) => sum + to - from, 0) / SPACE_PPM), 1);
}

function isTracked(tracks: Tracks | undefined, { experiment, release }: Subject): boolean {
  if (tracks === undefined) return false;
  return "experiment" in tracks ? tracks.experiment === experiment : tracks.release === release;
}

function isSame(a: Weights, b: Weights | undefined): boolean {
  return a.size === b?.size && [...a].every(([variant, weight]) => b.get(variant) === weight);
}
