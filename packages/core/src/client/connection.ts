import type { Revision, Snapshot, SnapshotChange } from "@belay/protocol";
import type { Clock, Platform, SnapshotTransport, Stop } from "./ports.ts";
import {
  type Failure,
  initialSync,
  type Moment,
  type Sync,
  type SyncEffect,
  type SyncEvent,
  type SyncTimer,
  type SyncTimings,
  step,
} from "./sync.ts";

/** What the machine moves: the rules of the client, and the people who are told. */
export interface ConnectionHost {
  adopt(snapshot: Snapshot): void;
  /** `false` where the change does not fit after all: the whole is fetched then. */
  apply(change: SnapshotChange): boolean;
  /** Something that may be seen from outside moved: state, staleness or revision. */
  moved(sync: Sync): void;
  failed(failure: Failure, waitMs: number): void;
  offeredOlder(offered: Revision, held: Revision): void;
}

/** What of a platform a connection needs. */
export interface ConnectionPlatform extends Pick<Platform, "timers" | "random"> {
  readonly clock: Pick<Clock, "monotonic">;
  readonly transport: SnapshotTransport;
}

/** Runs the sync machine: turns what happens into events, and effects into requests and timers. Decides nothing. */
export class Connection {
  readonly #platform: ConnectionPlatform;
  readonly #timings: SyncTimings;
  readonly #host: ConnectionHost;
  readonly #timers: Record<SyncTimer, Stop | undefined> = { wait: undefined, silence: undefined, stale: undefined };
  readonly #inbox: SyncEvent[] = [];
  #isStepping = false;
  #sync: Sync;
  #stop: Stop | undefined;
  /** Tells the request under way from those abandoned: a late word of one of them is not heard. */
  #generation = 0;

  constructor(
    platform: ConnectionPlatform,
    timings: SyncTimings,
    host: ConnectionHost,
    held: { isOffline: boolean; revision: Revision; isProvisional: boolean },
  ) {
    this.#platform = platform;
    this.#timings = timings;
    this.#host = host;
    this.#sync = initialSync(held);
  }

  get sync(): Sync {
    return this.#sync;
  }

  start(): void {
    this.#take({ on: "start" });
  }

  close(): void {
    this.#take({ on: "close" });
  }

  /** Effects may bring the next event before they return: events wait their turn, so that a step is never inside another. */
  #take(event: SyncEvent): void {
    this.#inbox.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) this.#step(next);
    } finally {
      this.#isStepping = false;
    }
  }

  #step(event: SyncEvent): void {
    const before = this.#sync;
    const { sync, effects } = step(before, event, this.#moment());
    this.#sync = sync;
    for (const effect of effects) this.#run(effect);
    if (before.state !== sync.state || before.isStale !== sync.isStale || before.revision !== sync.revision) {
      this.#host.moved(sync);
    }
  }

  #moment(): Moment {
    return { nowMs: this.#platform.clock.monotonic(), random: this.#platform.random, timings: this.#timings };
  }

  #run(effect: SyncEffect): void {
    switch (effect.do) {
      case "openStream":
        this.#request((hear) => this.#platform.transport.stream(effect.after, hear));
        break;
      case "poll":
        this.#request((hear) => this.#platform.transport.poll(effect.holding, hear));
        break;
      case "stop":
        this.#abandon();
        break;
      case "adopt":
        this.#host.adopt(effect.snapshot);
        break;
      case "apply":
        this.#apply(effect.change);
        break;
      case "arm":
        this.#arm(effect.timer, effect.afterMs);
        break;
      case "disarm":
        this.#disarm(effect.timer);
        break;
      case "tell":
        this.#host.failed(effect.failure, effect.waitMs);
        break;
      case "tellOlder":
        this.#host.offeredOlder(effect.offered, this.#sync.revision);
        break;
    }
  }

  #apply(change: SnapshotChange): void {
    if (this.#host.apply(change)) return;
    const detail = `the change to revision ${change.revision} could not be applied; fetching the whole snapshot`;
    this.#take({ on: "failed", failure: { kind: "gap", detail } });
  }

  #request(open: (hear: (event: SyncEvent) => void) => Stop): void {
    this.#abandon();
    const generation = this.#generation;
    const stop = open((event) => {
      if (generation === this.#generation) this.#take(event);
    });
    this.#stop = stop;
  }

  #abandon(): void {
    this.#generation += 1;
    this.#stop?.();
    this.#stop = undefined;
  }

  #arm(timer: SyncTimer, afterMs: number): void {
    this.#disarm(timer);
    this.#timers[timer] = this.#platform.timers.set(() => {
      this.#timers[timer] = undefined;
      this.#take({ on: `${timer}Due` });
    }, afterMs);
  }

  #disarm(timer: SyncTimer): void {
    this.#timers[timer]?.();
    this.#timers[timer] = undefined;
  }
}
