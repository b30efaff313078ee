import type { ArmReport, LossReport, Phase, QualityAlarm, QualityReport, SampleRatioReport } from "@belay/protocol";
import { type ArmCounts, crossingHealth, normalEstimate, srmBySegment, srmSequence, srmTest } from "@belay/stats";
import { type ArmAccount, skewsOf } from "../ledger/domain.ts";
import type { ArmCell } from "../store/events/index.ts";

/** Whether the numbers may be read at all: it stands above them. */

export interface QualityQuestion {
  readonly variants: readonly string[];
  readonly phases: readonly Phase[];
  readonly cells: readonly ArmCell[];
  /** The attributes that the cells' segments are of. */
  readonly segments: readonly string[];
  /** The largest evidence of a mismatch at earlier looks. */
  readonly srmLogEBefore?: number;
  /** What the applications made and what became of it. */
  readonly accounts: readonly ArmAccount[];
  /** Of "no difference before the exposure", for each metric that has a covariate. */
  readonly pValuesBefore: readonly number[];
}

/** Chance that a clean experiment is ever flagged for its arm sizes, or for a difference before the start. */
const ALPHA = 0.001;

export function qualityOf(question: QualityQuestion): { readonly report: QualityReport; readonly srmLogE?: number } {
  const { srmLogE, ...sampleRatio } = sampleRatioOf(question);
  const loss = lossOf(question);
  const crossing = crossingHealth(armsOf(question).map(({ units, crossed }) => ({ n: units, successes: crossed })));
  const before = beforeStart(question.pValuesBefore);
  const found = {
    sampleRatio,
    crossing,
    ...(before === undefined ? {} : { beforeStart: before }),
    ...(loss === undefined ? {} : { loss }),
  };
  const report: QualityReport = { isGood: failedChecks({ isGood: true, ...found }).length === 0, ...found };
  return { report, ...(srmLogE === undefined ? {} : { srmLogE }) };
}

/** The checks that failed, by name. */
export function failedChecks({ sampleRatio, loss, crossing, beforeStart: before }: QualityReport): QualityAlarm["checks"] {
  return [
    ...(sampleRatio.isMismatched ? (["sampleRatio"] as const) : []),
    ...(loss !== undefined && isSkewed(loss) ? (["loss"] as const) : []),
    ...(crossing.status === "ok" && crossing.isUnhealthy ? (["crossing"] as const) : []),
    ...(before?.isUnhealthy === true ? (["beforeStart"] as const) : []),
  ];
}

export function isSkewed({ verdict }: LossReport): boolean {
  return verdict !== "even" && verdict !== "unknown";
}

/** Units of each arm, with what was designed. */
export function armsOf({
  variants,
  cells,
  phases,
}: Pick<QualityQuestion, "variants" | "cells" | "phases">): readonly ArmReport[] {
  const everybody = cells.filter(({ segment }) => segment === undefined);
  const total = sum(everybody.map(({ units }) => units));
  const designed = designedShares(variants, countsByEpoch(variants, everybody), phases);
  return variants.map((variant, index) => {
    const own = everybody.filter((cell) => cell.variant === variant);
    const units = sum(own.map((cell) => cell.units));
    const share = designed?.[index];
    return {
      variant,
      units,
      crossed: sum(own.map(({ crossed }) => crossed)),
      share: total === 0 ? 0 : units / total,
      ...(share === undefined ? {} : { designedShare: share }),
    };
  });
}

function sampleRatioOf(question: QualityQuestion): SampleRatioReport & { readonly srmLogE?: number } {
  const { variants, cells, srmLogEBefore } = question;
  const epochs = designedCounts(
    question,
    cells.filter(({ segment }) => segment === undefined),
  );
  if (epochs.length === 0) {
    return {
      isMismatched: false,
      segments: [],
      sentence: "No split says how the arms were designed, or nobody was exposed yet.",
    };
  }
  const sequence = srmSequence(epochs, { alpha: ALPHA, ...(srmLogEBefore === undefined ? {} : { logEBefore: srmLogEBefore }) });
  const once = srmTest(mergedCounts(variants, epochs));
  const pValue = once.status === "ok" ? once.pValue : undefined;
  if (sequence.status !== "ok") return { isMismatched: false, segments: [], sentence: "The arm sizes cannot be tested yet." };
  const isMismatched = sequence.alarm;
  return {
    ...(pValue === undefined ? {} : { pValue }),
    anytimePValue: sequence.pValue,
    isMismatched,
    sentence: sentenceOf(question, { isMismatched, pValue, isImpossible: sequence.impossibleArms.length > 0 }),
    segments: isMismatched || (pValue ?? 1) < 0.01 ? mismatchedSegments(question) : [],
    srmLogE: sequence.logEMax,
  };
}

function sentenceOf(
  question: QualityQuestion,
  { isMismatched, pValue = 1, isImpossible }: { isMismatched: boolean; pValue: number | undefined; isImpossible: boolean },
): string {
  const sizes = armsOf(question)
    .map(({ variant, units }) => `${variant} ${units.toLocaleString("en")}`)
    .join(", ");
  if (isImpossible) return `An arm that the split gives nobody has units (${sizes}): the assignment is broken.`;
  const chance = `the sizes (${sizes}) would come about by chance with probability ${pValue.toPrecision(2)}`;
  if (isMismatched) return `Sample ratio mismatch: ${chance}; do not read the effects until its cause is found.`;
  if (pValue < 0.01)
    return `Conspicuous: looked at once, ${chance}; the test that holds under constant looking does not reject the design. Look for a cause all the same.`;
  return `The arm sizes are as designed: ${chance}.`;
}

/** Where a mismatch comes from: segments tested by themselves, within phases of one design added up. */
function mismatchedSegments(question: QualityQuestion): string[] {
  const { variants, cells, segments } = question;
  const groups = new Map<string, ArmCell[]>();
  for (const cell of cells) {
    if (cell.segment === undefined) continue;
    const [name = "", { value }] = [segments[cell.segment.index], cell.segment];
    const key = value === "" ? `no ${name}` : `${name} = ${value}`;
    groups.set(key, [...(groups.get(key) ?? []), cell]);
  }
  const tested = [...groups].flatMap(([key, own]) => {
    const epochs = designedCounts(question, own);
    return epochs.length === 0 ? [] : [{ key, ...mergedCounts(variants, epochs) }];
  });
  const result = srmBySegment(tested, { alpha: ALPHA });
  return result.status === "ok" ? result.segments.flatMap(({ key, mismatched }) => (mismatched ? [key] : [])) : [];
}

function countsByEpoch(variants: readonly string[], cells: readonly ArmCell[]): ReadonlyMap<number, readonly number[]> {
  const counts = new Map<number, number[]>();
  for (const { variant, epoch, units } of cells) {
    const index = variants.indexOf(variant);
    const row = counts.get(epoch) ?? variants.map(() => 0);
    counts.set(epoch, row);
    if (index >= 0) row[index] = (row[index] ?? 0) + units;
  }
  return counts;
}

/** Counts of the phases that have a design. */
function designedCounts({ variants, phases }: QualityQuestion, cells: readonly ArmCell[]): readonly ArmCounts[] {
  return [...countsByEpoch(variants, cells)].flatMap(([epoch, counts]) => {
    const weights = weightsOf(variants, phases, epoch);
    return weights === undefined || sum(counts) === 0 ? [] : [{ counts, weights }];
  });
}

/** Phases together: each arm's count beside what all designs expected of it. */
function mergedCounts(variants: readonly string[], epochs: readonly ArmCounts[]): ArmCounts {
  return {
    counts: variants.map((_, i) => sum(epochs.map(({ counts }) => counts[i] ?? 0))),
    weights: variants.map((_, i) => sum(epochs.map(({ counts, weights }) => (sum(counts) * (weights[i] ?? 0)) / sum(weights)))),
  };
}

function designedShares(
  variants: readonly string[],
  counts: ReadonlyMap<number, readonly number[]>,
  phases: readonly Phase[],
): readonly number[] | undefined {
  const epochs = [...counts].flatMap(([epoch, row]) => {
    const weights = weightsOf(variants, phases, epoch);
    return weights === undefined ? [] : [{ counts: row, weights }];
  });
  const { weights } = mergedCounts(variants, epochs);
  const total = sum(weights);
  return total === 0 ? undefined : weights.map((weight) => weight / total);
}

function weightsOf(variants: readonly string[], phases: readonly Phase[], epoch: number): readonly number[] | undefined {
  const designed = phases.find((phase) => phase.epoch === epoch)?.weights;
  if (designed === undefined) return undefined;
  const weights = variants.map((variant) => (Object.hasOwn(designed, variant) ? (designed[variant] ?? 0) : 0));
  return sum(weights) > 0 ? weights : undefined;
}

/** Assignment told from loss: the one is tested on what was produced, the other on what became of it. */
function lossOf({ accounts, phases, variants }: QualityQuestion): LossReport | undefined {
  if (accounts.length === 0) return undefined;
  const weights = oneDesign(variants, phases);
  const [skew] = skewsOf(accounts, () => weights);
  return {
    verdict: skew?.verdict ?? "unknown",
    arms: accounts.map(({ variant, produced, stored, dropped, lost, inFlight }) => ({
      variant,
      produced,
      stored,
      dropped,
      lost,
      inFlight,
    })),
  };
}

/** How the arms share units in every phase; `undefined` where that changed. A ramp lets more of them in and shares them alike. */
function oneDesign(variants: readonly string[], phases: readonly Phase[]): ReadonlyMap<string, number> | undefined {
  const designs = phases.flatMap(({ epoch, weights }) => {
    const known = weightsOf(variants, phases, epoch);
    // Nobody came in while it was shut.
    return known !== undefined ? [known.map((weight) => weight / sum(known))] : weights === undefined ? [undefined] : [];
  });
  const last = designs.at(-1);
  const isOne = designs.every((design) => design?.every((share, arm) => Math.abs(share - (last?.[arm] ?? 0)) < ROUNDING));
  return last === undefined || !isOne ? undefined : new Map(variants.map((name, arm) => [name, last[arm] ?? 0]));
}

/** Shares of shares, as floating numbers multiply them. */
const ROUNDING = 1e-9;

/** Holm's first step: the smallest of several p-values, made comparable with one. */
function beforeStart(pValues: readonly number[]): QualityReport["beforeStart"] {
  if (pValues.length === 0) return undefined;
  const pValue = Math.min(1, Math.min(...pValues) * pValues.length);
  return { pValue, isUnhealthy: pValue < ALPHA };
}

/** Two-sided p of a difference of two means before the exposure. */
export function pBefore(difference: { readonly value: number; readonly variance: number }): number | undefined {
  const estimate = normalEstimate(difference);
  return estimate.status === "ok" ? estimate.pValue : undefined;
}

function sum(values: readonly number[]): number {
  return values.reduce((all, value) => all + value, 0);
}
