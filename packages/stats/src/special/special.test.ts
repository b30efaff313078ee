import { describe, expect, it } from "vitest";
import { expectClose, reference } from "../reference.fixture.ts";
import { betaTailQuantile, betaTails } from "./beta.ts";
import { binomialCdf, binomialQuantile, binomialTail, binomialTailQuantile } from "./binomial.ts";
import { chiSquareCdf, chiSquareTail, chiSquareTailQuantile } from "./chi-square.ts";
import { erf, erfc, logErfc } from "./erfc.ts";
import { fisherCdf, fisherTail, fisherTailQuantile } from "./fisher.ts";
import { noncentralStudentTail } from "./noncentral-student.ts";
import { logNormalTail, normalCdf, normalQuantile, normalTail, normalTailQuantile, normalTwoSided } from "./normal.ts";
import { integrate } from "./quadrature.ts";
import { logGamma } from "./stirling.ts";
import { studentDensity, studentTail, studentTailQuantile, studentTwoSided } from "./student.ts";

type Row = readonly number[];
interface SpecialReference {
  readonly erf: readonly Row[];
  readonly erfc: readonly Row[];
  readonly logErfc: readonly Row[];
  readonly normalTail: readonly Row[];
  readonly normalTailQuantile: readonly Row[];
  readonly logGamma: readonly Row[];
  readonly chiSquare: readonly Row[];
  readonly chiSquareTailQuantile: readonly Row[];
  readonly student: readonly Row[];
  readonly studentTailQuantile: readonly Row[];
  readonly fisher: readonly Row[];
  readonly beta: readonly Row[];
  readonly binomial: readonly Row[];
  readonly logNormalTail: readonly Row[];
  readonly betaTailQuantile: readonly Row[];
  readonly fisherTailQuantile: readonly Row[];
  readonly binomialTailQuantile: readonly Row[];
}

const REFERENCE = reference<SpecialReference>("special");
const BAR = 1e-9;

const at = (row: Row, i: number): number => row[i] ?? Number.NaN;

/** Runs a function over the rows of a table: arguments first, expected value in the given column. */
function agrees(rows: readonly Row[], column: number, f: (...args: number[]) => number, relative = BAR): void {
  expect(rows.length).toBeGreaterThan(5);
  for (const row of rows) expectClose(f(...row.slice(0, column)), at(row, column), relative, String(row.slice(0, column)));
}

describe("special functions against mpmath", () => {
  it("erf, erfc and ln erfc", () => {
    agrees(REFERENCE.erf.slice(0, -1), 1, erf, 1e-14);
    agrees(REFERENCE.erfc, 1, erfc, 1e-13);
    agrees(REFERENCE.logErfc, 1, logErfc, 1e-13);
  });

  it("normal tails and quantiles, down to 1e-300", () => {
    agrees(REFERENCE.normalTail, 1, normalTail, 1e-12);
    agrees(REFERENCE.normalTail, 1, (z) => normalCdf(-z), 1e-12);
    agrees(REFERENCE.normalTail, 1, (z) => Math.exp(logNormalTail(z)), 1e-11);
    agrees(REFERENCE.logNormalTail, 1, logNormalTail, 1e-12);
    agrees(REFERENCE.normalTailQuantile, 1, normalTailQuantile, 1e-12);
    agrees(REFERENCE.normalTailQuantile, 1, (q) => -normalQuantile(q), 1e-12);
  });

  it("ln Gamma", () => {
    agrees(REFERENCE.logGamma, 1, logGamma, 1e-13);
  });

  it("chi-square: both tails and the quantile", () => {
    for (const row of REFERENCE.chiSquare) {
      expectClose(chiSquareCdf(at(row, 0), at(row, 1)), at(row, 2), BAR, `cdf ${row}`);
      expectClose(chiSquareTail(at(row, 0), at(row, 1)), at(row, 3), BAR, `tail ${row}`);
    }
    agrees(REFERENCE.chiSquareTailQuantile, 2, chiSquareTailQuantile);
  });

  it("Student's t: tail and quantile, df 0.7 to a million", () => {
    agrees(REFERENCE.student, 2, studentTail);
    agrees(REFERENCE.studentTailQuantile, 2, studentTailQuantile);
  });

  it("Fisher's F: both tails", () => {
    agrees(REFERENCE.fisher, 4, (f, d1, d2) => fisherTail(f, d1, d2));
    for (const row of REFERENCE.fisher) expectClose(fisherCdf(at(row, 0), at(row, 1), at(row, 2)), at(row, 3), BAR, `cdf ${row}`);
  });

  it("Fisher's F: the quantile", () => {
    agrees(REFERENCE.fisherTailQuantile, 3, (q, d1, d2) => fisherTailQuantile(q, d1, d2));
  });

  it("beta: the quantile, tails of 1e-100 included", () => {
    agrees(REFERENCE.betaTailQuantile, 3, (q, a, b) => betaTailQuantile(q, a, b));
  });

  it("incomplete beta: both tails, up to a + b of a million", () => {
    for (const row of REFERENCE.beta) {
      const { lower, upper } = betaTails(at(row, 0), at(row, 1), at(row, 2));
      expectClose(lower, at(row, 3), BAR, `lower ${row}`);
      expectClose(upper, at(row, 4), BAR, `upper ${row}`);
    }
  });

  it("binomial: both tails, up to a million trials", () => {
    for (const row of REFERENCE.binomial) {
      const law = { n: at(row, 1), p: at(row, 2) };
      expectClose(binomialCdf(at(row, 0), law), at(row, 3), BAR, `cdf ${row}`);
      expectClose(binomialTail(at(row, 0), law), at(row, 4), BAR, `tail ${row}`);
    }
  });
});

describe("special functions against scipy", () => {
  it("binomial quantile from above", () => {
    agrees(REFERENCE.binomialTailQuantile, 3, (q, n, p) => binomialTailQuantile(q, { n, p }), 0);
    // scipy answers 1,000 here: it takes the quantile of 1 - 1e-20, which is 1.
    const law = { n: 1000, p: 0.3 };
    const k = binomialTailQuantile(1e-20, law);
    expect(k).toBeLessThan(500);
    expect(binomialTail(k + 1, law)).toBeLessThanOrEqual(1e-20);
    expect(binomialTail(k, law)).toBeGreaterThan(1e-20);
  });
});

describe("special functions against closed forms and each other", () => {
  it("knows the usual quantiles", () => {
    expect(normalTailQuantile(0.025)).toBeCloseTo(1.959963984540054, 14);
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 14);
    expect(normalTailQuantile(0.5)).toBe(0);
    expect(normalTwoSided(0)).toBe(1);
    expect(studentTailQuantile(0.5, 7)).toBe(0);
  });

  it("answers p = 0 and p = 1 with finite quantiles", () => {
    expect(normalQuantile(0)).toBeCloseTo(-38.4674, 3);
    expect(normalQuantile(1)).toBeCloseTo(38.4674, 3);
  });

  it("t with one degree of freedom is Cauchy", () => {
    for (const t of [0.01, 1, 7, 1e6]) expectClose(studentTail(t, 1), Math.atan(1 / t) / Math.PI, 1e-13);
    expectClose(studentTwoSided(1, 1), 0.5, 1e-13);
    expectClose(studentDensity(0, 1), 1 / Math.PI, 1e-9);
  });

  it("t passes without a step to its form for many degrees of freedom", () => {
    for (const t of [0.001, 0.5, 2, 5, 9, 20, 37])
      expectClose(studentTail(t, 1e7 + 1), studentTail(t, 1e7), 1e-4 * 1e-3, `t ${t}`);
    for (const t of [0.5, 2, 5]) expectClose(studentTail(t, 1e15), normalTail(t), 1e-9);
  });

  it("inverts the F tail", () => {
    for (const q of [1e-8, 0.05, 0.5, 0.95]) expectClose(fisherTail(fisherTailQuantile(q, 3, 12), 3, 12), q, 1e-10);
  });

  it("binomial quantile is the smallest k that reaches q", () => {
    for (const law of [
      { n: 10, p: 0.5 },
      { n: 1000, p: 0.003 },
      { n: 100_000, p: 0.95 },
    ]) {
      for (const q of [0.001, 0.025, 0.5, 0.975, 0.999]) {
        const k = binomialQuantile(q, law);
        expect(binomialCdf(k, law)).toBeGreaterThanOrEqual(q);
        expect(binomialCdf(k - 1, law)).toBeLessThan(q);
      }
    }
  });

  it("noncentral t without shift is t, and integrals of polynomials are exact", () => {
    for (const df of [3, 10, 200]) expectClose(noncentralStudentTail({ t: 2, df, shift: 0 }), studentTail(2, df), 1e-8);
    expectClose(
      integrate((x) => x ** 5 - x, 0, 2, 1),
      64 / 6 - 2,
      1e-14,
    );
  });
});
