import type { ControlPlane } from "../control/control-plane.ts";
import type { EventStore } from "../store/events/index.ts";
import { retentionOf } from "./domain.ts";

export interface RetentionKeeperOptions {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly events: Pick<EventStore, "retain">;
  readonly now: () => number;
  /** Told when events of a project could not be forgotten; the next sweep tries again. */
  readonly onFault: (error: unknown, project: string) => void;
  /** Time from the start to the first sweep, and from one to the next. Default 6 h: it wakes an idle event database. */
  readonly everyMs?: number;
}

/** Forgets events older than their project keeps them. */
export class RetentionKeeper {
  readonly #options: RetentionKeeperOptions;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<number> | undefined;

  constructor(options: RetentionKeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.sweep(), options.everyMs ?? 6 * 3_600_000).unref();
  }

  /** Forgets what is too old by now; the number of events gone. One sweep at a time: who asks meanwhile gets that one's answer. */
  sweep(): Promise<number> {
    this.#sweeping ??= this.#sweepAll().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  /** Begins no further sweep and waits for the one that runs. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  async #sweepAll(): Promise<number> {
    const { control, events, now, onFault } = this.#options;
    let gone = 0;
    for (const project of control.workspace.projects.values()) {
      const sinceMs = now() - retentionOf(project).days * DAY_MS;
      try {
        gone += await events.retain(project.key, sinceMs);
      } catch (error) {
        onFault(error, project.key);
      }
    }
    return gone;
  }
}

const DAY_MS = 86_400_000;
