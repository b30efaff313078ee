export type { EvaluationContext } from "./context.ts";
export { ERRORS, type ErrorCode, type ErrorEntry } from "./errors.ts";
export type { Evaluation, EvaluationErrorCode, Reason } from "./evaluation.ts";
export type {
  ArmLedger,
  BatchReceipt,
  EvaluationCount,
  EventBatch,
  Exposure,
  MetricEvent,
  Receipt,
  RejectedEvent,
} from "./events.ts";
export type {
  Condition,
  Draw,
  FlagKind,
  FlagTest,
  FlagType,
  LegacyHash,
  Operator,
  Part,
  Rule,
  Serve,
  Space,
  Targeting,
  Test,
  Tracks,
} from "./flag.ts";
export type { Json } from "./json.ts";
export {
  type AttributePath,
  type EpochMs,
  type FlagKey,
  KEY_PATTERN,
  LIMITS,
  type Ppm,
  type Revision,
  type SegmentKey,
  SPACE_PPM,
  type SpaceId,
  type VariantName,
} from "./names.ts";
export type { Problem } from "./problem.ts";
export type { Snapshot, SnapshotChange, SnapshotFlag } from "./snapshot.ts";
