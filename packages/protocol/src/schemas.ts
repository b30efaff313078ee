/**
 * The door `@belay/protocol/schemas`: JSON Schemas (TypeBox) of what crosses a wire, for validation and OpenAPI. Only the
 * server and tools take it; nothing of it reaches a browser.
 */

export {
  BulkResultSchema,
  EnvironmentSchema,
  FlagSchema,
  FlagTargetingSchema,
  ProjectSchema,
  pageSchema,
  RolloutReadSchema,
  RolloutResultSchema,
  SdkKeyCreatedSchema,
  SdkKeySchema,
  SegmentSchema,
  SessionSchema,
  StaleRuleReadSchema,
  TokenCreatedSchema,
  TokenSchema,
} from "./schemas/answers.ts";
export {
  bulkDraftSchema,
  EmergencySchema,
  EnabledDraftSchema,
  EnvironmentCreationSchema,
  ExplainRequestSchema,
  FlagCreationSchema,
  FlagEditSchema,
  ProjectCreationSchema,
  ReasonSchema,
  ReshuffleDraftSchema,
  RolloutDraftSchema,
  SdkKeyCreationSchema,
  SecretRotationSchema,
  SegmentCreationSchema,
  SegmentEditSchema,
  StaleReasonCodeSchema,
  StaleRuleSchema,
  TargetingDraftSchema,
  TokenCreationSchema,
} from "./schemas/api.ts";
export {
  BundleSchema,
  ImportDraftSchema,
  ImportPlanSchema,
  ImportRequestSchema,
  ImportResultSchema,
  PromotionDraftSchema,
} from "./schemas/bundle.ts";
export { ChangeSchema } from "./schemas/changes.ts";
export { CodePlacesDraftSchema, CodePlacesSchema } from "./schemas/code-places.ts";
export { EvaluationErrorCodeSchema, EvaluationReasonSchema } from "./schemas/evaluation.ts";
export {
  ArmLedgerSchema,
  BatchReceiptSchema,
  EvaluationCountSchema,
  EventBatchSchema,
  type EventEnvelope,
  EventEnvelopeSchema,
  ExposureSchema,
  MetricEventSchema,
} from "./schemas/events.ts";
export {
  DecisionDraftSchema,
  ExperimentCreationSchema,
  ExperimentEditSchema,
  ForecastRequestSchema,
  HoldoutCreationSchema,
  IncidentDraftSchema,
  LayerCreationSchema,
} from "./schemas/experiment.ts";
export {
  ExperimentSchema,
  ForecastSchema,
  HoldoutSchema,
  IncidentSchema,
  LayerSchema,
  LooksSchema,
  MetricPreviewSchema,
  MetricSchema,
  MetricUseSchema,
} from "./schemas/experiment-answers.ts";
export { ConditionSchema, JsonSchema, KeySchema, oneOf } from "./schemas/flag.ts";
export { PastStateSchema, RestoreDraftSchema, RestoreResultSchema, StateDiffSchema } from "./schemas/history.ts";
export { LearningReportSchema, UncoveredListSchema } from "./schemas/learning.ts";
export { MeasureSchema, MetricCreationSchema, MetricEditSchema, MetricPreviewRequestSchema } from "./schemas/metric.ts";
export { PreviewRequestSchema, PreviewSchema, PromotionSchema } from "./schemas/preview.ts";
export { InstanceSchema, ReceiptSchema } from "./schemas/receipt.ts";
export { RelayBriefSchema, RelayedEnvelopeSchema, RelayedEventsSchema, RelayedReceiptsSchema } from "./schemas/relay.ts";
export {
  AdvanceDraftSchema,
  EvidenceDraftSchema,
  FreezeDraftSchema,
  ReleaseCreationSchema,
  ReleaseEditSchema,
  ReleaseTemplateDraftSchema,
  ReleaseTriggerCreationSchema,
  RollbackSinceDraftSchema,
} from "./schemas/release.ts";
export {
  DrillRecordSchema,
  FreezeSchema,
  GuardrailStatesSchema,
  ReleaseSchema,
  ReleaseStateSchema,
  ReleaseTemplateSchema,
  ReleaseTriggerCreatedSchema,
  ReleaseTriggersSchema,
  SuspectsSchema,
} from "./schemas/release-answers.ts";
export { KeptOutReportSchema, ReleaseHoldoutSchema, ReleaseInterferenceSchema } from "./schemas/release-effects.ts";
export {
  LessonDraftSchema,
  LessonsSchema,
  ReleaseLogSchema,
  ReleaseReasonSchema,
  SigningKeySchema,
  SigningKeysSchema,
} from "./schemas/release-log.ts";
export {
  ApprovalDraftSchema,
  ApprovalRuleSchema,
  ChangeRequestSchema,
  ListedRequestSchema,
  RequestDraftSchema,
  RequestEditSchema,
  RequestStateSchema,
} from "./schemas/requests.ts";
export {
  CumulativeReportSchema,
  ExperimentResultsSchema,
  HoldoutReportSchema,
  InteractionScreenSchema,
} from "./schemas/results.ts";
export { reference, type Schema } from "./schemas/schema.ts";
export { ServedSnapshotSchema } from "./schemas/snapshot.ts";
export {
  WebhookCreatedSchema,
  WebhookCreationSchema,
  WebhookDeliverySchema,
  WebhookEditSchema,
  WebhookSchema,
} from "./schemas/webhooks.ts";
