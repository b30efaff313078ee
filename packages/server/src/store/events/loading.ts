import { type Engine, EngineAway } from "./engine.ts";
import type { SpoolSegment } from "./spool/recovery.ts";
import type { Spool } from "./spool/spool.ts";

/**
 * Moves sealed segments into the engine, oldest first, for as long as there are any; small ones that pile up go together.
 * A segment is dropped only after the engine has it; what fails is tried again, at first soon, then every five seconds,
 * for ever.
 */
export class Loading {
  readonly #spool: Spool;
  readonly #engine: Pick<Engine, "load">;
  readonly #log: (message: string) => void;
  readonly #waiting = new Set<Waiter>();
  #loadedThrough = 0;
  #running: Promise<void> | undefined;
  #wake: (() => void) | undefined;
  #isStopped = false;
  #isPaused = false;
  fault: string | undefined;

  constructor(spool: Spool, engine: Pick<Engine, "load">, log: (message: string) => void) {
    this.#spool = spool;
    this.#engine = engine;
    this.#log = log;
  }

  /** Goes on if there is something to do. */
  start(): void {
    if (this.#isStopped || this.#isPaused) return;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
      // One may have been sealed between the last look and now.
      if (this.#spool.hasSealed) this.start();
    });
  }

  /** Resolves true once the segments up to this one are loaded, false after `timeoutMs`. */
  loaded(segment: number, timeoutMs: number): Promise<boolean> {
    if (segment <= this.#loadedThrough) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (isLoaded: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(waiter);
        resolve(isLoaded);
      };
      const timer = setTimeout(end, timeoutMs, false);
      const waiter: Waiter = { segment, end };
      this.#waiting.add(waiter);
      this.start();
      // A waiting reader is worth an attempt now.
      this.#wake?.();
    });
  }

  /** Runs `work` while nothing is loaded: after the segments at hand, and before the next. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    this.#isPaused = true;
    this.#wake?.();
    try {
      await this.#running;
      return await work();
    } finally {
      this.#isPaused = false;
      this.start();
    }
  }

  /** Ends after the segments at hand. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#wake?.();
    await this.#running;
    for (const waiter of this.#waiting) waiter.end(false);
  }

  async #run(): Promise<void> {
    for (let failures = 0; !this.#isStopped && !this.#isPaused; ) {
      try {
        await this.#loadOldest();
        failures = 0;
        this.fault = undefined;
        if (!this.#spool.hasSealed) return this.#advance(this.#spool.lastSealed);
      } catch (error) {
        failures += 1;
        this.#note(error);
        await this.#pause(Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** (failures - 1)));
      }
    }
  }

  async #loadOldest(): Promise<void> {
    const segments = await this.#spool.oldestSealed();
    if (segments.length === 0) return;
    for (const segment of segments) if (!segment.isChecked) await this.#repair(segment);
    try {
      await this.#engine.load(segments.map(({ spool, number, path }) => ({ spool, number, path })));
    } catch (error) {
      if (!(error instanceof EngineAway)) for (const segment of segments) await this.#repair(segment);
      throw error;
    }
    for (const segment of segments) {
      await this.#spool.drop(segment);
      this.#advance(segment.number);
    }
  }

  async #repair(segment: SpoolSegment): Promise<void> {
    const damagedLines = await this.#spool.repair(segment);
    if (damagedLines > 0) this.#log(`the disk damaged ${damagedLines} lines of ${segment.path}; the file is kept as .damaged`);
  }

  #advance(segment: number): void {
    this.#loadedThrough = Math.max(this.#loadedThrough, segment);
    for (const waiter of this.#waiting) if (waiter.segment <= this.#loadedThrough) waiter.end(true);
  }

  #note(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    if (this.fault !== reason) this.#log(`events are safe in the spool but cannot be loaded: ${reason}`);
    this.fault = reason;
  }

  #pause(ms: number): Promise<void> {
    if (this.#isStopped || this.#isPaused) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(end, ms);
      timer.unref();
      this.#wake = end;
    });
  }
}

interface Waiter {
  readonly segment: number;
  readonly end: (isLoaded: boolean) => void;
}

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 5_000;
