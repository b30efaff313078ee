/* The effect of a release on what a guardrail counts, over stretches of time that are each compared within themselves. Pure. */
import type { Guardrail, Stated, StatedEffect } from "@belay/protocol";
import { type Moments, type Result, rateRatio, refuse, relativeEffect, unitVariance } from "@belay/stats";

/** What was counted in one stretch. */
export interface Stratum {
  /** Of the units that were compared, those treated. */
  readonly share: number;
  readonly treated: Moments;
  readonly control: Moments;
}

/** Of each arm in one stretch, before its mean counts. */
const UNITS_MIN = 2;

/** As a share of control, at 95 %. Stretches in which all units are on one side tell nothing. */
export function effectOver(strata: readonly Stratum[], kind: Guardrail["measure"]["kind"]): Stated<StatedEffect> {
  const compared = strata.filter(({ share }) => share > 0 && share < 1);
  return stated(kind === "failures" ? rateOf(compared) : meanOf(compared));
}

function rateOf(strata: readonly Stratum[]): Result<StatedEffect> {
  return rateRatio(strata.map(({ share, treated, control }) => ({ share, treated: treated.n, total: treated.n + control.n })));
}

/** Means of both arms over the stretches, weighted by how much each can tell, so that a drift over a ramp is no effect. */
function meanOf(strata: readonly Stratum[]): Result<StatedEffect> {
  const usable = strata.filter(({ treated, control }) => treated.n >= UNITS_MIN && control.n >= UNITS_MIN);
  const weights = usable.map(({ treated, control }) => (treated.n * control.n) / (treated.n + control.n));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  if (total === 0) return refuse("too-few-units");
  const arm = (of: (stratum: Stratum) => Moments) => ({
    value: usable.reduce((sum, stratum, i) => sum + (weights[i] ?? 0) * of(stratum).mean, 0) / total,
    variance:
      usable.reduce((sum, stratum, i) => {
        const moments = of(stratum);
        return sum + ((weights[i] ?? 0) ** 2 * (unitVariance(moments) ?? 0)) / moments.n;
      }, 0) /
      total ** 2,
  });
  return relativeEffect({ control: arm(({ control }) => control), treatment: arm(({ treated }) => treated) });
}

function stated(effect: Result<StatedEffect>): Stated<StatedEffect> {
  if (effect.status !== "ok") return effect;
  const { value, standardError, interval, pValue } = effect;
  return { status: "ok", value, standardError, interval, pValue };
}
