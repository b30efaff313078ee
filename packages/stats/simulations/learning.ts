/** Bars of ramps, shrinkage, holdouts and units that saw two variants. */
import {
  fitPrior,
  holdoutProportion,
  type Proportion,
  pooledProportions,
  proportionDifference,
  type Stratum,
  shrink,
  stratifiedProportions,
} from "@belay/stats";
import { type Bar, type Measured, meanOver, measuredShare, shareOf } from "./bar.ts";
import { covers, rejects } from "./fixed.ts";
import type { Random } from "./random.ts";

const RAMP = [
  { share: 0.01, base: 0.1 },
  { share: 0.05, base: 0.115 },
  { share: 0.1, base: 0.13 },
  { share: 0.25, base: 0.15 },
  { share: 0.5, base: 0.17 },
];
const EPOCH_UNITS = 20_000;

export const LEARNING_BARS: readonly Bar[] = [
  {
    group: "Ramps",
    name: "A/A over a ramp 1-5-10-25-50 % while the base moves from 10 to 17 %, stratified by epoch",
    limit: { max: 0.059 },
    format: "percent",
    runs: { quick: 3000, full: 20_000 },
    simulate: (runs, random) => shareOf(runs, () => rejects(stratifiedProportions(ramp(random)))),
  },
  {
    group: "Ramps",
    name: "the pooled estimate of that ramp is refused",
    limit: { min: 1 },
    format: "percent",
    runs: { quick: 200, full: 2000 },
    simulate: (runs, random) => {
      const refused = shareOf(runs, () => pooledProportions(ramp(random)).status !== "ok").value;
      return { value: refused, standardError: 0 };
    },
  },
  {
    group: "Learning",
    name: "shrunken 95 % intervals cover, normal effects, prior fitted to 200 tests",
    limit: { min: 0.94, max: 0.96 },
    format: "percent",
    runs: { quick: 20, full: 500 },
    simulate: shrunkenCoverage,
  },
  {
    group: "Learning",
    name: "holdout 95 % intervals cover, 5 % held out of a million",
    limit: { min: 0.94, max: 0.96 },
    format: "percent",
    runs: { quick: 2000, full: 10_000 },
    simulate: (runs, random) =>
      shareOf(runs, () => {
        const heldOut = { n: 50_000, successes: random.binomial(50_000, 0.1) };
        const rest = { n: 950_000, successes: random.binomial(950_000, 0.1022) };
        return covers(holdoutProportion({ heldOut, rest }), 0.0022);
      }),
  },
  {
    group: "Learning",
    name: "units that saw two variants, kept as first assigned: bias at a 10 % base",
    limit: { min: -0.0005, max: 0.0005 },
    format: "number",
    runs: { quick: 100, full: 2000 },
    simulate: (runs, random) => meanOver(runs, () => crossingBias(random, { drop: false })),
  },
  {
    group: "Learning",
    name: "the same units dropped instead: the bias that rule avoids",
    limit: { max: -0.002 },
    format: "number",
    runs: { quick: 100, full: 2000 },
    simulate: (runs, random) => meanOver(runs, () => crossingBias(random, { drop: true })),
  },
];

function ramp(random: Random): Stratum<Proportion>[] {
  return RAMP.map(({ share, base }, epoch) => {
    const treated = random.binomial(EPOCH_UNITS, share);
    const arm = (n: number): Proportion => ({ n, successes: random.binomial(n, base) });
    return { key: String(epoch + 1), arms: { control: arm(EPOCH_UNITS - treated), treatment: arm(treated) } };
  });
}

function shrunkenCoverage(runs: number, random: Random): Measured {
  const tests = 200;
  const noise = 0.01;
  let covered = 0;
  for (let run = 0; run < runs; run++) {
    const truths = Array.from({ length: tests }, () => 0.002 + 0.01 * random.normal());
    const effects = truths.map((truth) => ({ value: truth + noise * random.normal(), variance: noise * noise }));
    const prior = fitPrior(effects, { defaultSd: 0.01 });
    if (prior.status !== "ok") continue;
    effects.forEach((effect, i) => {
      if (covers(shrink(effect, prior), truths[i] ?? 0)) covered++;
    });
  }
  // Tests of one run share a prior: count runs' worth of error generously.
  const share = measuredShare(covered, runs * tests);
  return { value: share.value, standardError: 2 * share.standardError };
}

// No true effect; active units convert more and see the other variant more often, in treatment five times as often.
function crossingBias(random: Random, { drop }: { drop: boolean }): number {
  const active = 0.3 * 50_000;
  const passive = 0.7 * 50_000;
  const arm = (crossing: number): Proportion => {
    const crossed = random.binomial(active, crossing);
    const counted = drop ? active - crossed : active;
    return { n: counted + passive, successes: random.binomial(counted, 0.2) + random.binomial(passive, 0.4 / 7) };
  };
  const estimate = proportionDifference({ control: arm(0.02), treatment: arm(0.1) });
  return estimate.status === "ok" ? estimate.value : Number.NaN;
}
