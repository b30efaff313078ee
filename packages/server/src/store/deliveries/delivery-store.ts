import type { DeliveryAttempt, DeliveryStatus, EpochMs } from "@belay/protocol";
import type { ChangeId } from "../changes/index.ts";

/**
 * The outbox of webhooks. What is to be sent is written here in one step with how far the change log was read, so that a
 * change is told once its server starts again, and is put here once.
 */
export interface DeliveryStore {
  /** How far the change log was read; `undefined` before the first time. */
  position(): Promise<ChangeId | undefined>;
  /** Puts messages with the position they bring the reader to, all or nothing. A known id is passed over. */
  put(messages: readonly Message[], position?: ChangeId): Promise<void>;
  /** Pending deliveries whose time has come, the oldest first, at most `limit` of each webhook. */
  due(now: EpochMs, limit: number): Promise<readonly Delivery[]>;
  /** When the next pending delivery is due; `undefined` without one. */
  nextDue(): Promise<EpochMs | undefined>;
  /** Adds a try to a delivery and says what follows from it. */
  record(id: string, attempt: DeliveryAttempt, outcome: Outcome): Promise<void>;
  /** Deliveries of a webhook, the newest first; `before` is the order of the last one seen. */
  list(webhook: WebhookPlace, filter: DeliveryFilter): Promise<readonly Delivery[]>;
  get(webhook: WebhookPlace, id: string): Promise<Delivery | undefined>;
  /** Makes a delivery pending again, due at once, whatever became of it; false when there is none. */
  revive(webhook: WebhookPlace, id: string, now: EpochMs): Promise<boolean>;
  /** How many deliveries of a webhook are pending. */
  pending(webhook: WebhookPlace): Promise<number>;
  /** Deliveries of all webhooks that wait, and that were given up. */
  totals(): Promise<{ readonly pending: number; readonly dead: number }>;
  /** Forgets deliveries that are not pending and were made before; returns how many. */
  forget(before: EpochMs): Promise<number>;
  close(): Promise<void>;
}

export interface WebhookPlace {
  readonly project: string;
  readonly webhook: string;
}

/** What is sent, made once: every try sends the same bytes. */
export interface Message extends WebhookPlace {
  readonly id: string;
  readonly type: string;
  readonly body: string;
  readonly createdAtMs: EpochMs;
}

export interface Delivery extends Message {
  /** Rises with every message put. */
  readonly order: number;
  readonly status: DeliveryStatus;
  readonly attempts: readonly DeliveryAttempt[];
  readonly nextAttemptAtMs?: EpochMs;
}

/** `retryAtMs` makes it wait for a further try. */
export type Outcome = { readonly status: "delivered" | "dead" } | { readonly status: "pending"; readonly retryAtMs: EpochMs };

export interface DeliveryFilter {
  readonly status?: DeliveryStatus;
  readonly before?: number;
  readonly limit: number;
}
