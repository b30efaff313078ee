import { type Draw, type ExperimentKey, type Overlap, type Part, SPACE_PPM } from "@belay/protocol";
import type { ExperimentDocument, ProjectState } from "../state/workspace.ts";
import { metricsOf } from "./domain.ts";
import { trackedParts } from "./readiness.ts";

/** Running experiments of the same environment with how many units they share with this one, most first. */
export function overlapsOf(project: ProjectState, key: ExperimentKey, experiment: ExperimentDocument): readonly Overlap[] {
  const own = partsOf(project, key, experiment);
  const ownShare = shareOf(own);
  const overlaps = [...project.experiments].flatMap(([other, { body }]): Overlap[] => {
    if (other === key || body.status !== "running" || body.environment !== experiment.environment) return [];
    const share = sharedBy(own, partsOf(project, other, body));
    if (share === 0) return [];
    const theirs = new Set(metricsOf(body.metrics));
    return [
      {
        experiment: other,
        percentage: 100 * share,
        ofThis: ownShare === 0 ? 0 : (100 * share) / ownShare,
        metrics: metricsOf(experiment.metrics).filter((metric) => theirs.has(metric)),
      },
    ];
  });
  return overlaps.sort((a, b) => b.percentage - a.percentage);
}

/** A part's draws with each space under a name that is the same wherever it is the same space. */
export type Region = ReadonlyMap<string, readonly (readonly [number, number])[]>;

export function partsOf(project: ProjectState, key: ExperimentKey, { flag, environment }: ExperimentDocument): readonly Region[] {
  const targeting = project.environments.get(environment)?.targetings.get(flag)?.body;
  return targeting === undefined ? [] : trackedParts(targeting, key).map((part) => regionOf(flag, part));
}

export function regionOf(flag: string, { draws }: Pick<Part, "draws">): Region {
  const region = new Map<string, readonly (readonly [number, number])[]>();
  for (const draw of draws) {
    const name = draw.space.includes("/") ? draw.space : `flag/${flag}/${draw.space}`;
    const known = region.get(name);
    region.set(name, known === undefined ? draw.in : intersect(known, draw.in));
  }
  return region;
}

/** Share of all units in both, as far as ranges say: spaces are independent, and conditions are not looked at. */
export function sharedBy(a: readonly Region[], b: readonly Region[]): number {
  return a.reduce((sum, one) => sum + b.reduce((inner, other) => inner + jointShare(one, other), 0), 0);
}

export function shareOf(parts: readonly Region[]): number {
  return parts.reduce((sum, part) => sum + jointShare(part, new Map()), 0);
}

function jointShare(a: Region, b: Region): number {
  let share = 1;
  for (const name of new Set([...a.keys(), ...b.keys()])) {
    const [mine, theirs] = [a.get(name), b.get(name)];
    share *= lengthOf(mine === undefined ? (theirs ?? []) : theirs === undefined ? mine : intersect(mine, theirs)) / SPACE_PPM;
  }
  return share;
}

function intersect(a: Draw["in"], b: Draw["in"]): Draw["in"] {
  return a.flatMap(([from, to]) =>
    b.flatMap(([start, end]): [number, number][] => {
      const [low, high] = [Math.max(from, start), Math.min(to, end)];
      return low < high ? [[low, high]] : [];
    }),
  );
}

function lengthOf(ranges: Draw["in"]): number {
  return ranges.reduce((sum, [from, to]) => sum + to - from, 0);
}
