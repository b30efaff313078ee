import type { EpochMs } from "@belay/protocol";
import type { ControlPlane } from "../../control/control-plane.ts";
import { projectOf } from "../../http/params.ts";
import type { ChangeLog } from "../../store/changes/index.ts";
import { LeasedRounds } from "../../store/changes/leased-rounds.ts";
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
const RETRY_MS = 10 * ROUND_MS;
const ACTOR = { id: "scheduler", name: "Scheduler" };

/**
 * Writes down what came of the predictions of each release that is over, a quarter of an hour after its end: what its log says then.
 * Reading a log takes a pass over the release's events, so figures over many releases are made of these.
 */
export class OutcomeKeeper {
  readonly #options: OutcomeKeeperOptions;
  readonly #rounds: LeasedRounds;
  readonly #retryAt = new Map<string, EpochMs>();

  constructor(options: OutcomeKeeperOptions) {
    this.#options = options;
    const { log, holder, now, everyMs = ROUND_MS } = options;
    this.#rounds = new LeasedRounds({
      ...{ log, holder, now, everyMs, lease: "outcomes", leaseMs: 10 * ROUND_MS },
      isDue: () => this.#owed().length > 0,
      work: () => this.#fileOwed(),
      onFault: (error) => options.onFault(error, undefined),
    });
  }

  /** Writes down all that is owed, one release after the other. Calls that come while one runs share it. */
  round(): Promise<void> {
    return this.#rounds.round();
  }

  /** Waits for what was begun. */
  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #fileOwed(): Promise<void> {
    for (const id of this.#owed()) {
      if (this.#rounds.isClosed) return;
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
