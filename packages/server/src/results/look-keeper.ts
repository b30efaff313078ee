import type { ControlPlane } from "../control/control-plane.ts";
import { hasNewPhase, openPhases } from "../experiments/domain.ts";
import { addLooks, setAlarm } from "../experiments/looks.ts";
import { phasesSince } from "../experiments/past-phases.ts";
import { projectOf } from "../http/params.ts";
import type { ExperimentDocument, Workspace } from "../state/workspace.ts";
import type { ChangeLog } from "../store/changes/index.ts";
import { LeasedRounds } from "../store/changes/leased-rounds.ts";
import type { ResultsService } from "./service.ts";

export interface LookKeeperOptions {
  readonly control: ControlPlane;
  /** One server of a cluster looks; phases are read from what was committed. */
  readonly log: Pick<ChangeLog, "takeLease" | "releaseLease" | "positionOf" | "entriesAfter" | "change">;
  readonly results: Pick<ResultsService, "looks" | "quality">;
  readonly now: () => number;
  /** Names this server among those of a cluster. */
  readonly holder: string;
  /** Told when an experiment could not be looked at; the next round tries again. */
  readonly onFault: (error: unknown, experiment: string) => void;
}

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const ROUND_MS = 60_000;
const ACTOR = { id: "scheduler", name: "Scheduler" };

/**
 * Writes the look ledger. A running experiment is looked at once a day, counted from its start: when to look must not depend on
 * what is seen, so nobody's reading of a page is a look. After downtime one look makes up for those missed.
 *
 *   start ├── 24 h ──┤ look 1 ├── 24 h ──┤ look 2 ...
 *
 * Once an hour it asks whether the data can be trusted: what fails is told to the experiment's alert route, once, and so is that it
 * passes again. It also opens a phase where a split's allocation changed, at once: one for each allocation that was ever committed, also those
 * that another one followed before anybody looked.
 */
export class LookKeeper {
  readonly #options: LookKeeperOptions;
  readonly #rounds: LeasedRounds;
  /** When each experiment's data were last checked by this server; an alarm that is known is not told again. */
  readonly #checkedAt = new Map<string, number>();

  constructor(options: LookKeeperOptions) {
    this.#options = options;
    options.control.onCommit((workspace, { documents }) => {
      for (const { kind, project, environment, key } of documents) {
        if (kind === "targeting" && project !== undefined) this.#notice(workspace, { project, environment, flag: key });
      }
    });
    const { log, holder, now } = options;
    this.#rounds = new LeasedRounds({
      ...{ log, holder, now, everyMs: ROUND_MS, lease: "looks", leaseMs: 10 * ROUND_MS },
      work: (at) => this.#lookAtAll(at),
      onFault: (error) => options.onFault(error, ""),
    });
  }

  /** Looks at every experiment that is due. Calls that come while one runs share it. */
  round(): Promise<void> {
    return this.#rounds.round();
  }

  /** Waits for what was begun. */
  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #lookAtAll(at: number): Promise<void> {
    const { control } = this.#options;
    for (const [project, { experiments }] of control.workspace.projects) {
      for (const [experiment, { body }] of experiments) {
        if (this.#rounds.isClosed) return;
        if (body.status !== "running") continue;
        await this.#openPhase(project, experiment);
        if (isDue(body, lastLook(control.workspace, project, experiment), at)) await this.#look(project, experiment);
        await this.#check(project, experiment, at);
      }
    }
  }

  async #look(project: string, experiment: string): Promise<void> {
    const { control, results, onFault } = this.#options;
    try {
      const { looks, srmLogE } = await results.looks({ project, experiment });
      if (looks.length === 0) return;
      await control.execute({
        origin: { actor: ACTOR, requestId: "look" },
        decide: (workspace) => addLooks(projectOf(workspace, project), experiment, looks, srmLogE),
      });
    } catch (error) {
      onFault(error, experiment);
    }
  }

  async #check(project: string, experiment: string, at: number): Promise<void> {
    const { control, results, onFault } = this.#options;
    const name = JSON.stringify([project, experiment]);
    if (at - (this.#checkedAt.get(name) ?? Number.NEGATIVE_INFINITY) < HOUR_MS) return;
    this.#checkedAt.set(name, at);
    try {
      const { checks, sentence, srmLogE } = await results.quality({ project, experiment });
      const route = control.workspace.projects.get(project)?.experiments.get(experiment)?.body.alertRoute ?? "";
      const alarm = checks.length === 0 ? undefined : { at: new Date(at).toISOString(), checks, sentence, route };
      await control.execute({
        origin: { actor: ACTOR, requestId: "quality" },
        decide: (workspace) => setAlarm(projectOf(workspace, project), experiment, alarm, srmLogE),
      });
    } catch (error) {
      onFault(error, experiment);
    }
  }

  #notice(
    { projects }: Workspace,
    of: { readonly project: string; readonly environment: string | undefined; readonly flag: string },
  ): void {
    for (const [key, { body }] of projects.get(of.project)?.experiments ?? []) {
      const isMeant = body.status === "running" && body.flag === of.flag && body.environment === of.environment;
      if (isMeant) void this.#openPhase(of.project, key);
    }
  }

  async #openPhase(project: string, experiment: string): Promise<void> {
    const { control, log, onFault } = this.#options;
    try {
      const state = control.workspace.projects.get(project);
      const document = state?.experiments.get(experiment)?.body;
      if (state === undefined || document === undefined || !hasNewPhase(state, experiment, document)) return;
      const opened = await phasesSince(log, { project, experiment, document });
      await control.execute({
        origin: { actor: ACTOR, requestId: "phase" },
        decide: (workspace, at) => openPhases(projectOf(workspace, project), experiment, opened, new Date(at).toISOString()),
      });
    } catch (error) {
      onFault(error, experiment);
    }
  }
}

/** Has a whole day begun since the last look, counted from the start? */
function isDue({ startedAt = "" }: ExperimentDocument, lastMs: number | undefined, nowMs: number): boolean {
  const startedMs = Date.parse(startedAt);
  const dayOf = (ms: number): number => Math.floor((ms - startedMs) / DAY_MS);
  return dayOf(nowMs) > (lastMs === undefined ? 0 : dayOf(lastMs));
}

function lastLook({ projects }: Workspace, project: string, experiment: string): number | undefined {
  const at = projects.get(project)?.looks.get(experiment)?.body.looks.at(-1)?.at;
  return at === undefined ? undefined : Date.parse(at);
}
