/**
 * Do two overlapping experiments change each other's effect? Measured on the additive scale, (tt - tc) - (ct - cc): on the logit scale big
 * main effects alone fake an interaction. The standard error is twice a main effect's, so what a pair could have seen is
 * always said beside what it saw.
 */
import { normalEstimate } from "./effect.ts";
import { adjustPValues } from "./multiplicity.ts";
import {
  type AlphaOption,
  DEFAULT_ALPHA,
  type Estimate,
  isRate,
  type Ok,
  ok,
  type Point,
  type Reason,
  type Result,
  refuse,
} from "./result.ts";
import { normalTailQuantile, twoSidedZ } from "./special/normal.ts";
import { independenceTest } from "./srm.ts";

/** The four groups of units in both experiments: first letter the arm of the first one (c or t), second of the second. */
export interface FourCells<T> {
  readonly cc: T;
  readonly ct: T;
  readonly tc: T;
  readonly tt: T;
}

export interface InteractionCell extends Point {
  readonly n: number;
}

export interface InteractionEstimate extends Estimate {
  /** The smallest interaction that this pair finds with 80 % power at this alpha. */
  readonly smallestDetectable: number;
}

export interface ScreenedPair {
  readonly key: string;
  readonly interaction: Ok<InteractionEstimate>;
  /** Benjamini and Hochberg over all pairs that could be tested. */
  readonly adjustedP: number;
  readonly interacts: boolean;
}

export interface InteractionScreen {
  /** Pairs that were tested, smallest adjusted p first. */
  readonly pairs: readonly ScreenedPair[];
  /** Pairs that were not, and why: too few joint units, or assignments that depend on each other. */
  readonly skipped: readonly { readonly key: string; readonly reason: Reason }[];
}

export interface ScreenOptions extends AlphaOption {
  /** Joint units that every cell must have. Default 1000. */
  readonly cellMin?: number;
}

const POWER = 0.8;
const DEPENDENCE_P = 0.001;

/**
 * The interaction of one pair, each cell a point (a mean or a share) with its variance.
 * @example interactionOf({ cc: { value: 1, variance: 0.01 }, ct: { value: 2, variance: 0.01 }, tc: { value: 3, variance: 0.01 }, tt: {
 *   value: 4, variance: 0.01 } }) // value 0, smallestDetectable 0.5603
 */
export function interactionOf(
  { cc, ct, tc, tt }: FourCells<Point>,
  { alpha = DEFAULT_ALPHA }: AlphaOption = {},
): Result<InteractionEstimate> {
  if (!isRate(alpha)) return refuse("invalid-input");
  const value = tt.value - tc.value - (ct.value - cc.value);
  const estimate = normalEstimate({ value, variance: cc.variance + ct.variance + tc.variance + tt.variance }, { alpha });
  if (estimate.status !== "ok") return estimate;
  const { standardError, interval, pValue } = estimate;
  const smallestDetectable = (twoSidedZ(alpha) + normalTailQuantile(1 - POWER)) * standardError;
  return ok({ value, standardError, interval, pValue, smallestDetectable });
}

/**
 * All overlapping pairs at once, false discoveries held at alpha (default 5 %). Assignment is checked first: a pair whose assignments
 * depend on each other (p < 0.001) has a hashing fault and no readable interaction.
 * @example interactionScreen([{ key: "a, b", cells: { cc: { n: 2000, value: 0, variance: 1 }, ct: { n: 2000, value: 0, variance: 1 },
 *   tc: { n: 2000, value: 0, variance: 1 }, tt: { n: 2000, value: 8, variance: 1 } } }]) // adjustedP 0.00006334
 */
export function interactionScreen(
  pairs: readonly { readonly key: string; readonly cells: FourCells<InteractionCell> }[],
  { alpha = DEFAULT_ALPHA, cellMin = 1000 }: ScreenOptions = {},
): Result<InteractionScreen> {
  if (!isRate(alpha)) return refuse("invalid-input");
  const judged = pairs.map(({ key, cells }) => ({ key, interaction: screenOne(cells, { alpha, cellMin }) }));
  const tested = judged.flatMap(({ key, interaction }) => (interaction.status === "ok" ? [{ key, interaction }] : []));
  const adjusted = adjustPValues(
    tested.map(({ interaction }) => interaction.pValue),
    { method: "benjamini-hochberg", alpha },
  );
  if (adjusted.status !== "ok") return adjusted;
  const screened = tested.map(({ key, interaction }, i) => {
    const { adjustedP = 1, rejected = false } = adjusted.tests[i] ?? {};
    return { key, interaction, adjustedP, interacts: rejected };
  });
  return ok({
    pairs: screened.sort((a, b) => a.adjustedP - b.adjustedP),
    skipped: judged.flatMap(({ key, interaction }) => (interaction.status === "ok" ? [] : [{ key, reason: interaction.reason }])),
  });
}

function screenOne(cells: FourCells<InteractionCell>, { alpha, cellMin }: Required<ScreenOptions>): Result<InteractionEstimate> {
  const { cc, ct, tc, tt } = cells;
  if (Math.min(cc.n, ct.n, tc.n, tt.n) < cellMin) return refuse("too-few-units");
  const assignment = independenceTest([
    [cc.n, ct.n],
    [tc.n, tt.n],
  ]);
  if (assignment.status !== "ok") return assignment;
  return assignment.pValue < DEPENDENCE_P ? refuse("assignment-dependent") : interactionOf(cells, { alpha });
}
