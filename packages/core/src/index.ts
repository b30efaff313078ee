export { unitText } from "./attribute.ts";
export { canonicalJson } from "./canonical-json.ts";
export { type Among, checkFlag, checkSegment } from "./check.ts";
export { clientSnapshot } from "./client-snapshot.ts";
export type { Defect } from "./defect.ts";
export type { CompileOptions, FlagDefect } from "./definitions.ts";
export { applyToSnapshot, diffSnapshots } from "./diff.ts";
export { evaluate, hasTypeOf, toEvaluation } from "./evaluate.ts";
export {
  type ExplainedCondition,
  type ExplainedDraw,
  type ExplainedFlagTest,
  type ExplainedResult,
  type ExplainedRule,
  type ExplainedServe,
  type ExplainedStep,
  type Explanation,
  explain,
} from "./explain.ts";
export type { LegacyHashFunction } from "./legacy-hash-function.ts";
export { LIMITS } from "./limits.ts";
export { murmur3 } from "./murmur3.ts";
export { type NamesUsed, namesUsedByCondition, namesUsedByFlag } from "./names-used.ts";
export { metricOf, originOf, type ProviderOptions, type Resolution, resolutionOf } from "./openfeature.ts";
export { OPERATORS, type PatternCompiler } from "./operators.ts";
export { PACKED_TYPE, pack, unpack } from "./packed.ts";
export { percentFromPpm, ppmFromPercent } from "./placement.ts";
export { type Explainable, preview } from "./preview.ts";
export type { Outcome, Pattern } from "./program.ts";
export { compile, Ruleset } from "./ruleset.ts";
export { isSameJson } from "./same-json.ts";
export { isSnapshot, isSnapshotChange } from "./snapshot-shape.ts";
export { Tracked } from "./tracked.ts";
