/** Bars of everything that is looked at more than once. */
import {
  type Arms,
  conversionSignal,
  type Look,
  ledgerInflation,
  ledgerVerdict,
  mixtureScale,
  mixtureSequence,
  oneSidedMixture,
  type Proportion,
  planLooks,
  quantileOf,
  requiredUnits,
  shareVariance,
  srmSequence,
  valueSignal,
} from "@belay/stats";
import { type Bar, type Measured, medianOver, shareOf } from "./bar.ts";
import type { Random } from "./random.ts";

const LOOKS = 336;
const PER_LOOK = 100;
const BASE = 0.1;
const FRACTIONS = Array.from({ length: LOOKS }, (_, i) => (i + 1) / LOOKS);

export const SEQUENTIAL_BARS: readonly Bar[] = [
  {
    group: "Two ledgers",
    name: "A/A, 336 looks of a planned experiment",
    limit: { min: 0.035, max: 0.052 },
    format: "percent",
    runs: { quick: 600, full: 20_000 },
    simulate: (runs, random) => {
      const looks = plannedLooks();
      return shareOf(runs, () => falseAlarm(random, looks));
    },
  },
  {
    group: "Two ledgers",
    name: "power at the effect with 80 % power in one look, over that of one look",
    limit: { min: 0.96 },
    format: "percent",
    runs: { quick: 600, full: 500_000 },
    simulate: powerRatio,
  },
  ...[
    { treated: 0.5, perLook: 200 },
    { treated: 0.05, perLook: 200 },
    { treated: 0.01, perLook: 1000 },
  ].map(
    ({ treated, perLook }): Bar => ({
      group: "Any time",
      name: `A/A, 1,000 looks, conversion 1 %, ${100 * treated} % treated, score sequence`,
      limit: { max: 0.055 },
      format: "percent",
      runs: { quick: 200, full: 4000 },
      simulate: (runs, random) => shareOf(runs, () => endlessConversions(random, { treated, perLook })),
    }),
  ),
  ...(["increase", "decrease"] as const).map(
    (direction): Bar => ({
      group: "Any time",
      name: `A/A, revenue (90 % zeros, lognormal), 5 % treated, alpha 1 %, alarms on ${direction}`,
      limit: { max: 0.015 },
      format: "percent",
      runs: { quick: 150, full: 4000 },
      simulate: (runs, random) => shareOf(runs, () => revenueAlarm(random, direction)),
    }),
  ),
  {
    group: "Sample ratio",
    name: "clean 50/50 watched at 1,000 looks, alpha 0.1 %",
    limit: { max: 0.002 },
    format: "percent",
    runs: { quick: 300, full: 8000 },
    simulate: (runs, random) => shareOf(runs, () => Number.isFinite(srmAlarmUnits(random, { treated: 0.5, unitsMax: 200_000 }))),
  },
  {
    group: "Sample ratio",
    name: "51/49 instead of 50/50: units until the alarm, median",
    limit: { max: 50_000 },
    format: "units",
    runs: { quick: 200, full: 4000 },
    simulate: (runs, random) => medianOver(runs, () => srmAlarmUnits(random, { treated: 0.51, unitsMax: 400_000 })),
  },
];

export const SIZING_BARS: readonly Bar[] = [
  {
    group: "Sizing",
    name: "power of an experiment sized for 80 %: conversion 10 %, effect +10 %, 14 looks",
    limit: { min: 0.79, max: 0.81 },
    format: "percent",
    runs: { quick: 600, full: 100_000 },
    simulate: sizedPower,
  },
];

function plannedLooks(fractions: readonly number[] = FRACTIONS): readonly Look[] {
  const bounds = planLooks({ informationMax: 1 }, fractions);
  return bounds.status === "ok" ? bounds.looks : [];
}

function boundsOf(fractions: readonly number[]): number[] {
  return plannedLooks(fractions).map(({ bound }) => bound ?? Number.POSITIVE_INFINITY);
}

/** One planned experiment on conversions without effect: whether either ledger rejects at any look. */
function falseAlarm(random: Random, looks: readonly Look[]): boolean {
  const finalVariance = (2 * BASE * (1 - BASE)) / (LOOKS * PER_LOOK);
  const plan = { informationMax: 1 / finalVariance };
  let control = 0;
  let treatment = 0;
  return looks.some((look, i) => {
    control += random.binomial(PER_LOOK, BASE);
    treatment += random.binomial(PER_LOOK, BASE);
    const n = (i + 1) * PER_LOOK;
    const signal = conversionSignal({ control: { n, successes: control }, treatment: { n, successes: treatment } });
    if (signal.status !== "ok") return false;
    const verdict = ledgerVerdict(plan, signal, look);
    return verdict.status === "ok" && verdict.rejectedBy.length > 0;
  });
}

// Both tests see the same data, so the ratio is much surer than either. By bounds alone, which hold the sequence's too: a share of 96 %
// is told from one of 95.9 % by half a million experiments.
function powerRatio(runs: number, random: Random): Measured {
  const bounds = boundsOf(FRACTIONS);
  const effect = effectOfOneLook(LOOKS * PER_LOOK);
  let both = 0;
  let sequential = 0;
  let single = 0;
  for (let run = 0; run < runs; run++) {
    const found = crossings(random, { bounds, effect, perLook: PER_LOOK });
    if (found.sequential) sequential++;
    if (found.single) single++;
    if (found.sequential && found.single) both++;
  }
  const discordant = sequential + single - 2 * both;
  return { value: sequential / single, standardError: Math.sqrt(Math.max(1, discordant)) / single };
}

function sizedPower(runs: number, random: Random): Measured {
  const looks = 14;
  const effect = BASE / 10;
  const inflation = ledgerInflation({}, { looks });
  const variance = shareVariance(BASE, { effect });
  if (inflation.status !== "ok" || variance.status !== "ok") return { value: Number.NaN, standardError: 0 };
  const sizing = requiredUnits({ unitVariance: variance.unitVariance, effect }, { inflation: inflation.factor });
  const perLook = sizing.status === "ok" ? Math.ceil(sizing.perArm.control / looks) : 0;
  const bounds = boundsOf(Array.from({ length: looks }, (_, i) => (i + 1) / looks));
  return shareOf(runs, () => crossings(random, { bounds, effect, perLook }).sequential);
}

/** The effect with 80 % power in one look at n units an arm: as a score test sees it, by the pooled variance, under the effect's own. */
function effectOfOneLook(n: number): number {
  let effect = 0;
  for (let step = 0; step < 50; step++) {
    const treated = BASE + effect;
    const middle = BASE + effect / 2;
    const spread = BASE * (1 - BASE) + treated * (1 - treated);
    effect = (upperZ(0.025) * Math.sqrt(2 * middle * (1 - middle)) + upperZ(0.2) * Math.sqrt(spread)) / Math.sqrt(n);
  }
  return effect;
}

function upperZ(upper: number): number {
  const z = quantileOf({ law: "normal" }, { upper });
  return z.status === "ok" ? z.value : Number.NaN;
}

function crossings(random: Random, { bounds, effect, perLook }: { bounds: readonly number[]; effect: number; perLook: number }) {
  let control = 0;
  let treatment = 0;
  let sequential = false;
  let z = 0;
  bounds.forEach((bound, i) => {
    control += random.binomial(perLook, BASE);
    treatment += random.binomial(perLook, BASE + effect);
    const n = (i + 1) * perLook;
    const signal = conversionSignal({ control: { n, successes: control }, treatment: { n, successes: treatment } });
    if (signal.status !== "ok") return;
    z = Math.abs(signal.value) / Math.sqrt(signal.variance);
    sequential ||= z >= bound;
  });
  return { sequential, single: z >= upperZ(0.025) };
}

function endlessConversions(random: Random, { treated, perLook }: { treated: number; perLook: number }): boolean {
  const p = 0.01;
  const perArm = { treatment: Math.round(perLook * treated), control: Math.round(perLook * (1 - treated)) };
  const middle = (p * (1 - p) * (1 / perArm.treatment + 1 / perArm.control)) / 500;
  const tuned = mixtureScale({ variance: middle });
  const scale = tuned.status === "ok" ? tuned.scale : 0;
  let arms: Arms<Proportion> = { control: { n: 0, successes: 0 }, treatment: { n: 0, successes: 0 } };
  for (let look = 0; look < 1000; look++) {
    arms = {
      control: { n: arms.control.n + perArm.control, successes: arms.control.successes + random.binomial(perArm.control, p) },
      treatment: {
        n: arms.treatment.n + perArm.treatment,
        successes: arms.treatment.successes + random.binomial(perArm.treatment, p),
      },
    };
    const signal = conversionSignal(arms);
    if (signal.status !== "ok") continue;
    const sequence = mixtureSequence(signal, { scale });
    if (sequence.status === "ok" && sequence.pValue <= 0.05) return true;
  }
  return false;
}

const REVENUE = { units: 20_000, perLook: 100, treated: 0.05, buyers: 0.1, mu: 3, sigma: 1 };

function revenueAlarm(random: Random, direction: "increase" | "decrease"): boolean {
  const { units, perLook, treated, buyers, mu, sigma } = REVENUE;
  const unitVariance = buyers * Math.exp(2 * mu + 2 * sigma ** 2) - (buyers * Math.exp(mu + sigma ** 2 / 2)) ** 2;
  const tuned = mixtureScale({ variance: unitVariance / (units * 0.5 * treated * (1 - treated)) }, { alpha: 0.01 });
  const scale = tuned.status === "ok" ? tuned.scale : 0;
  const control = runningMoments();
  const treatment = runningMoments();
  for (let unit = 1; unit <= units; unit++) {
    const value = random.uniform() < buyers ? Math.exp(mu + sigma * random.normal()) : 0;
    if (random.uniform() < treated) treatment.add(value);
    else control.add(value);
    if (unit % perLook !== 0) continue;
    const signal = valueSignal({ control: control.moments(), treatment: treatment.moments() }, { careful: "always", burnIn: 50 });
    if (signal.status !== "ok") continue;
    const evidence = oneSidedMixture(signal, { scale, direction, alpha: 0.01 });
    if (evidence.status === "ok" && evidence.logE >= Math.log(100)) return true;
  }
  return false;
}

function runningMoments() {
  let n = 0;
  let mean = 0;
  let m2 = 0;
  return {
    add: (value: number): void => {
      n++;
      const gap = value - mean;
      mean += gap / n;
      m2 += gap * (value - mean);
    },
    moments: () => ({ n, mean, m2 }),
  };
}

function srmAlarmUnits(random: Random, { treated, unitsMax }: { treated: number; unitsMax: number }): number {
  const perLook = unitsMax / 1000;
  let hits = 0;
  for (let units = perLook; units <= unitsMax; units += perLook) {
    hits += random.binomial(perLook, treated);
    const sequence = srmSequence([{ counts: [hits, units - hits], weights: [1, 1] }]);
    if (sequence.status === "ok" && sequence.alarm) return units;
  }
  return Number.POSITIVE_INFINITY;
}
