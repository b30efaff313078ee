import { describe, expect, it } from "vitest";
import { normalPosterior } from "./bayes.ts";
import { betaBinomial } from "./beta-binomial.ts";
import { expectClose, METHODS, value } from "./reference.fixture.ts";

describe("normal posterior", () => {
  it.each(METHODS.posteriors.normal)("agrees with scipy and quadrature at $value, variance $variance", (row) => {
    const posterior = value(normalPosterior(row, { prior: { mean: row.mean, sd: row.sd } }));
    expectClose(posterior.value, row.posteriorMean, 1e-12, "mean");
    expectClose(posterior.sd, row.posteriorSd, 1e-12, "sd");
    expectClose(posterior.chanceToBeat, row.chance, 1e-12, "chance");
    expectClose(posterior.lossIfShipped, row.loss, 1e-8, "loss", 1e-18);
    expect(posterior.warning).toBeUndefined();
    expectClose(posterior.lossIfKept - posterior.lossIfShipped, posterior.value, 1e-9, "losses differ by the mean");
  });

  it("warns of a flat prior", () => {
    const posterior = value(normalPosterior({ value: 2, variance: 1 }, { prior: "flat" }));
    expect([posterior.value, posterior.sd, posterior.warning]).toEqual([2, 1, "flat-prior"]);
    expect(normalPosterior({ value: 2, variance: 0 }, { prior: "flat" })).toEqual({ status: "undefined", reason: "no-variance" });
  });
});

describe("Beta-binomial posterior", () => {
  it.each(METHODS.posteriors.beta)("agrees with scipy's quadrature at $xC/$nC against $xT/$nT", (row) => {
    const posterior = value(
      betaBinomial(
        { control: { n: row.nC, successes: row.xC }, treatment: { n: row.nT, successes: row.xT } },
        { prior: { a: row.a, b: row.b } },
      ),
    );
    expectClose(posterior.chanceToBeat, row.chance, 1e-8, "chance");
    expectClose(posterior.lossIfShipped, row.lossIfShipped, 1e-6, "loss if shipped", 1e-11);
    expectClose(posterior.lossIfKept, row.lossIfKept, 1e-6, "loss if kept", 1e-11);
    expect(posterior.interval.low).toBeLessThan(posterior.value);
    expect(posterior.interval.high).toBeGreaterThan(posterior.value);
  });

  it("without data is even, and the difference of two uniforms has a triangular interval", () => {
    const none = { n: 0, successes: 0 };
    const posterior = value(betaBinomial({ control: none, treatment: none }));
    expectClose(posterior.chanceToBeat, 0.5, 1e-10);
    expectClose(posterior.lossIfKept, 1 / 6, 1e-9);
    expectClose(posterior.interval.high, 1 - Math.sqrt(0.05), 1e-3);
  });
});
