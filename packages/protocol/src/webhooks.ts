import type { Reasoned } from "./api.ts";
import type { Revision } from "./names.ts";

/** `json` is the Standard Webhooks shape `{ type, timestamp, data }`; `slack` a `{ text }` that chat tools show as it is. */
export type WebhookFormat = "json" | "slack";

/** An address that is told what happens in a project. */
export interface Webhook {
  readonly project: string;
  readonly key: string;
  readonly name: string;
  readonly url: string;
  /** Types it is told of: `flag.edit`, or all that begin alike, `flag.*`; empty: all. */
  readonly types: readonly string[];
  /** Environments it is told of, besides what concerns the whole project; empty: all. */
  readonly environments: readonly string[];
  readonly format: WebhookFormat;
  readonly enabled: boolean;
  readonly createdAt: string;
  /** Revision of the project at which the webhook last changed: its ETag. */
  readonly revision: Revision;
}

export interface WebhookCreation extends Reasoned {
  readonly key: string;
  readonly name?: string;
  readonly url: string;
  readonly types?: readonly string[];
  readonly environments?: readonly string[];
  readonly format?: WebhookFormat;
}

export interface WebhookEdit extends Reasoned {
  readonly name?: string;
  readonly url?: string;
  readonly types?: readonly string[];
  readonly environments?: readonly string[];
  readonly format?: WebhookFormat;
  readonly enabled?: boolean;
}

/** With the secret that signs its messages: shown once. A repeated request with the same Idempotency-Key omits it. */
export interface WebhookCreated extends Webhook {
  readonly secret?: string;
}

/** `pending`: further tries follow. `dead`: none does, until somebody asks for one. */
export type DeliveryStatus = "pending" | "delivered" | "dead";

/** One message to one webhook, and what became of it. */
export interface WebhookDelivery {
  /** Its `webhook-id`: the same in every try, so that a receiver can count it once. */
  readonly id: string;
  readonly webhook: string;
  readonly type: string;
  readonly createdAt: string;
  readonly status: DeliveryStatus;
  readonly attempts: readonly DeliveryAttempt[];
  /** Time of the next try; absent unless pending. */
  readonly nextAttemptAt?: string;
}

export interface DeliveryAttempt {
  readonly at: string;
  readonly durationMs: number;
  /** HTTP status of the answer; absent where none came. */
  readonly status?: number;
  /** Why it is no delivery; absent where it is one. */
  readonly fault?: string;
}
