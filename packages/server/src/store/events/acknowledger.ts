import { setTimeout as pause } from "node:timers/promises";
import type { Engine } from "./engine.ts";
import type { AppendReceipt, EventStoreStatus, IncomingBatch } from "./event-store.ts";
import { Loading } from "./loading.ts";
import { instanceKey, Received } from "./received.ts";
import { encodeBatch } from "./spool/batch-frame.ts";
import { Spool } from "./spool/spool.ts";

export interface AcknowledgerOptions {
  /** Folder of the spool; made when it is not there. */
  readonly directory: string;
  /** Where sealed segments go. */
  readonly load: Engine["load"];
  /** A segment is handed on at this size. */
  readonly segmentBytes: number;
  /** And at this age, which bounds how far behind the other side is while nobody waits for it. */
  readonly segmentAgeMs: number;
  /** Events are refused while this much waits to be loaded. */
  readonly spoolBytesMax: number;
  readonly now: () => number;
  readonly log: (message: string) => void;
}

/** Takes batches into a spool, each event once, and has them loaded behind it into whatever keeps them. */
export class Acknowledger {
  readonly #options: AcknowledgerOptions;
  readonly #received: Received;
  readonly #spool: Spool;
  readonly #loading: Loading;
  #accepted = 0;
  #duplicates = 0;

  private constructor(options: AcknowledgerOptions, received: Received, spool: Spool, loading: Loading) {
    this.#options = options;
    this.#received = received;
    this.#spool = spool;
    this.#loading = loading;
  }

  /** Opens the spool and goes on loading what the process before left. */
  static async open(options: AcknowledgerOptions): Promise<Acknowledger> {
    const received = new Received();
    const { directory, segmentBytes, segmentAgeMs, spoolBytesMax: bytesMax, now } = options;
    const onSealed = (): void => loading.start();
    const spool = await Spool.open({ directory, segmentBytes, segmentAgeMs, bytesMax, received, now, onSealed });
    const loading: Loading = new Loading(spool, options, options.log);
    if (spool.hasSealed) loading.start();
    return new Acknowledger(options, received, spool, loading);
  }

  /** Resolves once every event of the batch is on the disk. @throws as `EventStore.append` */
  async append(batch: IncomingBatch): Promise<AppendReceipt> {
    this.#spool.checkRoom();
    this.#received.forget(batch.receivedAtMs - REMEMBERED_MS);
    const claim = this.#received.claim(instanceKey(batch), batch.receivedAtMs);
    const position = this.#spool.nextPosition(batch.exposures.length + batch.metrics.length);
    const { accepted, duplicates, frames } = encodeBatch(batch, claim, position);
    await this.#spool.append({ frames, keep: () => claim.keep(), giveBack: () => claim.giveBack() });
    this.#accepted += accepted;
    this.#duplicates += duplicates;
    return { accepted, duplicates };
  }

  /** When an instance was last heard, by its `instanceKey`; undefined once it is forgotten. */
  seenAtMs(instance: string): number | undefined {
    return this.#received.seenAtMs(instance);
  }

  /** Runs `work` while nothing is loaded. */
  paused<T>(work: () => Promise<T>): Promise<T> {
    return this.#loading.paused(work);
  }

  /** Waits until everything acknowledged so far is loaded, at most `timeoutMs`; how far behind it still is, in ms. */
  async settle(timeoutMs: number = SETTLE_MS): Promise<number> {
    await this.#spool.seal();
    const through = this.#spool.lastSealed;
    const sinceMs = this.#spool.sinceMs;
    const isLoaded = await this.#loading.loaded(through, timeoutMs);
    if (isLoaded && this.#spool.fault === undefined) return 0;
    return sinceMs === undefined ? 0 : Math.max(0, this.#options.now() - sinceMs);
  }

  status(): EventStoreStatus {
    const { sinceMs, bytes } = this.#spool;
    return {
      spoolBytes: bytes,
      spoolBytesMax: this.#options.spoolBytesMax,
      lagMs: sinceMs === undefined ? 0 : Math.max(0, this.#options.now() - sinceMs),
      instances: this.#received.size,
      accepted: this.#accepted,
      duplicates: this.#duplicates,
      fault: this.#spool.fault ?? this.#loading.fault,
    };
  }

  /** Lets the files go; `end` ends what `load` goes to. What was not loaded yet is loaded at the next start. */
  async close(end: () => Promise<void>): Promise<void> {
    await this.#spool.close();
    const stopped = this.#loading.stop();
    // What hangs is not waited for: what it was at is loaded at the next start, once.
    await Promise.race([stopped, pause(STOP_MS, undefined, { ref: false })]);
    await end();
    await stopped;
  }
}

/** Sequence numbers of an instance that was silent for so long are forgotten. */
const REMEMBERED_MS = 7 * 24 * 3_600_000;
const SETTLE_MS = 5_000;
const STOP_MS = 1_500;
