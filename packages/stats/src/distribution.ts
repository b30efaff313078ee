/**
 * The distributions behind every p-value and interval, for whoever needs one of their numbers. The functions in `special/` are bare
 * and trust their arguments; these two refuse what lies outside a distribution's domain.
 */
import { isRate, ok, type Result, refuse } from "./result.ts";
import { betaTailQuantile, betaTails } from "./special/beta.ts";
import { binomialCdf, binomialTail, binomialTailQuantile } from "./special/binomial.ts";
import { chiSquareCdf, chiSquareTail, chiSquareTailQuantile } from "./special/chi-square.ts";
import { fisherCdf, fisherTail, fisherTailQuantile } from "./special/fisher.ts";
import type { Tails } from "./special/gamma.ts";
import { normalCdf, normalTail, normalTailQuantile } from "./special/normal.ts";
import { studentCdf, studentTail, studentTailQuantile } from "./special/student.ts";

/** A distribution with its parameters. Degrees of freedom and the parameters of a beta need not be whole. */
export type Distribution =
  | { readonly law: "normal" }
  | { readonly law: "student"; readonly df: number }
  | { readonly law: "chi-square"; readonly df: number }
  | { readonly law: "fisher"; readonly df1: number; readonly df2: number }
  | { readonly law: "beta"; readonly a: number; readonly b: number }
  | { readonly law: "binomial"; readonly n: number; readonly p: number };

/** Beyond it a continued fraction takes seconds, and a normal has the same digits. */
const PARAMETER_MAX = 1e9;

/**
 * Both tails at a point, P(X <= at) and P(X > at); of a binomial P(X <= at) and P(X >= at), so that each holds what was seen. Relative
 * error below 1e-9 for the smaller one, down to 1e-300. Sources: at each function in `special/`. `undefined` for parameters outside
 * their domain (`invalid-input`) or above 1e9 (`not-finite`).
 * @example tailsOf({ law: "normal" }, 1.96) // lower 0.975002, upper 0.024998
 */
export function tailsOf(distribution: Distribution, at: number): Result<Tails> {
  if (!isDistribution(distribution) || !Number.isFinite(at)) return refuse("invalid-input");
  return isTooLarge(distribution) ? refuse("not-finite") : ok(tails(distribution, at));
}

/**
 * The point that has this chance above it; of a binomial, the smallest with at most this chance above it. Relative error below 1e-9 unless
 * the point is 0. `undefined` for a chance that is not strictly between 0 and 1, and as `tailsOf`.
 * @example quantileOf({ law: "normal" }, { upper: 0.025 }) // value 1.959964
 */
export function quantileOf(
  distribution: Distribution,
  { upper }: { readonly upper: number },
): Result<{ readonly value: number }> {
  if (!isDistribution(distribution) || !isRate(upper)) return refuse("invalid-input");
  return isTooLarge(distribution) ? refuse("not-finite") : ok({ value: quantile(distribution, upper) });
}

function tails(distribution: Distribution, at: number): Tails {
  switch (distribution.law) {
    case "normal":
      return { lower: normalCdf(at), upper: normalTail(at) };
    case "student":
      return { lower: studentCdf(at, distribution.df), upper: studentTail(at, distribution.df) };
    case "chi-square":
      return { lower: chiSquareCdf(at, distribution.df), upper: chiSquareTail(at, distribution.df) };
    case "fisher":
      return {
        lower: fisherCdf(at, distribution.df1, distribution.df2),
        upper: fisherTail(at, distribution.df1, distribution.df2),
      };
    case "beta":
      return betaTails(distribution.a, distribution.b, at);
    case "binomial":
      return { lower: binomialCdf(at, distribution), upper: binomialTail(at, distribution) };
  }
}

function quantile(distribution: Distribution, upper: number): number {
  switch (distribution.law) {
    case "normal":
      return normalTailQuantile(upper);
    case "student":
      return studentTailQuantile(upper, distribution.df);
    case "chi-square":
      return chiSquareTailQuantile(upper, distribution.df);
    case "fisher":
      return fisherTailQuantile(upper, distribution.df1, distribution.df2);
    case "beta":
      return betaTailQuantile(upper, distribution.a, distribution.b);
    case "binomial":
      return binomialTailQuantile(upper, distribution);
  }
}

function isDistribution(distribution: Distribution): boolean {
  switch (distribution.law) {
    case "normal":
      return true;
    case "student":
    case "chi-square":
      return distribution.df > 0;
    case "fisher":
      return distribution.df1 > 0 && distribution.df2 > 0;
    case "beta":
      return distribution.a > 0 && distribution.b > 0;
    case "binomial":
      return distribution.n >= 0 && Number.isInteger(distribution.n) && distribution.p >= 0 && distribution.p <= 1;
  }
}

function isTooLarge({ law: _, ...parameters }: Distribution): boolean {
  return Object.values(parameters).some((parameter) => parameter > PARAMETER_MAX);
}
