import type { EpochMs } from "@belay/protocol";
import type { ChangeLog } from "./change-log.ts";

export interface LeasedRoundsOptions {
  readonly log: Pick<ChangeLog, "takeLease" | "releaseLease">;
  /** What the work is called in the change log: one holder at a time does work of that name. */
  readonly lease: string;
  /** Longer than a round lasts: a lease is not taken anew while one runs, and ends by itself where its holder died. */
  readonly leaseMs: number;
  /** Who this process is among those of a cluster. */
  readonly holder: string;
  readonly now: () => EpochMs;
  /** From one round to the next where nobody asks for one. */
  readonly everyMs: number;
  /** Asked before the lease is, so that a log with nothing to do is left alone. Absent: there always is. */
  readonly isDue?: () => boolean;
  /** One round; told when the lease was taken. */
  readonly work: (at: EpochMs) => Promise<void>;
  /** Told what the log or the work threw; the next round tries again. */
  readonly onFault: (error: unknown) => void;
}

/**
 * Work that is done over and over, by one server of a cluster at a time. There is one round at a time here, and no round keeps the
 * process alive.
 *
 *   now and then, or asked ── due? ── lease? ──> work ──> ...
 *                               └───────┴── no: nothing, until the next time
 */
export class LeasedRounds {
  readonly #options: LeasedRoundsOptions;
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void> | undefined;
  #following: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: LeasedRoundsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.round(), options.everyMs).unref();
  }

  /** Long work looks here between its steps. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** A round now. Calls that come while one runs share it. */
  round(): Promise<void> {
    if (this.#isClosed) return this.#running ?? Promise.resolve();
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  /** A round that begins after this call, for what the one that runs may have passed already. Calls that wait for it share it. */
  next(): Promise<void> {
    this.#following ??= Promise.resolve(this.#running)
      .finally(() => {
        this.#following = undefined;
      })
      .then(() => this.round());
    return this.#following;
  }

  /** Begins no further round, waits for the one that runs, and gives the lease back. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#running;
    const { log, lease, holder } = this.#options;
    // Where the log is away the lease ends by itself.
    await log.releaseLease(lease, holder).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { log, lease, leaseMs, holder, now, isDue, work, onFault } = this.#options;
    try {
      if (isDue?.() === false) return;
      const at = now();
      if ((await log.takeLease(lease, holder, { now: at, until: at + leaseMs })) !== undefined) await work(at);
    } catch (error) {
      onFault(error);
    }
  }
}
