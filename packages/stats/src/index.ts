/**
 * Pure statistics for experiments: numbers in, a value with its interval or a status with a reason out. Nothing named here answers NaN or
 * Infinity: `door.prop.test.ts` has a row for each name. Sufficient statistics (moments, sums, ranked samples) are what methods
 * are fed; made of broken numbers they are broken too, and every method refuses them.
 */
export { type NormalPrior, normalPosterior, type Posterior, type PosteriorOptions } from "./bayes.ts";
export * from "./beta-binomial.ts";
export * from "./cuped.ts";
export * from "./decay.ts";
export * from "./describe.ts";
export * from "./distribution.ts";
export * from "./effect.ts";
export {
  countNonInferiority,
  type EventSplitOptions,
  type EventSplitState,
  eventSplit,
  expectedNonInferiority,
  type FailureCell,
  observeFailures,
  restartWeight,
  type SplitEvidence,
  splitEvidence,
  startEventSplit,
} from "./event-split.ts";
export {
  evenLooks,
  type Look,
  nextLook,
  planInflation,
  type Spending,
  type SpendingPlan,
  sequentialBounds,
} from "./group-sequential.ts";
export * from "./guardrail.ts";
export * from "./holdout.ts";
export * from "./horizon.ts";
export * from "./increments.ts";
export * from "./interaction.ts";
export { type MeanEstimate, meanDifference, meanRelative } from "./mean.ts";
export {
  type MixtureOptions,
  mixtureScale,
  mixtureSequence,
  type OneSidedEvidence,
  type OneSidedOptions,
  oneSidedEvidence,
  oneSidedMixture,
  type SequenceEstimate,
} from "./mixture.ts";
export {
  combination,
  type JointMoments,
  jointMomentsOf,
  type Moments,
  marginal,
  meanPoint,
  mergeJoint,
  mergeMoments,
  momentsOf,
  NO_MOMENTS,
  unitVariance,
} from "./moments.ts";
export * from "./multiplicity.ts";
export * from "./non-inferiority.ts";
export * from "./power.ts";
export {
  biasSlope,
  type Calibration,
  type CalibrationRow,
  calibrate,
  exactInterval,
  type Prediction,
  type ScoredPrediction,
  scorePrediction,
} from "./prediction.ts";
export {
  type Proportion,
  type ProportionEstimate,
  type ProportionOptions,
  proportionDifference,
  proportionPoint,
  proportionRelative,
  wilsonInterval,
} from "./proportion.ts";
export * from "./quantile.ts";
export * from "./rate-ratio.ts";
export * from "./ratio.ts";
export * from "./regression.ts";
export {
  type AlphaOption,
  type Arms,
  andThen,
  bothArms,
  type ClosedInterval,
  type Estimate,
  type Interval,
  type Ok,
  ok,
  type Point,
  REASONS,
  type Reason,
  type Refusal,
  type Result,
  refuse,
  type Status,
} from "./result.ts";
export * from "./ship.ts";
export {
  type CumulativeEffect,
  cumulativeEffect,
  type FittedPrior,
  fitPrior,
  type PriorOptions,
  type Shrunken,
  shrink,
} from "./shrinkage.ts";
export * from "./signal.ts";
export * from "./srm.ts";
export {
  pooledMeans,
  pooledProportions,
  type StratifiedEstimate,
  type StratifiedOptions,
  type Stratum,
  stratifiedMeans,
  stratifiedProportions,
} from "./strata.ts";
export * from "./two-ledgers.ts";
export * from "./winsorise.ts";
