/** Distribution functions, to a relative 1e-9 and better, tails included. */
export { betaCdf, betaTails } from "./beta.ts";
export { type Binomial, binomialCdf, binomialQuantile, binomialTail } from "./binomial.ts";
export { chiSquareCdf, chiSquareTail, chiSquareTailQuantile } from "./chi-square.ts";
export { erf, erfc, logErfc } from "./erfc.ts";
export { fisherCdf, fisherTail, fisherTailQuantile } from "./fisher.ts";
export { gammaTails, type Tails } from "./gamma.ts";
export { noncentralStudentTail } from "./noncentral-student.ts";
export {
  logNormalTail,
  normalCdf,
  normalDensity,
  normalQuantile,
  normalTail,
  normalTailQuantile,
  normalTwoSided,
  twoSidedZ,
} from "./normal.ts";
export { logBeta, logGamma } from "./stirling.ts";
export { studentCdf, studentDensity, studentTail, studentTailQuantile, studentTwoSided } from "./student.ts";
