/** From points with variances to effects: the two comparisons that every metric shares, whatever its points came from. */
import {
  type AlphaOption,
  type Arms,
  DEFAULT_ALPHA,
  type Estimate,
  isRate,
  ok,
  type Point,
  type Result,
  refuse,
} from "./result.ts";
import { normalTwoSided, twoSidedZ } from "./special/normal.ts";

export interface RelativeOptions extends AlphaOption {
  /** Fieller's interval (default) is exact for normal means; delta is the usual approximation, good while the control is far from zero. */
  readonly method?: "fieller" | "delta";
}

/**
 * An estimate from a value that is normal around the truth.
 * @example normalEstimate({ value: 1, variance: 0.25 }) // low 0.02002, high 1.98, pValue 0.0455
 */
export function normalEstimate({ value, variance }: Point, { alpha = DEFAULT_ALPHA }: AlphaOption = {}): Result<Estimate> {
  if (!isRate(alpha) || !(variance >= 0)) return refuse("invalid-input");
  if (variance === 0) return refuse("no-variance");
  const standardError = Math.sqrt(variance);
  const reach = twoSidedZ(alpha) * standardError;
  const interval = { low: value - reach, high: value + reach, level: 1 - alpha };
  return ok({ value, standardError, interval, pValue: normalTwoSided(value / standardError) });
}

/**
 * Treatment minus control of two independent points.
 * @example differenceOf({ control: { value: 10, variance: 0.1 }, treatment: { value: 11, variance: 0.1 } }) // value 1, variance 0.2
 */
export function differenceOf(arms: Arms<Point>): Point {
  return {
    value: arms.treatment.value - arms.control.value,
    variance: arms.treatment.variance + arms.control.variance,
  };
}

/**
 * The effect as a share of |control|: its sign is the sign of the absolute effect even where the control is negative.
 * Sources: Fieller, JRSS B 16 (1954); delta method: Casella and Berger 5.5.4. Where the control cannot be told from zero at this alpha
 * there is no finite interval: `undefined`, and the absolute effect stays. The p-value is that of the absolute difference.
 * @example relativeEffect({ control: { value: 10, variance: 0.1 }, treatment: { value: 11, variance: 0.1 } }) // value 0.1
 */
export function relativeEffect(
  arms: Arms<Point>,
  { alpha = DEFAULT_ALPHA, method = "fieller" }: RelativeOptions = {},
): Result<Estimate> {
  const { value: control, variance: vC } = arms.control;
  const { value: treatment, variance: vT } = arms.treatment;
  if (!isRate(alpha) || !(vC >= 0) || !(vT >= 0)) return refuse("invalid-input");
  if (control === 0) return refuse("control-near-zero");
  if (vC + vT === 0) return refuse("no-variance");
  const z = twoSidedZ(alpha);
  const ratio = treatment / control;
  const standardError = Math.sqrt(vT + vC * ratio * ratio) / Math.abs(control);
  const g = (z * z * (vC / control)) / control;
  if (g >= 1) return refuse("control-near-zero");
  const ends = method === "fieller" ? fiellerEnds(ratio, { vC, vT, control, z, g }) : deltaEnds(ratio, z * standardError);
  const sign = Math.sign(control);
  const [low, high] = sign > 0 ? [ends.low - 1, ends.high - 1] : [1 - ends.high, 1 - ends.low];
  return ok({
    value: (treatment - control) / Math.abs(control),
    standardError,
    interval: { low, high, level: 1 - alpha },
    pValue: normalTwoSided((treatment - control) / Math.sqrt(vT + vC)),
  });
}

interface FiellerTerms {
  readonly vC: number;
  readonly vT: number;
  readonly control: number;
  readonly z: number;
  readonly g: number;
}

// Roots R of (mT - R mC)^2 = z^2 (vT + R^2 vC), divided through by mC^2.
function fiellerEnds(ratio: number, { vC, vT, control, z, g }: FiellerTerms): { low: number; high: number } {
  const spread = (z / Math.abs(control)) * Math.sqrt(Math.max(0, vT * (1 - g) + ratio * ratio * vC));
  return { low: (ratio - spread) / (1 - g), high: (ratio + spread) / (1 - g) };
}

function deltaEnds(ratio: number, reach: number): { low: number; high: number } {
  return { low: ratio - reach, high: ratio + reach };
}
