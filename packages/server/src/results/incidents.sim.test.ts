import type { FrozenMetric, IncidentReport, Stated, StatedEffect } from "@belay/protocol";
import { type Dice, seeded } from "@belay/testkit";
import { beforeAll, describe, expect, it } from "vitest";
import type { ExperimentDocument } from "../state/workspace.ts";
import type { Aggregate } from "../store/events/index.ts";
import type { Facts } from "./facts.ts";
import { resultsOf } from "./results.ts";

/**
 * An experiment through which an incident goes: something only the new version asks breaks down for a while. 10 % convert,
 * the new version truly makes it a twentieth more; a sixth of the units come while it is broken, and then half of those of
 * the new version are lost, and a fifth of everybody's.
 */
const RUNS = Number(process.env["BELAY_SIM_RUNS"] ?? 1_000);
const TRUE_EFFECT = 0.05;
const BASE = 0.1;
const UNITS = { outside: 20_000, inside: 4_000 } as const;
const SHOCK = { control: 0.8, treatment: 0.5 } as const;

const METRIC: FrozenMetric = {
  key: "bought",
  version: 1,
  measure: { kind: "proportion", events: { name: "buy" } },
  window: { toHours: 24 },
  good: "increase",
  tolerance: 0.02,
};
const STARTED = "2026-11-01T00:00:00.000Z";
const DOCUMENT: ExperimentDocument = {
  hypothesis: "h",
  tags: [],
  flag: "f",
  environment: "production",
  control: "a",
  treatments: ["b"],
  metrics: { primary: ["bought"], secondary: [], guardrails: [] },
  segments: [],
  status: "running",
  createdAt: STARTED,
  startedAt: STARTED,
  phases: [{ epoch: 1, from: STARTED, weights: { a: 1, b: 1 } }],
  frozen: { at: STARTED, hash: "h", metrics: [METRIC] },
};

interface Sizes {
  readonly a: number;
  readonly b: number;
}

/** Units that bought, of so many each of which does with a chance: a normal draw, which at these sizes is as good. */
function bought(dice: Dice, units: number, chance: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - dice.fraction())) * Math.cos(2 * Math.PI * dice.fraction());
  return Math.round(units * chance + normal * Math.sqrt(units * chance * (1 - chance)));
}

function aggregateOf(units: number, { a, b }: Sizes): Aggregate {
  const day = Math.floor(Date.parse(STARTED) / 86_400_000);
  const of = { epoch: 1, day } as const;
  const cell = (variant: string, x: number) => ({
    ...of,
    variant,
    metric: "bought",
    scope: "all" as const,
    n: units,
    first: [x],
    second: [x],
  });
  const arms = ["a", "b"].map((variant) => ({ ...of, variant, units, crossed: 0 }));
  return { arms, outcomes: [cell("a", a), cell("b", b)], quantiles: [] };
}

function reportOf(dice: Dice, shock: { readonly control: number; readonly treatment: number }): IncidentReport {
  const lift = 1 + TRUE_EFFECT;
  const draw = (units: number, { control, treatment }: typeof shock): Sizes => ({
    a: bought(dice, units, BASE * control),
    b: bought(dice, units, BASE * lift * treatment),
  });
  const outside = draw(UNITS.outside, { control: 1, treatment: 1 });
  const inside = draw(UNITS.inside, shock);
  const whole = aggregateOf(UNITS.outside + UNITS.inside, { a: outside.a + inside.a, b: outside.b + inside.b });
  const others = [aggregateOf(UNITS.outside, outside)];
  const facts: Facts = {
    project: "p",
    experiment: "e",
    document: DOCUMENT,
    population: "exposed",
    looks: { looks: [] },
    atMs: Date.parse(STARTED) + 5 * 86_400_000,
    lagMs: 0,
    aggregate: whole,
    accounts: [],
    past: [],
    incidents: [{ key: "i", reason: "the recommender was down", during: aggregateOf(UNITS.inside, inside), others }],
    interactions: [],
  };
  const [report] = resultsOf(facts).incidents;
  if (report === undefined) throw new Error("there is one incident and one comparison");
  return report;
}

function given(effect: Stated<StatedEffect>): StatedEffect {
  if (effect.status !== "ok") throw new Error(`no effect: ${effect.reason}`);
  return effect;
}

function covers(effect: Stated<StatedEffect>, truth: number): boolean {
  const { low, high } = given(effect).interval;
  return low <= truth && truth <= high;
}

const shareOf = (reports: readonly IncidentReport[], holds: (report: IncidentReport) => boolean): number =>
  reports.filter(holds).length / reports.length;
const meanOf = (reports: readonly IncidentReport[], of: (report: IncidentReport) => number): number =>
  reports.reduce((sum, report) => sum + of(report), 0) / reports.length;

describe(`an incident that hits the new version harder, ${RUNS} experiments`, () => {
  let reports: IncidentReport[];
  beforeAll(() => {
    const dice = seeded(20_261_123);
    reports = Array.from({ length: RUNS }, () => reportOf(dice, SHOCK));
  });

  it("biases what is estimated from everybody, whose 95 % interval holds the true effect in 60 % of them or fewer", () => {
    expect(meanOf(reports, ({ with: all }) => given(all).value) - TRUE_EFFECT).toBeLessThan(-0.04);
    expect(shareOf(reports, ({ with: all }) => covers(all, TRUE_EFFECT))).toBeLessThan(0.6);
  });

  it("leaves what is estimated without it unbiased, and its interval holds the true effect in 93 % or more", () => {
    expect(Math.abs(meanOf(reports, ({ without }) => given(without).value) - TRUE_EFFECT)).toBeLessThan(0.005);
    const covered = shareOf(reports, ({ without }) => covers(without, TRUE_EFFECT));
    expect(covered).toBeGreaterThanOrEqual(0.93);
    expect(covered).toBeLessThanOrEqual(0.97);
  });

  it("is named as what changed the effect", () => {
    expect(shareOf(reports, ({ interaction }) => given(interaction).interval.high < 0)).toBeGreaterThan(0.95);
  });
});

describe(`an incident that hits everybody alike, ${RUNS} experiments`, () => {
  it("changes no effect: it is named in 7 % of them or fewer, and both intervals hold the true effect", () => {
    const dice = seeded(20_261_124);
    const reports = Array.from({ length: RUNS }, () => reportOf(dice, { control: 0.5, treatment: 0.5 }));
    expect(shareOf(reports, ({ interaction }) => !covers(interaction, 0))).toBeLessThanOrEqual(0.07);
    expect(shareOf(reports, ({ with: all }) => covers(all, TRUE_EFFECT))).toBeGreaterThanOrEqual(0.93);
    expect(shareOf(reports, ({ without }) => covers(without, TRUE_EFFECT))).toBeGreaterThanOrEqual(0.93);
  });
});
