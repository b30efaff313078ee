import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { holdoutEffect, holdoutProportion } from "./holdout.ts";
import { interactionOf, interactionScreen } from "./interaction.ts";
import { meanPoint, momentsOf } from "./moments.ts";
import { adjustPValues } from "./multiplicity.ts";
import {
  detectableEffect,
  detectableOverRamp,
  powerOf,
  ratioUnitVariance,
  requiredDuration,
  requiredUnits,
  shareVariance,
} from "./power.ts";
import { biasSlope, calibrate, crpsNormal, exactInterval, scorePrediction } from "./prediction.ts";
import { expectClose, METHODS, R_METHODS, value } from "./reference.fixture.ts";
import { shipAdvice } from "./ship.ts";
import { cumulativeEffect, fitPrior, shrink } from "./shrinkage.ts";
import { noncentralStudentTail } from "./special/noncentral-student.ts";

describe("multiplicity", () => {
  it.each(METHODS.multiplicity)("agrees with statsmodels at $p", (row) => {
    for (const method of ["holm", "benjamini-hochberg"] as const) {
      value(adjustPValues(row.p, { method })).tests.forEach(({ adjustedP }, i) => {
        expectClose(adjustedP, row[method][i] ?? 0, 1e-12, method);
      });
    }
  });

  it("agrees with R", () => {
    const p = R_METHODS["adjustP"] ?? [];
    const adjusted = (method: "holm" | "benjamini-hochberg") =>
      value(adjustPValues(p, { method })).tests.map((test) => test.adjustedP);
    adjusted("holm").forEach((q, i) => {
      expectClose(q, R_METHODS["holm"]?.[i] ?? 0, 1e-12);
    });
    adjusted("benjamini-hochberg").forEach((q, i) => {
      expectClose(q, R_METHODS["bh"]?.[i] ?? 0, 1e-12);
    });
  });

  it("an interval at intervalAlpha excludes 0 exactly when the test is rejected", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 }), (ps) => {
        for (const method of ["holm", "benjamini-hochberg"] as const) {
          value(adjustPValues(ps, { method })).tests.forEach(({ rejected, intervalAlpha }, i) => {
            const p = ps[i] ?? 1;
            if (Math.abs(p - intervalAlpha) > 1e-12) expect(p <= intervalAlpha).toBe(rejected);
          });
        }
      }),
    );
  });
});

describe("interactions", () => {
  const { cells } = METHODS.interaction;
  const cell = (name: keyof typeof cells) => ({ ...value(meanPoint(momentsOf(cells[name]))), n: cells[name].length });
  const four = { cc: cell("cc"), ct: cell("ct"), tc: cell("tc"), tt: cell("tt") };

  it("equal the product term with HC2 errors in statsmodels", () => {
    const estimate = value(interactionOf(four));
    expectClose(estimate.value, METHODS.interaction.value, 1e-9);
    expectClose(estimate.standardError, METHODS.interaction.standardError, 1e-9);
    expectClose(estimate.pValue, METHODS.interaction.p, 1e-8);
    expectClose(estimate.smallestDetectable / estimate.standardError, 2.8015853, 1e-6);
  });

  it("the screen lists tested pairs by adjusted p, and says why others were not tested", () => {
    const cellOf = (v: number, n: number) => ({ value: v, variance: 1 / n, n });
    const pair = (key: string, tt: number, nTT = 2000, n = 2000) => ({
      key,
      cells: { cc: cellOf(0, n), ct: cellOf(0, n), tc: cellOf(0, n), tt: cellOf(tt, nTT) },
    });
    const screen = value(
      interactionScreen([pair("quiet", 0.01), pair("loud", 1), pair("small", 1, 500, 500), pair("hashed", 0, 4000)]),
    );
    expect(screen.pairs.map(({ key, interacts }) => [key, interacts])).toEqual([
      ["loud", true],
      ["quiet", false],
    ]);
    expect(screen.skipped).toEqual([
      { key: "small", reason: "too-few-units" },
      { key: "hashed", reason: "assignment-dependent" },
    ]);
  });
});

describe("power", () => {
  it.each(METHODS.power.sizes)(
    "sizes agree with statsmodels: effect $effect, share $treatmentShare",
    ({ effect, units, ...design }) => {
      const sized = value(requiredUnits({ unitVariance: 1, effect }, design));
      expect(Math.abs(sized.units - units)).toBeLessThanOrEqual(2.2);
      const reached = value(powerOf({ unitVariance: 1, effect, units }, design));
      expectClose(reached.power, design.power, 2e-4);
    },
  );

  it("noncentral t agrees with scipy, power with R", () => {
    for (const { t, df, shift, tail } of METHODS.power.noncentral)
      expectClose(noncentralStudentTail({ t, df, shift }), tail, 1e-7);
    expectClose(value(powerOf({ unitVariance: 1, effect: 0.5, units: 128 })).power, R_METHODS["powerOf"]?.[0] ?? 0, 1e-7);
    expect(value(requiredUnits({ unitVariance: 1, effect: 0.3 }, { power: 0.9 })).perArm.control).toBe(
      Math.ceil(R_METHODS["powerN"]?.[0] ?? 0),
    );
  });

  it("units, effect and duration invert each other", () => {
    const design = { treatmentShare: 0.2, correlation: 0.6, inflation: 1.03, guardrails: 3, successMetrics: 2 };
    const { effect } = value(detectableEffect({ unitVariance: 2, units: 50_000 }, design));
    const sized = value(requiredUnits({ unitVariance: 2, effect }, design));
    expect(Math.abs(sized.units - 50_000)).toBeLessThanOrEqual(2);
    expectClose(sized.allocationLoss, 1 / (4 * 0.2 * 0.8), 1e-12);
    const daily = Array.from({ length: 20 }, () => ({ units: 5000, treatmentShare: 0.2 }));
    expect(value(requiredDuration({ unitVariance: 2, effect: effect * 1.0001, schedule: daily }, design))).toMatchObject({
      stretches: 10,
      units: 50_000,
    });
  });

  it("CUPED saves rho squared; a ramp counts for the little it brings", () => {
    const plain = value(requiredUnits({ unitVariance: 1, effect: 0.01 }));
    const adjusted = value(requiredUnits({ unitVariance: 1, effect: 0.01 }, { correlation: 0.7 }));
    expectClose(adjusted.units / plain.units, 0.51, 1e-3);
    const ramp = [
      { units: 10_000, treatmentShare: 0.01 },
      { units: 10_000, treatmentShare: 0.5 },
    ];
    const overRamp = value(detectableOverRamp({ unitVariance: 1, schedule: ramp }));
    expectClose(
      overRamp.effect / value(detectableEffect({ unitVariance: 1, units: 20_000 })).effect,
      Math.sqrt(0.5 / 0.2599),
      1e-4,
    );
  });

  it("says what cannot be reached", () => {
    expect(requiredUnits({ unitVariance: 1, effect: 0 })).toEqual({ status: "undefined", reason: "unreachable" });
    const short = [{ units: 10, treatmentShare: 0.5 }];
    expect(requiredDuration({ unitVariance: 1, effect: 0.01, schedule: short })).toEqual({
      status: "undefined",
      reason: "unreachable",
    });
    expect(value(shareVariance(0.1)).unitVariance).toBeCloseTo(0.09, 12);
    expect(value(shareVariance(0.1, { effect: -0.02, treatmentShare: 0.25 })).unitVariance).toBeCloseTo(0.095 * 0.905, 12);
    expect(shareVariance(0.9, { effect: 0.1 })).toEqual({ status: "undefined", reason: "invalid-input" });
    expect(
      ratioUnitVariance({
        n: 3,
        means: [1, 0],
        cross: [
          [1, 0],
          [0, 1],
        ],
      }),
    ).toEqual({ status: "undefined", reason: "zero-denominator" });
  });
});

describe("shrinkage", () => {
  const { effects, variances, tau2, mean } = METHODS.shrinkage;
  const past = effects.map((effect, i) => ({ value: effect, variance: variances[i] ?? 1 }));

  it("the prior is DerSimonian and Laird's in statsmodels", () => {
    const prior = value(fitPrior(past, { defaultSd: 0.01 }));
    expect(prior.source).toBe("fitted");
    expectClose(prior.sd ** 2, tau2, 1e-9);
    expectClose(prior.mean, mean, 1e-9);
  });

  it("falls back to the stated default below 20 tests", () => {
    expect(fitPrior(past.slice(0, 19), { defaultSd: 0.01 })).toEqual({
      status: "ok",
      mean: 0,
      sd: 0.01,
      source: "default",
      tests: 19,
    });
  });

  it("pulls toward the prior, and adds up", () => {
    const prior = { mean: 0, sd: 0.01 };
    expect(value(shrink({ value: 0.04, variance: 1e-4 }, prior))).toMatchObject({ value: 0.02, kept: 0.5 });
    const sum = value(
      cumulativeEffect(
        [
          { value: 0.04, variance: 1e-4 },
          { value: 0.02, variance: 1e-4 },
        ],
        prior,
      ),
    );
    expectClose(sum.raw, 0.06, 1e-12);
    expectClose(sum.value, 0.03, 1e-12);
    expectClose(sum.interval.high - sum.value, 1.959963984540054 * 0.01, 1e-12);
  });
});

describe("predictions", () => {
  it.each(METHODS.predictions.crps)("CRPS equals its integral at $actual", ({ mean, sd, actual, crps }) => {
    expectClose(crpsNormal({ mean, sd }, actual), crps, 1e-8);
  });

  it("interval score, coverage and slope", () => {
    const prediction = { interval: { low: 0, high: 2, level: 0.8 } };
    expect(value(scorePrediction(prediction, 3)).intervalScore).toBeCloseTo(12, 12);
    expect(value(scorePrediction(prediction, 1))).toMatchObject({ intervalScore: 2, covered: true });
    const { predicted, actual, slope, slopeSe, slopeP } = METHODS.predictions;
    const fit = value(biasSlope(predicted.map((p, i) => ({ predicted: p, actual: actual[i] ?? 0 }))));
    expectClose(fit.value, slope, 1e-10);
    expectClose(fit.standardError, slopeSe, 1e-10);
    expectClose(fit.pValue, slopeP, 1e-9);
  });

  it("calibration table with an exact band", () => {
    const history = Array.from({ length: 10 }, (_, i) => ({
      prediction: { interval: { low: i - 1, high: i + 1, level: 0.8 } },
      actual: i < 8 ? i : i + 5,
    }));
    const calibration = value(calibrate(history));
    expect(calibration.coverage).toBe(0.8);
    expect(calibration.byLevel).toHaveLength(1);
    expectClose(calibration.byLevel[0]?.band.low ?? 0, R_METHODS["clopper"]?.[0] ?? 0, 1e-9);
    expectClose(calibration.byLevel[0]?.band.high ?? 0, R_METHODS["clopper"]?.[1] ?? 0, 1e-9);
    expect(calibration.biasSlope?.value).toBeGreaterThan(1);
    expect(calibrate([])).toEqual({ status: "insufficient", reason: "too-few-events" });
  });

  it.each(METHODS.proportions)("exact interval agrees with statsmodels at $xT/$nT", ({ nT, xT, exact }) => {
    const interval = value(exactInterval({ n: nT, successes: xT }));
    expectClose(interval.low, exact[0], 1e-9, "low", 1e-15);
    expectClose(interval.high, exact[1], 1e-9, "high");
  });
});

describe("holdout", () => {
  it("compares the rest with those held out", () => {
    const effect = value(holdoutEffect({ heldOut: momentsOf([9, 10, 11]), rest: momentsOf([10, 11, 12, 11]) }));
    expect(effect.absolute.value).toBe(1);
    expectClose(effect.relative?.value ?? 0, 0.1, 1e-12);
    const aroundZero = value(holdoutEffect({ heldOut: momentsOf([-1, 0, 1]), rest: momentsOf([1, 2, 3]) }));
    expect(aroundZero.relative).toBeUndefined();
    expect(value(holdoutProportion({ heldOut: { n: 100, successes: 10 }, rest: { n: 1900, successes: 209 } })).value).toBeCloseTo(
      0.01,
      12,
    );
  });
});

describe("ship advice", () => {
  const quality = { sampleRatio: true, beforeStart: true, crossing: true };
  const success = { metric: "revenue", role: "success", improved: true, deteriorated: false } as const;
  const guardrail = { metric: "errors", role: "guardrail", improved: false, deteriorated: false, nonInferior: true } as const;

  it.each([
    [[success, guardrail], quality, "ship", []],
    [[success, { ...guardrail, nonInferior: false }], quality, "not-enough-yet", ["errors"]],
    [[{ ...success, improved: false }, guardrail], quality, "not-enough-yet", ["revenue"]],
    [[success, { ...guardrail, deteriorated: true }], quality, "do-not-ship", ["errors"]],
    [[success, guardrail], { ...quality, sampleRatio: false }, "fix-quality-first", ["sampleRatio"]],
  ] as const)("case %#", (metrics, checks, advice, because) => {
    expect(shipAdvice(metrics, checks)).toEqual({ advice, because });
  });
});
