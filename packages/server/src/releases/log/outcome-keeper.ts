import type { EpochMs } from "@belay/protocol";
import type { ControlPlane } from "../../control/control-plane.ts";
import { projectOf } from "../../http/params.ts";
import type { ChangeLog } from "../../store/changes/index.ts";
import type { ReleaseId } from "../watchtower.ts";
import { type LogSources, writeLog } from "./log.ts";
import { fileOutcomes, isOwed, outcomesKey, outcomesOf } from "./outcomes.ts";

export interface OutcomeKeeperOptions extends Pick<LogSources, "events"> {
  readonly control: ControlPlane;
  /** One server of a cluster writes. */
  readonly log: Pick<ChangeLog, "changes" | "takeLease" | "releaseLease">;
  readonly now: () => EpochMs;
  /** Names this server among those of a cluster. */
  readonly holder: string;
  /** Told when a log could not be read; the release is tried again in ten minutes. */
  readonly onFault: (error: unknown, release: ReleaseId | undefined) => void;
  /** Default 1 min. */
  readonly everyMs?: number;
}

const ROUND_MS = 60_000;
const LEASE = "outcomes";
const LEASE_MS = 10 * ROUND_MS;
const RETRY_MS = 10 * ROUND_MS;
const ACTOR = { id: "scheduler", name: "Scheduler" };

/**
 * Writes down what came of the predictions of each release that is over, a quarter of an hour after its end: what its log says then.
 * Reading a log takes a pass over the release's events, so figures over many releases are made of these.
 */
export class OutcomeKeeper {
  readonly #options: OutcomeKeeperOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #retryAt = new Map<string, EpochMs>();
  #round: Promise<void> | undefined;
  #isClosed = false;

  constructor(options: OutcomeKeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.round(), options.everyMs ?? ROUND_MS);
    this.#timer.unref();
  }

  /** Writes down all that is owed, one release after the other. Calls that come while one runs share it. */
  round(): Promise<void> {
    this.#round ??= this.#runRound().finally(() => {
      this.#round = undefined;
    });
    return this.#round;
  }

  /** Waits for what was begun. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#timer);
    await this.#round;
    await this.#options.log.releaseLease(LEASE, this.#options.holder);
  }

  async #runRound(): Promise<void> {
    const { log, now, holder, onFault } = this.#options;
    const owed = this.#owed();
    if (owed.length === 0) return;
    try {
      const at = now();
      if ((await log.takeLease(LEASE, holder, { now: at, until: at + LEASE_MS })) === undefined) return;
    } catch (error) {
      onFault(error, undefined);
      return;
    }
    for (const id of owed) {
      if (this.#isClosed) return;
      await this.#file(id);
    }
  }

  #owed(): ReleaseId[] {
    const at = this.#options.now();
    const owed: ReleaseId[] = [];
    for (const [project, { environments, outcomes }] of this.#options.control.workspace.projects) {
      for (const [environment, { releases }] of environments) {
        for (const [key, { body }] of releases) {
          const id = { project, environment, key };
          const isDue = at >= (this.#retryAt.get(nameOf(id)) ?? 0);
          if (isDue && isOwed(body, outcomes.get(outcomesKey(id))?.body, at)) owed.push(id);
        }
      }
    }
    return owed;
  }

  async #file(id: ReleaseId): Promise<void> {
    const { control, onFault, now } = this.#options;
    this.#retryAt.set(nameOf(id), now() + RETRY_MS);
    try {
      const { lagMs, endedAt, at, ...log } = await writeLog(this.#options, id);
      // What was acknowledged before the end may still be on its way to the store.
      if (endedAt === undefined || Date.parse(at) - lagMs < Date.parse(endedAt)) return;
      const outcomes = outcomesOf(log);
      await control.execute({
        origin: { actor: ACTOR, requestId: "outcomes" },
        decide: (workspace) => fileOutcomes(projectOf(workspace, id.project), id, { endedAt, at, outcomes }),
      });
      this.#retryAt.delete(nameOf(id));
    } catch (error) {
      onFault(error, id);
    }
  }
}

function nameOf(id: ReleaseId): string {
  return `${id.project}/${outcomesKey(id)}`;
}
