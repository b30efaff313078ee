/* What else changes the units of a release: before it climbs by where ranges lie, afterwards by what its units did. Pure. */
import { type ReleaseInteraction, type ReleaseOverlap, type ScreenedInteraction, SPACE_PPM } from "@belay/protocol";
import { partsOf, type Region, regionOf, sharedBy, shareOf } from "../experiments/overlap.ts";
import { servesOf } from "../experiments/phases.ts";
import { trackedParts } from "../experiments/readiness.ts";
import { range, SHARE_SPACE, shareDraw } from "../flags/weights.ts";
import { pairTables, screened } from "../results/interactions.ts";
import type { EnvironmentState, ExperimentDocument, ProjectState, ReleaseDocument } from "../state/workspace.ts";
import type { PairCell, Paired } from "../store/events/index.ts";
import type { ReleasePlace } from "./document.ts";
import { withoutShare } from "./exposure.ts";
import { ppmOf } from "./plan.ts";
import { isLive } from "./states.ts";

/** Something else that treats units in the same environment. */
interface Other extends Pick<ReleaseOverlap, "kind" | "key" | "flag"> {
  readonly regions: readonly Region[];
}

/** One side of a screen: whose exposures, and its arms. */
export interface Side extends Paired {
  readonly control: string;
  readonly treatments: readonly string[];
}

/** Running experiments and live releases that share units with a release, stage by stage, as they stand now. Most first. */
export function overlapForecast(place: ReleasePlace, release: ReleaseDocument): ReleaseOverlap[] {
  const stages = release.stages.map(({ name }, stage) => ({ name, regions: regionsAt(place, release, ppmOf(release, stage)) }));
  const overlaps = othersThan(place, release).map(({ regions, ...other }) => ({
    ...other,
    stages: stages.map((stage) => {
      const [both, own] = [sharedBy(stage.regions, regions), shareOf(stage.regions)];
      return { name: stage.name, percentage: 100 * both, ofThis: own === 0 ? 0 : (100 * both) / own };
    }),
  }));
  const most = ({ stages: all }: ReleaseOverlap): number => Math.max(...all.map(({ percentage }) => percentage));
  return overlaps.filter((overlap) => most(overlap) > 0).sort((a, b) => most(b) - most(a) || (a.key < b.key ? -1 : 1));
}

/** A release and all that may change its effect: what the event store is asked about. */
export function sidesOf({ project, environment, key }: ReleasePlace, release: ReleaseDocument): readonly Side[] {
  const sideOf = (name: string, { control, variant, experiment }: ReleaseDocument): Side => {
    const ramped = experiment === undefined ? undefined : project.experiments.get(experiment)?.body;
    return experiment === undefined || ramped === undefined
      ? { key: name, isRelease: true, fromMs: 0, control: control ?? variant, treatments: [variant] }
      : { key: experiment, fromMs: 0, control: ramped.control, treatments: ramped.treatments };
  };
  const releases = liveBeside(environment, key).map(([name, body]) => sideOf(name, body));
  const experiments = runningBeside(project, environment.key, release).map(
    ([name, { control, treatments }]): Side => ({ key: name, fromMs: 0, control, treatments }),
  );
  return [sideOf(key, release), ...releases, ...experiments];
}

/** Whether the effect of the first side is another where units are also in one of the others. */
export function screenOf(sides: readonly Side[], cells: readonly PairCell[]): ReleaseInteraction[] {
  // Keys of releases and experiments may be the same: places in the list are not.
  const running = sides.map(({ control, treatments }, at) => ({ key: String(at), document: { control, treatments } }));
  const own = pairTables(cells, running).filter(({ experiments: [first] }) => first === "0");
  const isRamp = sides[0]?.isRelease !== true;
  return screened(own).map(({ experiments: [, other], treatments: [ownTreatment, treatment], ...found }: ScreenedInteraction) => {
    const side = sides[Number(other)];
    const kind = side?.isRelease === true ? "release" : "experiment";
    return { kind, key: side?.key ?? other, treatment, ...(isRamp ? { ownTreatment } : {}), ...found };
  });
}

/** What a release treats and compares: the two ends of the flag's line, or all parts of the experiment it ramps. */
function regionsAt({ environment }: ReleasePlace, { flag, experiment }: ReleaseDocument, ppm: number): Region[] {
  if (experiment !== undefined) {
    const targeting = environment.targetings.get(flag)?.body;
    const parts = targeting === undefined ? [] : trackedParts(targeting, experiment);
    return parts.map(({ draws }) => regionOf(flag, { draws: [shareDraw(ppm), ...withoutShare(draws)] }));
  }
  const ends = [range(0, ppm), range(SPACE_PPM - Math.min(ppm, SPACE_PPM - ppm), SPACE_PPM)];
  return ends.map((end) => regionOf(flag, { draws: [{ space: SHARE_SPACE, in: end }] }));
}

function othersThan({ project, environment, key }: ReleasePlace, release: ReleaseDocument): Other[] {
  const releases = liveBeside(environment, key).map(([name, { flag }]): Other => {
    const targeting = environment.targetings.get(flag)?.body;
    const parts = (targeting === undefined ? [] : servesOf(targeting)).flatMap((serve) => ("split" in serve ? serve.split : []));
    const tracked = parts.filter(({ tracks }) => tracks !== undefined && "release" in tracks && tracks.release === name);
    return { kind: "release", key: name, flag, regions: tracked.map((part) => regionOf(flag, part)) };
  });
  const experiments = runningBeside(project, environment.key, release).map(
    ([name, body]): Other => ({ kind: "experiment", key: name, flag: body.flag, regions: partsOf(project, name, body) }),
  );
  return [...releases, ...experiments];
}

/** Live releases of plain flags: those of experiments are met as what they ramp. */
function liveBeside({ releases }: EnvironmentState, key: string): (readonly [string, ReleaseDocument])[] {
  return [...releases].flatMap(([name, { body }]) =>
    name !== key && isLive(body.state) && body.experiment === undefined ? [[name, body] as const] : [],
  );
}

/** Running experiments besides the one that a release ramps. */
function runningBeside(
  { experiments }: ProjectState,
  environment: string,
  { experiment }: ReleaseDocument,
): (readonly [string, ExperimentDocument])[] {
  return [...experiments].flatMap(([name, { body }]) =>
    name !== experiment && body.status === "running" && body.environment === environment ? [[name, body] as const] : [],
  );
}
