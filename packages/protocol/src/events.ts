import type { Json } from "./json.ts";
import type { EpochMs, FlagKey, Revision, VariantName } from "./names.ts";

/** Limits of one event, in UTF-16 units; beyond them it is rejected by its index, and the rest of its batch is taken. */
export const EVENT_LIMITS: {
  readonly nameLength: number;
  readonly unitLength: number;
  readonly attributesLength: number;
  readonly attributesDepth: number;
} = {
  /** Variants, rule ids and names of metric events. */
  nameLength: 128,
  unitLength: 4_096,
  /** JSON text of an event's attributes or properties, and how deep it may nest. */
  attributesLength: 16_384,
  attributesDepth: 16,
};

/**
 * A batch as an SDK sends it to `POST /sdk/v1/events`. Every event carries `seq`, the instance's own count from 1 over
 * exposures and metric events together; `(instance, seq)` names an event for ever, so that one sent again is counted once.
 */
export interface EventBatch {
  /**
   * 1-64 characters that tell this batch from the instance's last ones. Events are told apart by `seq`; counts are not,
   * so a batch with counts that is sent again must keep its id, and one with other counts needs another.
   */
  readonly batchId: string;
  /** The client's clock when the batch was sent: with the server's it gives the clock offset kept beside each event. */
  readonly sentAtMs: EpochMs;
  /** Name and version of the sender, for example `node/0.1.0`. */
  readonly sdk: string;
  /** One run of one process: a UUID made at start. */
  readonly instance: string;
  /**
   * The sender's SDK key, in place of the `authorization` header: a page that goes away can send `text/plain` only, and
   * a header would make the browser ask leave first. Such a body may be packed (`text/plain;lzw=1`), since browsers let
   * 64 KiB outlive a page. Never stored.
   */
  readonly sdkKey?: string;
  readonly exposures?: readonly Exposure[];
  readonly metrics?: readonly MetricEvent[];
  readonly counts?: readonly EvaluationCount[];
  /** How many events this instance made and dropped so far, per arm: what the loss ledger is computed from. */
  readonly ledger?: readonly ArmLedger[];
}

/** A unit met an arm for the first time in this instance. */
export interface Exposure {
  readonly seq: number;
  readonly timeMs: EpochMs;
  readonly flag: FlagKey;
  readonly variant: VariantName;
  /** Id of the rule that served; absent when the fallthrough did. */
  readonly rule?: string;
  /** Exactly one of `experiment` and `release` is present. */
  readonly experiment?: string;
  readonly release?: string;
  readonly epoch: number;
  readonly revision: Revision;
  readonly unit: string;
  /**
   * Would this unit, at this revision, have got another value outside its arm: in another arm of its split, or, where there
   * is one arm only, had the arm not been there? Never depends on the arm. Absent: not known.
   */
  readonly differs?: boolean;
  readonly attributes?: { readonly [name: string]: Json };
}

/** Something a unit did: the raw material of metrics. */
export interface MetricEvent {
  readonly seq: number;
  readonly timeMs: EpochMs;
  readonly name: string;
  readonly unit: string;
  readonly value?: number;
  readonly properties?: { readonly [name: string]: Json };
}

/** Evaluations of one flag and variant since the instance's last report. */
export interface EvaluationCount {
  readonly flag: FlagKey;
  /** Absent when the caller's default was served. */
  readonly variant?: VariantName;
  readonly count: number;
}

/** Running totals of one arm in one instance. They only grow: of two reports the larger one is the later. */
export interface ArmLedger {
  readonly experiment?: string;
  readonly release?: string;
  readonly variant: VariantName;
  /**
   * Exposures made since the instance started: every unit that met the arm, once an epoch, dropped ones included. With the
   * number stored it gives the loss of the arm.
   */
  readonly produced: number;
  /**
   * Those of them that were ever given up on: full queue, too large, deadline of `close()`. A unit that found the queue full
   * and was met again later may be stored all the same; it counts here once, whatever the number of attempts.
   */
  readonly dropped: number;
}

/** Answer to a batch, sent only once its accepted events are durable. */
export interface BatchReceipt {
  readonly accepted: number;
  /** Events that were there already. */
  readonly duplicates: number;
  readonly rejected: readonly RejectedEvent[];
}

export interface RejectedEvent {
  readonly list: "exposures" | "metrics" | "counts" | "ledger";
  readonly index: number;
  readonly code: string;
  readonly field: string;
}

/** What an instance says after each swap and every 60 s: which revision decides there now. */
export interface Receipt {
  readonly instance: string;
  readonly sdk: string;
  readonly revision: Revision;
}
