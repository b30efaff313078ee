/**
 * Where a release's units fall, without asking what they were told.
 *
 *   plain flag   one line    0 ██ treated ██ share ············ control: everybody else ············ 1e6
 *   experiment   two lines   the share's says who is in; the split's says in which arm, at every share the same one
 *
 * Whoever the share keeps out of an experiment is in no arm of it: what that unit does counts for nobody.
 */
import { murmur3 } from "@belay/core";
import type { Draw, Phase, Ppm, ReleaseArm, Space, SpaceId, VariantName } from "@belay/protocol";
import { SPACE_PPM } from "@belay/protocol";
import { SHARE_SPACE, SPLIT_SPACE } from "../flags/weights.ts";
import type { ProjectState, ReleaseDocument } from "../state/workspace.ts";
import type { UnitMark } from "./sighting.ts";

/** On which side of a contrast a unit is. */
export interface Side {
  readonly isTreated: boolean;
  /** Of the units on either side, those treated: under no harm, the bias of the coin. */
  readonly share: number;
}

/** A treatment beside its control. */
export interface Contrast {
  /** Of an experiment. */
  readonly treatment?: VariantName;
  /** Where a unit is while the share is so large; `undefined`: on neither side. */
  readonly sideOf: (mark: UnitMark, ppm: Ppm) => Side | undefined;
}

/** How the units of one release are told apart. */
export interface Placement {
  /** One for each treatment. */
  readonly contrasts: readonly Contrast[];
  readonly markOf: (unit: string) => UnitMark;
  /** Sizes the recorded arms are designed to have at a share, control first, in any unit; none where there is no telling. */
  readonly sizesAt: (ppm: Ppm) => readonly number[];
}

/** The placement of a release as its project's spaces are. Their salts never change. */
export function placementOf(project: ProjectState, release: Pick<ReleaseDocument, "flag" | "control" | "arms">): Placement {
  const saltOf = (id: SpaceId): string => spaceOf(project, release.flag, id)?.salt ?? "";
  const { arms } = release;
  if (arms === undefined) return onLine(saltOf(SHARE_SPACE));
  return inArms({ share: saltOf(SHARE_SPACE), parts: placed(arms, saltOf), names: armNames(release) });
}

/** A plain flag: below the share units are treated, and everybody else is control. */
export function onLine(salt: string): Placement {
  return {
    contrasts: [{ sideOf: ({ point }, ppm) => ({ isTreated: point < ppm, share: ppm / SPACE_PPM }) }],
    markOf: (unit) => markOf(salt, unit),
    // Recorded are the two ends, which are equal up to half.
    sizesAt: (ppm) => (ppm === 0 || ppm === SPACE_PPM ? [] : [Math.min(ppm, SPACE_PPM - ppm), ppm]),
  };
}

/** A part of an experiment's split with the salts of its spaces. */
export interface PlacedPart {
  readonly variant: VariantName;
  readonly draws: readonly { readonly salt: string; readonly in: Draw["in"] }[];
}

/** An experiment: each treatment beside its control, among those whom the share lets in. */
export function inArms({
  share,
  parts,
  names,
}: {
  /** Salt of the share's space. */
  readonly share: string;
  readonly parts: readonly PlacedPart[];
  /** Control first. */
  readonly names: readonly VariantName[];
}): Placement {
  const sizes = names.map((name) => sizeOf(parts, name));
  const armIn = (unit: string): number => names.indexOf(parts.find((part) => holds(part, unit))?.variant ?? "");
  const contrasts = names.slice(1).map((treatment, index): Contrast => {
    const ofPair = (sizes[index + 1] ?? 0) / ((sizes[0] ?? 0) + (sizes[index + 1] ?? 0));
    return {
      treatment,
      sideOf: ({ point, arm }, ppm) =>
        point < ppm && (arm === 0 || arm === index + 1) ? { isTreated: arm !== 0, share: ofPair } : undefined,
    };
  });
  return {
    contrasts,
    markOf: (unit) => {
      const arm = armIn(unit);
      return arm < 0 ? markOf(share, unit) : { ...markOf(share, unit), arm };
    },
    sizesAt: (ppm) => (ppm === 0 ? [] : sizes),
  };
}

/** The placement with one of its contrasts alone. */
export function only(placement: Placement, contrast: Contrast): Placement {
  return { ...placement, contrasts: [contrast] };
}

/** The arms of an experiment that a release ramps, each once: control, then the treatments. */
function armNames({ control = "", arms = [] }: Pick<ReleaseDocument, "control" | "arms">): VariantName[] {
  return [...new Set([control, ...arms.map(({ variant }) => variant)])];
}

/** Variants by their arm: control first, which a plain flag has from its start on. */
export function armsOf(release: Pick<ReleaseDocument, "control" | "arms" | "variant">): readonly VariantName[] {
  return release.arms === undefined ? [release.control ?? "", release.variant] : armNames(release);
}

/** The arm a recorded variant stands for, control 0; negative: none of the release's. */
export function armOf(release: Pick<ReleaseDocument, "control" | "arms" | "variant">, variant: VariantName): number {
  if (release.arms === undefined) return variant === release.variant ? 1 : 0;
  return armNames(release).indexOf(variant);
}

/** The stages of a release, as the phases they are of the experiment it ramps. */
export function phasesOf({ epochs, arms = [] }: Pick<ReleaseDocument, "epochs" | "arms">): Phase[] {
  return epochs.map(({ revision, from, percentage }) => {
    const weights: { [variant: VariantName]: number } = {};
    for (const arm of arms) weights[arm.variant] = (weights[arm.variant] ?? 0) + (percentage / 100) * partShare(arm);
    return { epoch: revision, from, weights };
  });
}

/** The space a draw of a flag names: one of its own, or one it shares. */
export function spaceOf({ flags, layers, holdouts }: ProjectState, flag: string, id: SpaceId): Space | undefined {
  const [kind, key = ""] = id.split("/");
  if (kind === "layer") return layers.get(key)?.body.space;
  if (kind === "holdout") return holdouts.get(key)?.body.space;
  const own = flags.get(flag)?.body.spaces;
  return id === SHARE_SPACE ? own?.share : id === SPLIT_SPACE ? own?.split : undefined;
}

/** Where a unit falls on the line of a salt, 0 to 999,999. */
export function pointOf(salt: string, unit: string): number {
  return Math.floor(((murmur3(salt + unit) >>> 0) * SPACE_PPM) / 0x1_0000_0000);
}

/** What a unit goes by among watches: by it nobody reads its name, and two of a million units share one once in 37 million times. */
export function markOf(salt: string, unit: string): UnitMark {
  const half = (prefix: string): string => (murmur3(`${prefix}${salt}${unit}`) >>> 0).toString(36);
  return { point: pointOf(salt, unit), id: `${half("a")}.${half("b")}` };
}

/** Of those that the share lets in, how many a part takes: spaces are independent, so their shares multiply. */
export function partShare({ draws }: { readonly draws: readonly Pick<Draw, "in">[] }): number {
  return draws.reduce((share, draw) => (share * draw.in.reduce((sum, [from, to]) => sum + to - from, 0)) / SPACE_PPM, 1);
}

function placed(arms: readonly ReleaseArm[], saltOf: (id: SpaceId) => string): PlacedPart[] {
  return arms.map(({ variant, draws }) => ({ variant, draws: draws.map((draw) => ({ salt: saltOf(draw.space), in: draw.in })) }));
}

function sizeOf(parts: readonly PlacedPart[], variant: VariantName): number {
  return parts.reduce((sum, part) => (part.variant === variant ? sum + partShare(part) : sum), 0);
}

function holds({ draws }: PlacedPart, unit: string): boolean {
  return draws.every((draw) => {
    const point = pointOf(draw.salt, unit);
    return draw.in.some(([from, to]) => point >= from && point < to);
  });
}
