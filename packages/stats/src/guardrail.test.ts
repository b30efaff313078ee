import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countNonInferiority, eventSplit, HARM_RATIOS, observeFailures, splitEvidence, startEventSplit } from "./event-split.ts";
import { conversionGuardrail, guardrailVerdict, valueGuardrail } from "./guardrail.ts";
import { momentsOf } from "./moments.ts";
import { nonInferiority, relativeNonInferiority } from "./non-inferiority.ts";
import { expectClose, METHODS, value } from "./reference.fixture.ts";
import { normalTail } from "./special/normal.ts";

describe("event split", () => {
  it.each(METHODS.event_split)(
    "equals likelihood ratios of scipy's binomials, tolerance $tolerance",
    ({ cells, tolerance, logE }) => {
      expectClose(value(eventSplit(cells, { tolerance })).logE, logE, 1e-9);
    },
  );

  it("is a fair bet: the expected evidence of one event is 1", () => {
    const at = (treated: number) => Math.exp(value(eventSplit([{ hour: 0, share: 0.07, treated, total: 1 }])).logE);
    expectClose(0.07 * at(1) + 0.93 * at(0), 1, 1e-12);
    const tolerant = (treated: number) =>
      Math.exp(value(eventSplit([{ hour: 5, share: 0.5, treated, total: 1 }], { tolerance: 0.5 })).logE);
    // At the edge of what is tolerated the share is 0.5 x 1.5 / (1 + 0.5 x 0.5) = 0.6.
    expectClose(0.6 * tolerant(1) + 0.4 * tolerant(0), 1, 1e-12);
  });

  it("does not change when a cell comes in pieces", () => {
    const split = fc.tuple(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 20 }));
    fc.assert(
      fc.property(split, ([first, second, rest]) => {
        const cell = (treated: number, total: number) => ({ hour: 3, share: 0.2, treated, total });
        const whole = value(eventSplit([cell(first + second, first + second + rest)])).logE;
        const pieces = value(eventSplit([cell(first, first), cell(0, rest), cell(second, second)])).logE;
        expectClose(pieces, whole, 1e-9, "evidence", 1e-12);
      }),
    );
  });

  it("remembers hours, not events, and reports the rate ratio over all cells", () => {
    let state = startEventSplit();
    for (let i = 0; i < 1000; i++) {
      state = value(observeFailures(state, { hour: Math.floor(i / 100), share: 0.5, treated: i % 3 === 0 ? 1 : 0, total: 1 }));
    }
    expect(state.restarts.length).toBe(9);
    expect(state.logs.length).toBe(HARM_RATIOS.length);
    expectClose(value(splitEvidence(state)).rateRatio ?? 0, 334 / 666, 1e-12);
    expect(observeFailures(state, { hour: 2, share: 0.5, treated: 0, total: 1 })).toEqual({
      status: "undefined",
      reason: "invalid-input",
    });
  });

  it("refuses a tolerance that tolerates everything", () => {
    const cell = { hour: 0, share: 0.5, treated: 1, total: 2 };
    const refusal = { status: "undefined", reason: "invalid-input" };
    for (const tolerance of [Number.POSITIVE_INFINITY, Number.NaN, -0.1]) {
      expect(observeFailures(startEventSplit(), cell, { tolerance })).toEqual(refusal);
      expect(countNonInferiority([cell], { tolerance })).toEqual(refusal);
    }
    expect(value(eventSplit([cell], { tolerance: Number.MAX_VALUE })).logE).toBeLessThan(0);
  });

  it("watches rare good events from the other side", () => {
    const lost = value(eventSplit([{ hour: 0, share: 0.5, treated: 10, total: 60 }], { harm: "decrease" }));
    const gained = value(eventSplit([{ hour: 0, share: 0.5, treated: 50, total: 60 }], { harm: "increase" }));
    expectClose(lost.logE, gained.logE, 1e-12);
  });

  it("non-inferiority of counts grows with evidence that the ratio is below the margin", () => {
    const cell = (treated: number) => [{ hour: 0, share: 0.5, treated, total: 400 }];
    expect(value(countNonInferiority(cell(190), { tolerance: 0.5 })).logE).toBeGreaterThan(Math.log(20));
    expect(value(countNonInferiority(cell(240), { tolerance: 0.5 })).logE).toBeLessThan(0);
    expect(countNonInferiority(cell(190), { tolerance: 0 })).toEqual({ status: "undefined", reason: "invalid-input" });
  });
});

describe("guardrail verdicts", () => {
  it("pause at 20, roll back at 100 times the number of guardrails", () => {
    const at = (e: number, guardrails: number) => guardrailVerdict({ logE: Math.log(e), guardrails });
    expect(guardrailVerdict({ logE: Number.NaN, guardrails: 1 })).toBe("pause");
    expect([at(19, 1), at(21, 1), at(101, 1), at(101, 2), at(201, 2)]).toEqual([
      "quiet",
      "pause",
      "rollback",
      "pause",
      "rollback",
    ]);
  });

  it("values: 50 units an arm before anything is said, evidence only for the harmful direction", () => {
    const spread = (n: number, mean: number) => momentsOf(Array.from({ length: n }, (_, i) => mean + (i % 2 === 0 ? 1 : -1)));
    const options = { harm: "increase", scale: 0.3 } as const;
    expect(valueGuardrail({ control: spread(1000, 0), treatment: spread(49, 5) }, options)).toEqual({
      status: "not-yet",
      reason: "burn-in",
    });
    const worse = value(valueGuardrail({ control: spread(1000, 0), treatment: spread(100, 1) }, options));
    expect(worse.logE).toBeGreaterThan(Math.log(100));
    const better = value(valueGuardrail({ control: spread(1000, 0), treatment: spread(100, -1) }, options));
    expect(better.logE).toBeLessThan(0);
    const tolerated = value(
      valueGuardrail({ control: spread(1000, 0), treatment: spread(100, 1) }, { ...options, tolerance: 1 }),
    );
    expect(tolerated.logE).toBeLessThan(0);
    expect(tolerated.value).toBe(worse.value);
    expectClose(tolerated.interval.low ?? 0, worse.interval.low ?? 0, 1e-12);
  });

  it("conversions: expected conversions as burn-in", () => {
    const arms = { control: { n: 1000, successes: 300 }, treatment: { n: 100, successes: 2 } };
    expect(value(conversionGuardrail(arms, { harm: "decrease", scale: 0.05 })).logE).toBeGreaterThan(Math.log(100));
  });
});

describe("non-inferiority", () => {
  it("is the shifted one-sided test", () => {
    const passed = value(nonInferiority({ value: -0.1, variance: 0.01 }, { margin: 0.5, good: "increase" }));
    expectClose(passed.pValue, normalTail(4), 1e-12);
    expect(passed.isNonInferior).toBe(true);
    expectClose(passed.interval.low ?? 0, -0.1 - 0.1 * 1.6448536269514722, 1e-12);
    const failed = value(nonInferiority({ value: 0.45, variance: 0.01 }, { margin: 0.5, good: "decrease" }));
    expect([failed.isNonInferior, failed.interval.low]).toEqual([false, undefined]);
  });

  it("relative: test and bound decide alike", () => {
    for (const good of ["increase", "decrease"] as const) {
      for (const treatment of [9.6, 9.72, 9.8, 10, 10.2, 10.3, 10.5]) {
        const arms = { control: { value: 10, variance: 0.01 }, treatment: { value: treatment, variance: 0.02 } };
        const result = value(relativeNonInferiority(arms, { margin: 0.05, good }));
        const byBound = good === "increase" ? (result.interval.low ?? 0) >= -0.05 : (result.interval.high ?? 0) <= 0.05;
        expect(byBound).toBe(result.isNonInferior);
      }
    }
    const zero = { control: { value: 0, variance: 0.01 }, treatment: { value: 1, variance: 0.02 } };
    expect(relativeNonInferiority(zero, { margin: 0.05, good: "increase" })).toEqual({
      status: "undefined",
      reason: "control-near-zero",
    });
  });
});
