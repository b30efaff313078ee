import { canonicalJson } from "@belay/core";
import type { ExperimentKey, Json, Part, Revision, Serve, Targeting, Tracks } from "@belay/protocol";

/**
 * Stamps the epoch of every tracked split: the revision at which its allocation (variants and draws of all its parts)
 * last changed. A unit is recorded once per epoch, so an edit elsewhere must not open a new one, and an edit of the
 * allocation must. Epochs that a client sent are written over.
 *
 * @param opened what begins an epoch whatever its allocation was: experiments whose units change arms, for a condition can do that
 * and leave every allocation as it is, and what a release counts anew from here on.
 */
export function stampEpochs(
  before: Targeting | undefined,
  after: Targeting,
  revision: Revision,
  opened: readonly Opened[] = [],
): Targeting {
  const known = before === undefined ? new Map<string, number>() : knownEpochs(before, opened);
  const stamp = (serve: Serve): Serve => ("split" in serve ? { split: stampSplit(serve.split, known, revision) } : serve);
  return {
    ...after,
    rules: after.rules.map((rule) => ({ ...rule, serve: stamp(rule.serve) })),
    ...(after.fallthrough === undefined ? {} : { fallthrough: stamp(after.fallthrough) }),
  };
}

/** An experiment by its key, or a release. */
export type Opened = ExperimentKey | { readonly release: string };

/** A targeting without epochs: they belong to the environment they were stamped in, and are stamped when a plan is made true. */
export function withoutEpochs(targeting: Targeting): Targeting {
  const strip = (serve: Serve): Serve =>
    "split" in serve
      ? {
          split: serve.split.map((part) => {
            if (part.tracks === undefined) return part;
            const { epoch: _, ...tracks } = part.tracks;
            return { ...part, tracks };
          }),
        }
      : serve;
  return {
    ...targeting,
    rules: targeting.rules.map((rule) => ({ ...rule, serve: strip(rule.serve) })),
    ...(targeting.fallthrough === undefined ? {} : { fallthrough: strip(targeting.fallthrough) }),
  };
}

function stampSplit(parts: readonly Part[], known: ReadonlyMap<string, number>, revision: Revision): readonly Part[] {
  return parts.map((part) =>
    part.tracks === undefined
      ? part
      : { ...part, tracks: { ...part.tracks, epoch: known.get(identity(part, parts)) ?? revision } },
  );
}

function knownEpochs(targeting: Targeting, opened: readonly Opened[]): Map<string, number> {
  const known = new Map<string, number>();
  for (const serve of [...targeting.rules.map((rule) => rule.serve), ...(targeting.fallthrough ? [targeting.fallthrough] : [])]) {
    if (!("split" in serve)) continue;
    for (const part of serve.split) {
      const { tracks } = part;
      const isOpened = tracks !== undefined && opened.some((one) => isOf(tracks, one));
      if (tracks?.epoch !== undefined && !isOpened) known.set(identity(part, serve.split), tracks.epoch);
    }
  }
  return known;
}

function isOf(tracks: Tracks, opened: Opened): boolean {
  if (typeof opened === "string") return "experiment" in tracks && tracks.experiment === opened;
  return "release" in tracks && tracks.release === opened.release;
}

/** What a part tracks and how its whole split is allocated: equal texts are one epoch. */
function identity(part: Part, split: readonly Part[]): string {
  const { epoch: _, ...tracked } = part.tracks ?? { epoch: undefined };
  const allocation = split.map(({ variant, draws }) => ({ variant, draws }));
  return canonicalJson({ tracked, allocation } as unknown as Json);
}
