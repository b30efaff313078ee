import type { PulledMetric } from "./pulled.ts";

/** A share of one arm: how many of how many. */
export interface Share {
  readonly arm: string;
  readonly units: number;
  readonly successes: number;
}

/** The difference of two shares in percentage points, with its 95 % interval (normal approximation, unpooled). */
export interface Difference {
  readonly points: number;
  readonly from: number;
  readonly to: number;
}

/** How many units of each arm had a 1 in the metric; `armOf` says who belongs where. */
export function sharesByArm(
  events: readonly PulledMetric[],
  metric: string,
  armOf: (unit: string) => string | undefined,
): Share[] {
  const arms = new Map<string, { units: number; successes: number }>();
  for (const { name, unit, value } of events) {
    const arm = armOf(unit);
    if (name !== metric || arm === undefined) continue;
    const counted = arms.get(arm) ?? { units: 0, successes: 0 };
    arms.set(arm, { units: counted.units + 1, successes: counted.successes + value });
  }
  return [...arms].map(([arm, counted]) => ({ arm, ...counted })).sort((a, b) => (a.arm < b.arm ? -1 : 1));
}

/** `second - first`, in percentage points. */
export function difference(first: Share, second: Share): Difference {
  const points = 100 * (rate(second) - rate(first));
  const error = 100 * 1.959964 * Math.sqrt(variance(first) + variance(second));
  return { points, from: points - error, to: points + error };
}

export function rate({ units, successes }: Share): number {
  return successes / units;
}

/** Variance of an observed share. */
function variance(share: Share): number {
  return (rate(share) * (1 - rate(share))) / share.units;
}
