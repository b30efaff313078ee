/*
 * What a platform lends to the client: time, dice, timers, the network. Everything here has a fake in the tests, and
 * nothing in this folder reaches for the real one.
 */
import type { ArmLedger, EpochMs, Exposure, MetricEvent, Revision } from "@belay/protocol";
import type { Random } from "./backoff.ts";
import type { SyncEvent } from "./sync.ts";

export interface Clock {
  /** The wall clock, for the times events carry. May jump. */
  now(): EpochMs;
  /** Milliseconds that only rise, for waits. */
  monotonic(): number;
}

/** A timer that was set, or a request under way: call it to be rid of it. Calling it late or twice does nothing. */
export type Stop = () => void;

export interface Timers {
  /** Calls back once after `afterMs`. Never keeps a process alive. */
  set(callback: () => void, afterMs: number): Stop;
}

/** How a request for the rules reports what comes of it: as events of the sync machine, ending with at most one failure. */
export type Hear = (event: SyncEvent) => void;

export interface SnapshotTransport {
  /** Opens the stream; `after` is the revision to go on from. */
  stream(after: Revision | undefined, hear: Hear): Stop;
  /** Asks for the snapshot once; `holding` is the revision that need not be sent again. */
  poll(holding: Revision | undefined, hear: Hear): Stop;
}

/** What became of a request that sends something. */
export type PostResult =
  | { readonly kind: "answered"; readonly status: number; readonly text: string; readonly retryAfterMs?: number | undefined }
  | { readonly kind: "failed"; readonly detail: string };

export interface PostTransport {
  /** Posts a JSON document to a door of `/sdk/v1`. Calls back at most once, never within the call, and not after it was stopped. */
  post(door: "events" | "receipt", body: string, done: (result: PostResult) => void): Stop;
}

/** An event with its number, as it is kept and as it travels. */
export type NumberedEvent =
  | { readonly list: "exposures"; readonly event: Exposure }
  | { readonly list: "metrics"; readonly event: MetricEvent };

/** Keeps events beside the memory of a process until somebody answers for them. Nothing here waits, and nothing throws. */
export interface EventSpool {
  /** Called once, before anything else: how to ask for the arms' totals, which belong to the events. */
  open(totals: () => readonly ArmLedger[]): void;
  /** An event got its number; `false` where it cannot be kept here and has only the memory. */
  keep(numbered: NumberedEvent): boolean;
  /** The totals changed by something else than an event that is kept. */
  counted(): void;
  /** Every event up to this number was answered for. */
  answered(seq: number): void;
  /** Events that reached it so far; `undefined` where nothing outlives the process. */
  readonly spooled: number | undefined;
}

export interface Platform {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: Random;
  readonly transport: SnapshotTransport & PostTransport;
}
