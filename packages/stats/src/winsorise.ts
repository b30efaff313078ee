/** Cutting extreme unit totals at one cap for both arms: less noise for a little bias toward no effect. */
import { quantile as sampleQuantile } from "simple-statistics";
import { type Moments, momentsOf } from "./moments.ts";
import { type Arms, ok, type Result, refuse } from "./result.ts";

export interface WinsoriseOptions {
  /** Where to cut, default 0.99. */
  readonly quantile?: number;
  /** Which values the quantile is taken of: those that are not 0 (default), or all. */
  readonly of?: "nonzero" | "all";
}

export interface Winsorised {
  readonly cap: number;
  readonly moments: Arms<Moments>;
  /** Share of each arm's units that were cut. */
  readonly cutShare: Arms<number>;
  /** Share of each arm's total that is left: below 1 the shown effect is shrunk about as much. */
  readonly keptTotal: Arms<number>;
}

/**
 * The cap from the pooled totals of both arms, never per arm: a cap per arm would cut the effect itself.
 * @example capOf({ control: [0, 0, 1, 2, 3, 4], treatment: [0, 5, 6, 7, 8, 100] }, { quantile: 0.875 }) // cap 8
 */
export function capOf(
  arms: Arms<readonly number[]>,
  { quantile = 0.99, of = "nonzero" }: WinsoriseOptions = {},
): Result<{ cap: number }> {
  if (!(quantile > 0 && quantile <= 1)) return refuse("invalid-input");
  const pooled = [...arms.control, ...arms.treatment];
  if (!pooled.every(Number.isFinite)) return refuse("invalid-input");
  const counted = of === "all" ? pooled : pooled.filter((value) => value !== 0);
  return counted.length === 0 ? refuse("too-few-units") : ok({ cap: sampleQuantile(counted, quantile) });
}

/**
 * Unit totals with everything above `cap` set to `cap`.
 * @example winsorise([1, 100], 10) // 1, 10
 */
export function winsorise(values: readonly number[], cap: number): number[] {
  return values.map((value) => Math.min(value, cap));
}

/**
 * Both arms cut at one cap, and what that did. It does not cure a small arm: a skewed metric with 200 units stays skewed.
 * @example winsoriseArms({ control: [0, 0, 1, 2, 3, 4], treatment: [0, 5, 6, 7, 8, 100] }, { quantile: 0.875 }) // cap 8, treatment 0.2698
 */
export function winsoriseArms(arms: Arms<readonly number[]>, options: WinsoriseOptions = {}): Result<Winsorised> {
  const cap = capOf(arms, options);
  if (cap.status !== "ok") return cap;
  const cut = (values: readonly number[]): ArmCut => cutArm(values, cap.cap);
  const [control, treatment] = [cut(arms.control), cut(arms.treatment)];
  return ok({
    cap: cap.cap,
    moments: { control: control.moments, treatment: treatment.moments },
    cutShare: { control: control.cutShare, treatment: treatment.cutShare },
    keptTotal: { control: control.keptTotal, treatment: treatment.keptTotal },
  });
}

interface ArmCut {
  readonly moments: Moments;
  readonly cutShare: number;
  readonly keptTotal: number;
}

function cutArm(values: readonly number[], cap: number): ArmCut {
  const moments = momentsOf(winsorise(values, cap));
  const total = values.reduce((sum, value) => sum + value, 0);
  return {
    moments,
    cutShare: values.length === 0 ? 0 : values.filter((value) => value > cap).length / values.length,
    keptTotal: total === 0 ? 1 : (moments.mean * moments.n) / total,
  };
}
