export {
  Application,
  type ClientError,
  type ClientEvents,
  type ClientState,
  type Logger,
  type RulesChange,
} from "./application.ts";
export { type Backoff, backoffMs, patientMs, type Random, retryAfterMs } from "./backoff.ts";
export {
  CLOSE_DEADLINE_MS,
  Client,
  type ClientSettings,
  type ExposureSeen,
  FLUSH_TIMEOUT_MS,
  type Held,
  READY_TIMEOUT_MS,
  type SnapshotKeeper,
  type TrackDetails,
  type Widened,
} from "./client.ts";
export { Connection, type ConnectionHost } from "./connection.ts";
export { DELIVERY_SETTINGS, Delivery, type DeliverySettings } from "./delivery.ts";
export { type DeliveryReport, LEDGER_LIMITS, Ledger, type LedgerLimits } from "./ledger.ts";
export { checkSnapshot, failureOfStatus, readComment, readMessage, readSnapshot, unusable } from "./payload.ts";
export type {
  Clock,
  EventSpool,
  Hear,
  NumberedEvent,
  Platform,
  PostResult,
  PostTransport,
  SnapshotTransport,
  Stop,
  Timers,
} from "./ports.ts";
export { type Failure, SYNC_TIMINGS, type Sync, type SyncEvent, type SyncTimings } from "./sync.ts";
