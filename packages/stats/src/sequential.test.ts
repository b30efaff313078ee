import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nextLook, planInflation, rejectionChance, sequentialBounds, spentAlpha } from "./group-sequential.ts";
import { mixtureCritical, mixtureScale, mixtureSequence, oneSidedCritical, oneSidedLogE, oneSidedMixture } from "./mixture.ts";
import { requiredUnits } from "./power.ts";
import { expectClose, METHODS, value } from "./reference.fixture.ts";
import { conversionSignal, valueSignal } from "./signal.ts";
import { judge, ledgerInflation, ledgerVerdict, planLook, planLooks } from "./two-ledgers.ts";

const evenly = (looks: number): number[] => Array.from({ length: looks }, (_, i) => (i + 1) / looks);

describe("group-sequential bounds", () => {
  it.each(METHODS.group_sequential)("agree with a plain fine-grid recursion: $spending, alpha $alpha, $sides sides", (row) => {
    const { looks } = value(sequentialBounds(row, row.fractions));
    looks.forEach(({ bound }, i) => {
      expectClose(bound ?? 0, row.bounds[i] ?? 0, 2e-6, `look ${i + 1}`);
    });
    expectClose(rejectionChance(looks, { drift: 0, sides: row.sides }), row.alpha, 1e-8, "type I error");
    expectClose(rejectionChance(looks, { drift: 2.8, sides: row.sides }), row.chanceAtDrift, 1e-6, "power");
  });

  it("five looks of the O'Brien-Fleming type have the published bounds", () => {
    const { looks } = value(sequentialBounds({ alpha: 0.05 }, evenly(5)));
    // Reboussin, DeMets, Kim and Lan, "Programs for computing group sequential boundaries" (2003).
    expect(looks.map(({ bound }) => Number(bound?.toFixed(3)))).toEqual([4.877, 3.357, 2.68, 2.29, 2.031]);
  });

  it("one look after another gives the same bounds as all at once", () => {
    const plan = { alpha: 0.045 };
    const { looks } = value(sequentialBounds(plan, [0.11, 0.5, 0.73, 1.2]));
    const past: (typeof looks)[number][] = [];
    for (const fraction of [0.11, 0.5, 0.73, 1.2]) {
      const { status: _, ...look } = value(nextLook(plan, past, fraction));
      past.push(look);
    }
    past.forEach((look, i) => {
      expect(look.spent).toBe(looks[i]?.spent);
      expectClose(look.bound ?? 0, looks[i]?.bound ?? 0, 1e-12);
    });
    expect(past[3]?.spent).toBe(0.045);
  });

  it("336 looks spend alpha exactly; the first ones have no bound at all", () => {
    const { looks } = value(sequentialBounds({ alpha: 0.05 }, evenly(336)));
    expect(looks[0]).toEqual({ fraction: 1 / 336, spent: 0 });
    expectClose(rejectionChance(looks, { drift: 0 }), 0.05, 1e-7);
    expectClose(rejectionChance(looks, { drift: 2.8 }), 0.785, 0.01);
  });

  it("does not look without new information, nor after the plan", () => {
    const past = [{ fraction: 0.5, spent: 0.003, bound: 2.96 }];
    expect(nextLook({}, past, 0.5)).toEqual({ status: "not-yet", reason: "information-not-grown" });
    expect(nextLook({}, past, 0.4)).toEqual({ status: "not-yet", reason: "information-not-grown" });
    expect(nextLook({}, [{ fraction: 1, spent: 0.05, bound: 2 }], 1.1)).toEqual({ status: "not-yet", reason: "plan-ended" });
  });

  it("spends nothing at 0, all at 1, and never less than before", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }), (a, b) => {
        for (const spending of ["obrien-fleming", "pocock", { power: 3 }] as const) {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          expect(spentAlpha({ spending }, low)).toBeLessThanOrEqual(spentAlpha({ spending }, high) + 1e-15);
        }
      }),
    );
    expect([spentAlpha({}, 0), spentAlpha({}, 1), spentAlpha({}, 3)]).toEqual([0, 0.05, 0.05]);
  });

  it("inflation: 1 for one look, a few percent for many", () => {
    expectClose(value(planInflation({}, { looks: 1 })).factor, 1, 1e-5);
    const five = value(planInflation({}, { looks: 5 })).factor;
    expect(five).toBeGreaterThan(1.02);
    expect(five).toBeLessThan(1.03);
    expect(value(planInflation({ spending: "pocock" }, { looks: 5 })).factor).toBeGreaterThan(1.15);
  });
});

describe("mixture sequences", () => {
  it.each(METHODS.mixtures)("evidence equals the integral over effects: $value, variance $variance", (row) => {
    expectClose(value(mixtureSequence(row, row)).logE, row.logE, 1e-9, "two-sided");
    expectClose(
      value(oneSidedMixture(row, { scale: row.scale, direction: "increase" })).logE,
      row.logEIncrease,
      1e-9,
      "one-sided",
    );
    const mirrored = { value: -row.value, variance: row.variance };
    expectClose(
      value(oneSidedMixture(mirrored, { scale: row.scale, direction: "decrease" })).logE,
      row.logEIncrease,
      1e-9,
      "mirrored",
    );
  });

  it("interval and evidence agree: the edge has evidence 1/alpha", () => {
    const { interval } = value(mixtureSequence({ value: 1, variance: 0.3 }, { scale: 0.7, alpha: 0.03 }));
    const edge = value(mixtureSequence({ value: 1 - interval.low, variance: 0.3 }, { scale: 0.7 }));
    expectClose(edge.logE, Math.log(1 / 0.03), 1e-12);
    for (const r of [0.1, 1, 50]) expectClose(oneSidedLogE(oneSidedCritical(r, 0.01), r), Math.log(100), 1e-9);
  });

  it("one-sided is tighter than two-sided at the same alpha", () => {
    const point = { value: 3, variance: 1 };
    const two = value(mixtureSequence(point, { scale: 2 })).interval;
    const one = value(oneSidedMixture(point, { scale: 2, direction: "increase" })).interval;
    expect(one.low).toBeGreaterThan(two.low);
    expect(one.high).toBeUndefined();
  });

  it("the tuned scale minimises the width where it was tuned", () => {
    const { scale } = value(mixtureScale({ variance: 4 }, { alpha: 0.005 }));
    const width = (s: number) => value(mixtureSequence({ value: 0, variance: 4 }, { scale: s, alpha: 0.005 })).interval.high;
    expect(width(scale)).toBeLessThan(width(scale * 1.05));
    expect(width(scale)).toBeLessThan(width(scale / 1.05));
  });
});

describe("signals", () => {
  it("conversions: burn-in counts expected conversions of the small arm", () => {
    const arms = { control: { n: 9500, successes: 95 }, treatment: { n: 500, successes: 0 } };
    expect(conversionSignal(arms)).toEqual({ status: "not-yet", reason: "burn-in" });
    const later = { control: { n: 9500, successes: 95 }, treatment: { n: 500, successes: 9 } };
    const p = 104 / 10_000;
    expectClose(value(conversionSignal(later)).variance, p * (1 - p) * (1 / 9500 + 1 / 500), 1e-12);
  });

  it("values: the larger variance when arms differ more than 2:1", () => {
    const wide = { n: 900, mean: 1, m2: 9000 };
    const narrow = { n: 100, mean: 1, m2: 10 };
    const [welch, pooled] = [9000 / 899 / 900 + 10 / 99 / 100, (9010 / 998) * (1 / 900 + 1 / 100)];
    expectClose(value(valueSignal({ control: wide, treatment: narrow })).variance, Math.max(welch, pooled), 1e-12);
    const even = { control: { n: 100, mean: 0, m2: 900 }, treatment: { n: 60, mean: 0, m2: 6 } };
    expectClose(value(valueSignal(even)).variance, 900 / 99 / 100 + 6 / 59 / 60, 1e-12);
    expect(valueSignal(even, { burnIn: 80 })).toEqual({ status: "not-yet", reason: "burn-in" });
  });
});

describe("two ledgers", () => {
  const plan = { informationMax: 1e6 };

  it("a look of the plan and the sequence; the interval is the narrower of both", () => {
    const effect = { value: 0.004, variance: 2e-6 };
    const { status: _, ...look } = value(planLook(plan, [], effect));
    expect(look.fraction).toBeCloseTo(0.5, 12);
    const verdict = value(ledgerVerdict(plan, effect, look));
    expect(verdict.rejectedBy).toEqual([]);
    expectClose(verdict.interval.high - verdict.value, (look.bound ?? 0) * Math.sqrt(2e-6), 1e-12);
    const strong = value(ledgerVerdict(plan, { value: 0.02, variance: 2e-6 }, look));
    expect(strong.rejectedBy).toEqual(["plan", "sequence"]);
    expect(strong.interval.low).toBeGreaterThan(0);
  });

  it("spends 0.9 alpha and what the sequence rejects at the plan's looks, exactly; 96 % of the power of one look at 336 looks", () => {
    const { looks } = value(planLooks(plan, evenly(336)));
    const end = looks[looks.length - 1];
    expectClose(rejectionChance(looks, { drift: 0 }), end?.spent ?? 0, 1e-8);
    expect(end?.spent).toBeGreaterThan(0.045);
    expect(end?.spent).toBeLessThan(0.05);
    const drift = 1.959963984540054 + 0.8416212335729143;
    expectClose(rejectionChance(looks, { drift }) / 0.8, 0.960826, 1e-6);
    expectClose(rejectionChance(value(planLooks(plan, evenly(14))).looks, { drift }) / 0.8, 0.965634, 1e-6);
    const r = value(mixtureScale({ variance: 2 }, { alpha: 0.005 })).scale ** 2;
    for (const { fraction, bound } of looks)
      expect(bound ?? 0).toBeLessThanOrEqual(mixtureCritical(r * fraction, 0.005) * (1 + 1e-12));
  });

  it("sized by its inflation, the pair has the wanted power", () => {
    const { factor } = value(ledgerInflation({}, { looks: 28, power: 0.9 }));
    const drift = (1.959963984540054 + 1.2815515655446004) * Math.sqrt(factor);
    expectClose(rejectionChance(value(planLooks(plan, evenly(28))).looks, { drift }), 0.9, 1e-5);
    expect(factor).toBeLessThan(1.09);
    const sized = value(requiredUnits({ unitVariance: 1, effect: 0.01 }, { power: 0.9, inflation: factor }));
    expectClose(Math.sqrt(sized.informationMax) * 0.01, drift, 1e-9);
    expect(ledgerInflation({}, { looks: 0 })).toEqual({ status: "undefined", reason: "invalid-input" });
  });

  it("one look after another gives the looks of the plan", () => {
    const fractions = [0.2, 0.35, 0.9, 1];
    const { looks } = value(planLooks(plan, fractions));
    const past: (typeof looks)[number][] = [];
    for (const fraction of fractions) {
      const { status: _, ...look } = value(planLook(plan, past, { variance: 1 / (fraction * plan.informationMax) }));
      past.push(look);
    }
    past.forEach((look, i) => {
      expectClose(look.bound ?? 0, looks[i]?.bound ?? 0, 1e-9);
    });
  });

  it("after the plan only the sequence speaks", () => {
    const past = [{ fraction: 1, spent: 0.045, bound: 2.005 }];
    const weak = value(judge(plan, past, { value: 0.0025, variance: 0.8e-6 }));
    expect(weak.look).toBeUndefined();
    expect(weak.rejectedBy).toEqual([]);
    expect(value(judge(plan, past, { value: 0.005, variance: 0.8e-6 })).rejectedBy).toEqual(["sequence"]);
  });
});
