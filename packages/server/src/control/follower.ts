import type { ChangeLog } from "../store/changes/index.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface FollowerOptions {
  readonly control: Pick<ControlPlane, "follow">;
  readonly log: Pick<ChangeLog, "watch">;
  /** Told when the log could not be read; the next turn tries again. */
  readonly onFault: (error: unknown) => void;
  /** How often it looks when nobody calls. Default 1 s: a lost call costs so long at most. */
  readonly everyMs?: number;
}

/** Keeps a node up to date with what other nodes commit: called by the store, and asking by itself. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #unwatch: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#unwatch = options.log.watch(() => this.#look());
    this.#timer = setInterval(() => this.#look(), options.everyMs ?? 1_000).unref();
  }

  close(): void {
    this.#unwatch();
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#options.control.follow().catch(this.#options.onFault);
  }
}
