import type { Bus } from "../store/bus/index.ts";
import type { ChangeId, ChangeLog } from "../store/changes/index.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface FollowerOptions {
  readonly control: Pick<ControlPlane, "follow" | "onCommit" | "position">;
  readonly log: Pick<ChangeLog, "watch">;
  /** What servers tell each other of changes by; the log's own call where it is absent. */
  readonly bus?: Bus;
  /** Told when the log could not be read; the next turn tries again. */
  readonly onFault: (error: unknown) => void;
  /** How often it looks when nobody calls. Default 1 s: a lost call costs so long at most. */
  readonly everyMs?: number;
}

/** Keeps a node up to date with what other nodes commit: called by the store and by them, and asking by itself. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #unwatch: readonly (() => void)[];
  readonly #timer: NodeJS.Timeout;
  /** The newest change that was told on the bus, by this node or by another: it is told once. */
  #told: ChangeId;
  #isTelling = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
    const { log, bus, control } = options;
    this.#told = control.position;
    this.#unwatch = [
      log.watch(() => this.#look()),
      bus?.subscribe("position", (position) => this.#hear(position)) ?? (() => undefined),
    ];
    if (bus !== undefined) {
      control.onCommit(() => this.#tellSoon(bus));
      bus.onGap(() => this.#look());
    }
    this.#timer = setInterval(() => this.#look(), options.everyMs ?? 1_000).unref();
  }

  close(): void {
    for (const unwatch of this.#unwatch) unwatch();
    clearInterval(this.#timer);
  }

  #look(): void {
    const { control, onFault } = this.#options;
    control.follow().then(() => {
      // A position that the log does not bear out silences nobody.
      this.#told = Math.min(this.#told, control.position);
    }, onFault);
  }

  #hear(position: unknown): void {
    if (typeof position !== "number" || !Number.isSafeInteger(position)) return;
    if (position <= this.#options.control.position) return;
    this.#told = Math.max(this.#told, position);
    this.#look();
  }

  /** A group of commits is told once, with its last. */
  #tellSoon(bus: Bus): void {
    if (this.#isTelling) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      const { position } = this.#options.control;
      if (position <= this.#told) return;
      this.#told = position;
      bus.publish("position", position);
    });
  }
}
