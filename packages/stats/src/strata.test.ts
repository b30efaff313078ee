import { describe, expect, it } from "vitest";
import { momentsOf } from "./moments.ts";
import { expectClose, METHODS, value } from "./reference.fixture.ts";
import { pooledMeans, pooledProportions, stratifiedMeans, stratifiedProportions } from "./strata.ts";

const strata = METHODS.strata.strata.map(({ control, treatment }, i) => ({
  key: `epoch ${i + 1}`,
  arms: { control: momentsOf(control), treatment: momentsOf(treatment) },
}));

describe("strata", () => {
  it("overlap weights equal a regression with stratum effects in statsmodels; population weights the weighted mean", () => {
    const overlap = value(stratifiedMeans(strata));
    expectClose(overlap.value, METHODS.strata.overlap, 1e-9, "overlap");
    const population = value(stratifiedMeans(strata, { weights: "population" }));
    expectClose(population.value, METHODS.strata.population, 1e-9, "population");
    expect(overlap.standardError).toBeLessThan(population.standardError);
    expectClose(
      overlap.weights.reduce((sum, { weight }) => sum + weight, 0),
      1,
      1e-12,
    );
  });

  it("leaves out a stratum with an empty arm and names it", () => {
    const oneSided = { key: "holiday", arms: { control: momentsOf([1, 2, 3]), treatment: momentsOf([]) } };
    const estimate = value(stratifiedMeans([...strata, oneSided]));
    expect(estimate.leftOut).toEqual(["holiday"]);
    expectClose(estimate.value, METHODS.strata.overlap, 1e-9);
    expect(stratifiedMeans([oneSided])).toEqual({ status: "insufficient", reason: "too-few-strata" });
  });

  // Kohavi and others' ramp: 1 % treated on Friday, 50 % on Saturday; treatment wins on each day and loses pooled.
  const days = [
    { key: "Friday", arms: { control: { n: 990_000, successes: 20_000 }, treatment: { n: 10_000, successes: 230 } } },
    { key: "Saturday", arms: { control: { n: 500_000, successes: 5_000 }, treatment: { n: 500_000, successes: 6_000 } } },
  ];

  it("sees Simpson's paradox of Friday and Saturday", () => {
    const estimate = value(stratifiedProportions(days));
    expect(estimate.value).toBeGreaterThan(0.0015);
    expect(estimate.signReversed).toBe(true);
    expect(estimate.pValue).toBeLessThan(1e-10);
  });

  it("refuses to pool over a change of allocation, and pools otherwise", () => {
    expect(pooledProportions(days)).toEqual({ status: "undefined", reason: "allocation-moved" });
    expect(pooledMeans(strata)).toEqual({ status: "undefined", reason: "allocation-moved" });
    const steady = [strata[0], strata[0]].flatMap((stratum) => stratum ?? []);
    expect(value(pooledMeans(steady)).control.n).toBe(198);
  });
});
