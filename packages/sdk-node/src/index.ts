export type { Explanation } from "@belay/core";
export type {
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
export type { BelayClient } from "./flag-types.ts";
export type { ClientOptions } from "./options.ts";

/**
 * The flags of the application by key. Empty here, and every key is taken; declare them to have keys, defaults and values
 * checked by the compiler. It stands in this file because a declaration is merged only with one of the module it names.
 *
 * @example
 * declare module "@belay/sdk-node" {
 *   interface Flags {
 *     "checkout-v2": boolean;
 *     pricing: "compact" | "wide";
 *   }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: only an interface can be merged with what the application declares
export interface Flags {}
