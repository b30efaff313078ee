import type { BatchReceipt, EventBatch, Exposure, MetricEvent } from "@belay/protocol";
import { type Backoff, backoffMs, patientMs } from "./backoff.ts";
import { type Batch, halves, type Ledger } from "./ledger.ts";
import type { Platform, PostResult, PostTransport, Stop } from "./ports.ts";

export interface DeliverySettings {
  /** A batch leaves when it holds this many events, or `flushIntervalMs` after its first one. */
  readonly flushEvents: number;
  readonly flushIntervalMs: number;
  /** Events of one batch at most: more than `flushEvents` only where a backlog has grown. */
  readonly batchEvents: number;
  readonly batchCounts: number;
  /** A batch that is not answered by then is taken for lost, and sent again. */
  readonly answerTimeoutMs: number;
  /** Evaluations are counted in place and told this often. */
  readonly countsIntervalMs: number;
  readonly brisk: Backoff;
  /** After 401, 403 and 404. */
  readonly slow: Backoff;
  /** A batch answered with 400, 415 or 422 is sent this many times before it is given up: the fault may lie on the way. */
  readonly refusalsMax: number;
}

/**
 * One second: an exposure can be read back about a second after it happened and `kill -9` of the application loses at
 * most that second, while an instance sends at most one request a second.
 */
export const DELIVERY_SETTINGS: DeliverySettings = {
  flushEvents: 100,
  flushIntervalMs: 1_000,
  batchEvents: 500,
  batchCounts: 1_000,
  answerTimeoutMs: 10_000,
  countsIntervalMs: 60_000,
  brisk: { floorMs: 0, baseMs: 1_000, maxMs: 30_000 },
  slow: { floorMs: 30_000, baseMs: 60_000, maxMs: 300_000 },
  refusalsMax: 3,
};

/** What of a platform delivering takes: it sends, and reads nothing. */
export type DeliveryPlatform = Omit<Platform, "transport"> & { readonly transport: PostTransport };

export interface DeliveryHost {
  readonly sdk: string;
  readonly instance: string;
  /** Moves the evaluations counted so far into the ledger; not before every batch, for it walks all flags. */
  collectCounts(): void;
  /** An attempt came to nothing; `waitMs` until the next, `undefined` where the batch was given up. */
  failed(detail: string, waitMs: number | undefined): void;
}

/** What an answer means for the batch it answers. */
type Verdict =
  | { readonly kind: "stored"; readonly receipt: BatchReceipt }
  | { readonly kind: "too_large" }
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "later"; readonly detail: string; readonly backoff: Backoff; readonly askedMs: number | undefined };

/**
 * Sends batches, one at a time and in order, until each is answered for. A batch that is sent again holds the same
 * events with the same numbers; only `sentAtMs` is new, or the server would read the outage as a wrong clock.
 */
export class Delivery {
  readonly #platform: DeliveryPlatform;
  readonly #settings: DeliverySettings;
  readonly #ledger: Ledger;
  readonly #host: DeliveryHost;
  /** Taken from the ledger and not answered for; the first one is the one under way. */
  #pending: Batch[] = [];
  #failures = 0;
  #refusals = 0;
  #stopPost: Stop | undefined;
  #stopWait: Stop | undefined;
  #stopFlush: Stop | undefined;
  #stopCounts: Stop | undefined;
  #isSending = false;
  #isClosed = false;
  /** Until when the last ones are being seen off; nothing waits beyond it. */
  #deadlineMs: number | undefined;
  #idle: (() => void)[] = [];

  constructor(platform: DeliveryPlatform, settings: DeliverySettings, ledger: Ledger, host: DeliveryHost) {
    this.#platform = platform;
    this.#settings = settings;
    this.#ledger = ledger;
    this.#host = host;
  }

  /** Starts the slow rhythm in which counts are told. */
  start(): void {
    this.#stopCounts = this.#platform.timers.set(() => {
      this.#host.collectCounts();
      this.#pump();
      this.start();
    }, this.#settings.countsIntervalMs);
  }

  /** An event was queued: send now if there are enough, else soon. */
  queued(): void {
    if (this.#isClosed) return;
    if (this.#ledger.queuedEvents >= this.#settings.flushEvents && this.#stopWait === undefined) this.#pump();
    else this.#stopFlush ??= this.#platform.timers.set(() => this.#flushDue(), this.#settings.flushIntervalMs);
  }

  /** Sends everything there is; resolves when all of it is answered for, or after `timeoutMs`. */
  flush(timeoutMs: number): Promise<void> {
    this.#host.collectCounts();
    this.#stopWaiting();
    return new Promise((resolve) => {
      const stop = this.#platform.timers.set(resolve, timeoutMs);
      this.#idle.push(() => {
        stop();
        resolve();
      });
      this.#pump();
    });
  }

  /** Sends what it can within `deadlineMs` and gives up the rest. Nothing is sent afterwards. */
  async close(deadlineMs: number): Promise<void> {
    this.#deadlineMs = this.#platform.clock.monotonic() + deadlineMs;
    await this.flush(deadlineMs);
    this.#isClosed = true;
    for (const stop of [this.#stopPost, this.#stopWait, this.#stopFlush, this.#stopCounts]) stop?.();
    this.#ledger.close(this.#pending);
    this.#pending = [];
    // Whoever waits for a flush has nothing to wait for any more.
    this.#nothingLeft();
  }

  #flushDue(): void {
    this.#stopFlush = undefined;
    this.#pump();
  }

  /** Sends the next batch unless one is under way or must wait. */
  #pump(): void {
    if (this.#isSending || this.#isClosed || this.#stopWait !== undefined) return;
    const batch = this.#nextBatch();
    if (batch === undefined) {
      this.#nothingLeft();
      return;
    }
    this.#isSending = true;
    this.#post(batch);
  }

  #post(batch: Batch): void {
    const { answerTimeoutMs } = this.#settings;
    const stopTimeout = this.#platform.timers.set(() => {
      stopPost();
      this.#answered(batch, { kind: "failed", detail: `a batch of events was not answered within ${answerTimeoutMs} ms` });
    }, answerTimeoutMs);
    const stopPost = this.#platform.transport.post("events", this.#body(batch), (result) => {
      stopTimeout();
      this.#answered(batch, result);
    });
    this.#stopPost = () => {
      stopTimeout();
      stopPost();
    };
  }

  #nextBatch(): Batch | undefined {
    const first = this.#pending[0];
    if (first !== undefined) return first;
    const batch = this.#ledger.take(this.#settings.batchEvents, this.#settings.batchCounts);
    if (batch !== undefined) this.#pending = [batch];
    return batch;
  }

  #nothingLeft(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }

  #body(batch: Batch): string {
    const exposures = batch.entries
      .map((entry) => entry.exposure)
      .filter((exposure): exposure is Exposure => exposure !== undefined);
    const metrics = batch.entries.map((entry) => entry.metric).filter((metric): metric is MetricEvent => metric !== undefined);
    const { sdk, instance } = this.#host;
    const document: EventBatch = {
      batchId: `${instance.slice(0, 36)}-${batch.name}`,
      sentAtMs: this.#platform.clock.now(),
      sdk,
      instance,
      exposures,
      metrics,
      counts: batch.counts,
      ledger: batch.arms,
    };
    return JSON.stringify(document);
  }

  #answered(batch: Batch, result: PostResult): void {
    if (this.#isClosed) return;
    this.#isSending = false;
    this.#stopPost = undefined;
    const verdict = judge(result, this.#settings);
    if (verdict.kind === "stored") this.#settle(batch, verdict.receipt);
    else if (verdict.kind === "too_large") this.#halve(batch);
    else if (verdict.kind === "refused") this.#refused(batch, verdict.detail);
    else this.#later(verdict);
    this.#pump();
  }

  #settle(batch: Batch, receipt: BatchReceipt): void {
    this.#ledger.settle(batch, receipt);
    this.#done();
  }

  #done(): void {
    this.#pending = this.#pending.slice(1);
    this.#failures = 0;
    this.#refusals = 0;
  }

  #halve(batch: Batch): void {
    const cut = halves(batch);
    if (cut !== undefined) {
      this.#pending = [...cut, ...this.#pending.slice(1)];
      return;
    }
    this.#ledger.drop(batch, "too_large");
    this.#host.failed("a single event is too large for the server", undefined);
    this.#done();
  }

  #refused(batch: Batch, detail: string): void {
    this.#refusals += 1;
    if (this.#refusals < this.#settings.refusalsMax) {
      this.#later({ kind: "later", detail, backoff: this.#settings.brisk, askedMs: undefined });
      return;
    }
    this.#ledger.drop(batch, "refused");
    this.#host.failed(`${detail}; giving up ${batch.entries.length} events`, undefined);
    this.#done();
  }

  #later(verdict: Extract<Verdict, { kind: "later" }>): void {
    this.#failures += 1;
    const { random, clock, timers } = this.#platform;
    const waitMs =
      verdict.askedMs === undefined
        ? backoffMs(verdict.backoff, this.#failures, random)
        : patientMs(verdict.askedMs, verdict.backoff.maxMs, random);
    this.#host.failed(verdict.detail, waitMs);
    // Closing: a wait that ends after the deadline is a wait for nothing.
    if (this.#deadlineMs !== undefined && clock.monotonic() + waitMs >= this.#deadlineMs) {
      this.#stopWait = () => {};
      this.#nothingLeft();
      return;
    }
    this.#stopWait = timers.set(() => {
      this.#stopWait = undefined;
      this.#pump();
    }, waitMs);
  }

  #stopWaiting(): void {
    this.#stopWait?.();
    this.#stopWait = undefined;
  }
}

function judge(result: PostResult, settings: DeliverySettings): Verdict {
  if (result.kind === "failed") return later(result.detail, settings.brisk, undefined);
  const { status, text, retryAfterMs } = result;
  if (status >= 200 && status < 300) return judgeReceipt(text, settings);
  if (status === 413) return { kind: "too_large" };
  const detail = `the server answered ${status} to a batch of events${problemOf(text)}`;
  if (status === 400 || status === 415 || status === 422) return { kind: "refused", detail };
  const isSlow = status === 401 || status === 403 || status === 404;
  return later(detail, isSlow ? settings.slow : { ...settings.brisk, maxMs: maxFor(retryAfterMs, settings) }, retryAfterMs);
}

/** What was asked for may be longer than our own longest wait, up to the longest of all. */
function maxFor(askedMs: number | undefined, settings: DeliverySettings): number {
  return askedMs === undefined ? settings.brisk.maxMs : settings.slow.maxMs;
}

/** Only a receipt is a receipt: a page of some proxy that says 200 has stored nothing. */
function judgeReceipt(text: string, settings: DeliverySettings): Verdict {
  try {
    const receipt = JSON.parse(text) as Partial<BatchReceipt> | null;
    if (receipt !== null && typeof receipt.accepted === "number" && Array.isArray(receipt.rejected)) {
      return { kind: "stored", receipt: receipt as BatchReceipt };
    }
  } catch {
    // Fall through: not JSON is no receipt either.
  }
  return later("the answer to a batch of events is no receipt", settings.brisk, undefined);
}

function later(detail: string, backoff: Backoff, askedMs: number | undefined): Verdict {
  return { kind: "later", detail, backoff, askedMs };
}

/** The problem's code and field, where the answer is a problem document. */
function problemOf(text: string): string {
  try {
    const problem = JSON.parse(text) as { code?: unknown; field?: unknown } | null;
    const words = [problem?.code, problem?.field].filter((word): word is string => typeof word === "string");
    return words.length > 0 ? ` (${words.join(", ")})` : "";
  } catch {
    return "";
  }
}
