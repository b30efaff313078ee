import type { SdkKeyKind } from "./api.ts";
import type { EventBatch, Receipt } from "./events.ts";
import type { EpochMs, FlagKey } from "./names.ts";
import type { Snapshot } from "./snapshot.ts";

/**
 * What a relay is told beside the rules of its environment: whom it lets in, and what pages may see. Sent whole, first of
 * all and whenever it differs, as the `brief` of `GET /relay/v1/stream`.
 */
export interface RelayBrief {
  readonly project: string;
  readonly environment: string;
  /** Relays it came by, the one next to the server first; none from the server itself. */
  readonly path: readonly string[];
  /** The environment's SDK keys that are not revoked. */
  readonly keys: readonly RelayKey[];
  /** Flags that pages may see. */
  readonly clientFlags: readonly FlagKey[];
}

/** An SDK key as a relay knows it: enough to tell the right secret from a wrong one, and not the secret. */
export interface RelayKey {
  readonly id: string;
  readonly kind: SdkKeyKind;
  /** SHA-256 of the secret, in hex. */
  readonly hash: string;
  /** The secret before the last rotation. */
  readonly previous?: { readonly hash: string; readonly until: EpochMs };
}

/** Answer of `GET /relay/v1/state`. */
export interface RelayState {
  readonly brief: RelayBrief;
  readonly snapshot: Snapshot;
}

/** Batches that a relay acknowledged, as their instances sent them, to `POST /relay/v1/events`. */
export interface RelayedEvents {
  readonly batches: readonly RelayedBatch[];
}

export interface RelayedBatch {
  /** `sentAtMs` is later than the instance said by as long as the batch lay in relays: whoever takes it sees the instance's clock. */
  readonly batch: EventBatch;
  /** Exposures of this batch that came again to the relay and are not in it, by arm. */
  readonly duplicates?: readonly DuplicateTally[];
}

/** How many exposures of an arm came again. */
export interface DuplicateTally {
  readonly experiment?: string;
  readonly release?: string;
  readonly variant: string;
  readonly count: number;
}

/** Receipts that a relay was given, the newest of each instance, to `POST /relay/v1/receipts`. */
export interface RelayedReceipts {
  readonly receipts: readonly RelayedReceipt[];
  /** Ids of SDK keys that were shown to it: a key in use behind a relay must not look forgotten. */
  readonly usedKeys?: readonly string[];
}

export interface RelayedReceipt extends Receipt {
  /** Relays it came by, the one that the instance speaks to first. */
  readonly via: readonly string[];
}

/** How many relays may stand one behind the other. */
export const RELAYS_IN_A_ROW_MAX = 4;
