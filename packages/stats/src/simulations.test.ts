import { describe, expect, it } from "vitest";
import { holds } from "../simulations/bar.ts";
import { BARS, measure } from "../simulations/bars.ts";
import { seeded } from "../simulations/random.ts";
import { binomialCdf } from "./special/binomial.ts";

// The quick set: fewer runs of the same simulations, on fixed seeds. The full set: `pnpm --filter @belay/stats simulate`.
describe("bars by simulation", () => {
  it.each(BARS)("$group: $name", (bar) => {
    const measured = measure(bar, "quick");
    expect(measured.value).not.toBeNaN();
    expect(holds(bar, measured), `${measured.value} ± ${measured.standardError}, limit ${JSON.stringify(bar.limit)}`).toBe(true);
  });
});

describe("the simulations' random numbers", () => {
  it("come from the distributions they are named for", () => {
    const random = seeded(7);
    const runs = 20_000;
    const meanOf = (draw: () => number): number => Array.from({ length: runs }, draw).reduce((sum, x) => sum + x, 0) / runs;
    expect(Math.abs(meanOf(random.normal))).toBeLessThan(0.03);
    expect(Math.abs(meanOf(() => random.normal() ** 2) - 1)).toBeLessThan(0.05);
    expect(Math.abs(meanOf(() => random.poisson(3)) - 3)).toBeLessThan(0.06);
    expect(Math.abs(meanOf(() => random.poisson(50)) - 50)).toBeLessThan(0.25);
    expect(Math.abs(meanOf(() => random.geometric(0.2)) - 4)).toBeLessThan(0.15);
    for (const law of [
      { n: 200, p: 0.02 },
      { n: 1000, p: 0.3 },
      { n: 50, p: 0.9 },
    ]) {
      const edge = Math.round(law.n * law.p);
      const share = meanOf(() => (random.binomial(law.n, law.p) <= edge ? 1 : 0));
      expect(Math.abs(share - binomialCdf(edge, law))).toBeLessThan(0.015);
    }
  });

  it("are the same for the same seed", () => {
    expect([seeded(1).uniform(), seeded(2).uniform()]).toEqual([seeded(1).uniform(), seeded(2).uniform()]);
    expect(seeded(1).uniform()).not.toBe(seeded(2).uniform());
  });
});
