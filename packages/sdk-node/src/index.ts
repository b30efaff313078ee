export type { Explanation } from "@belay/core";
export type {
  Client as BelayClient,
  ClientError,
  ClientEvents,
  ClientState,
  DeliveryReport,
  ExposureSeen,
  Logger,
  RulesChange,
  TrackDetails,
} from "@belay/core/client";
export type { Evaluation, EvaluationContext, Json, Snapshot } from "@belay/protocol";
export { createClient } from "./create-client.ts";
export type { ClientOptions } from "./options.ts";
