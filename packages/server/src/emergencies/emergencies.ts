import { randomUUID } from "node:crypto";
import type { EpochMs, Ppm } from "@belay/protocol";
import type { Origin } from "../control/command.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { asJson, type Decision, refuse } from "../control/decision.ts";
import { EMERGENCY, type Override } from "../control/overlay.ts";
import { environmentStream } from "../control/streams.ts";
import { lowered } from "../flags/lowering.ts";
import { ProblemError } from "../http/problem.ts";
import type { Workspace } from "../state/workspace.ts";
import { readSummed, writeSummed } from "../store/summed-file.ts";

export interface EmergencyOptions {
  readonly control: ControlPlane;
  /** The journal: what a restart finds again. */
  readonly file: string;
  readonly now: () => EpochMs;
  /** Told when the log could not take an override yet; the next turn tries again. */
  readonly onFault: (error: unknown) => void;
  /** How often it tries while there is something to bring. Default 1 s. */
  readonly everyMs?: number;
}

/** Which flag is to be shown to fewer, and where. */
export interface FlagPlace {
  readonly project: string;
  readonly environment: string;
  readonly flag: string;
}

/**
 * Switches flags off, or lowers their rollouts, while the change log is away, and brings that to the log when it is back.
 *
 *   lower ──> journal (fsync) ──> overlay, served here at once, also where the journal cannot be written
 *                     ^                     │ the log is back: follow it, then commit, once, audited
 *   restart ──────────┘                     └──────> base; the override goes out of overlay and journal
 */
export class Emergencies {
  readonly #options: EmergencyOptions;
  readonly #timer: NodeJS.Timeout;
  #journal: Promise<void> = Promise.resolve();
  #isBringing = false;
  /** Does the journal hold what lies over the log? */
  #isKept = true;

  /** Lays what the journal holds over the workspace. */
  static async open(options: EmergencyOptions): Promise<Emergencies> {
    const kept = (await readSummed(options.file)) as readonly Override[] | undefined;
    options.control.impose(kept ?? []);
    return new Emergencies(options);
  }

  private constructor(options: EmergencyOptions) {
    this.#options = options;
    const { control } = options;
    let pending = control.overrides;
    control.onCommit(() => {
      if (control.overrides.length < pending.length) this.#keepJournal();
      pending = control.overrides;
    });
    this.#timer = setInterval(() => void this.bring(), options.everyMs ?? 1_000).unref();
  }

  /**
   * Shows a flag to fewer here; nothing where it shows no more already.
   *
   * @param ppm where its rollout goes down to; absent: it is switched off.
   * @returns whether it is durable. A journal that cannot be written keeps nobody from switching off: then it holds for as long
   * as this server lives, or until the journal can be written again.
   */
  async lower(place: FlagPlace, { actor, requestId, reason }: Origin, ppm?: Ppm): Promise<boolean> {
    const { control, now } = this.#options;
    await this.#inTurn(async () => {
      const { project, environment, flag } = place;
      const owner = control.workspace.projects.get(project);
      const state = owner?.environments.get(environment);
      const targeting = state?.targetings.get(flag)?.body;
      if (state === undefined || targeting === undefined) return;
      const revision = state.revision + 1;
      if (lowered(targeting, owner?.flags.get(flag)?.body, { ppm, revision }) === targeting) return;
      const override: Override = {
        ...{ id: randomUUID(), project, environment, flag, at: now(), actor, requestId, revision },
        ...(reason === undefined ? {} : { reason }),
        ...(ppm === undefined ? {} : { ppm }),
      };
      const overrides = [...control.overrides, override];
      await this.#write(overrides);
      control.impose(overrides);
    });
    return this.#isKept;
  }

  /** Commits what waits, in order, as far as the log takes it. */
  async bring(): Promise<void> {
    const { control, onFault } = this.#options;
    if (this.#isBringing || control.overrides.length === 0) return;
    this.#isBringing = true;
    if (!this.#isKept) this.#keepJournal();
    try {
      await control.follow();
      for (const override of control.overrides) await this.#commit(override);
    } catch (error) {
      onFault(error);
    } finally {
      this.#isBringing = false;
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#journal;
  }

  async #commit(override: Override): Promise<void> {
    const { control } = this.#options;
    try {
      await control.execute({ origin: originOf(override), decide: (workspace) => committed(workspace, override) });
    } catch (error) {
      const isGone = error instanceof ProblemError && error.code === "environment_not_found";
      if (!isGone) throw error;
      // Where its environment was deleted meanwhile there is nothing to switch off, and nobody to serve it to.
      control.impose(control.overrides.filter(({ id }) => id !== override.id));
      this.#keepJournal();
    }
  }

  #keepJournal(): void {
    // What is in the log is known there by its id: a journal that still has it does no harm.
    void this.#inTurn(() => this.#write(this.#options.control.overrides));
  }

  async #write(overrides: readonly Override[]): Promise<void> {
    const { file, onFault } = this.#options;
    try {
      await writeSummed(file, overrides);
      this.#isKept = true;
    } catch (error) {
      this.#isKept = false;
      onFault(error);
    }
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#journal.then(work);
    this.#journal = done.catch(() => undefined);
    return done;
  }
}

function originOf({ at, actor, requestId, reason }: Override): Origin {
  const made = `emergency override made at ${new Date(at).toISOString()} while the log was away`;
  return { actor, requestId, reason: reason === undefined ? made : `${reason} (${made})` };
}

/**
 * The override as an ordinary change. Made also where the flag shows no more already or is gone: the revision it was served with
 * must be reached, and the log must know that it is settled.
 */
function committed({ projects }: Workspace, override: Override): Decision<undefined> {
  const { id, at, project: projectKey, environment: key, flag, ppm } = override;
  const project = projects.get(projectKey);
  const environment = project?.environments.get(key);
  if (project === undefined || environment === undefined) return refuse("environment_not_found", { key });
  const targeting = environment.targetings.get(flag)?.body;
  const place = { project: projectKey, environment: key };
  const note = {
    kind: EMERGENCY,
    ...place,
    key: id,
    body: asJson({ flag, at, servedAs: override.revision, ...(ppm === undefined ? {} : { ppm }) }),
  };
  const revision = environment.revision + 1;
  const document = project.flags.get(flag)?.body;
  const after = targeting === undefined ? undefined : asJson(lowered(targeting, document, { ppm, revision }));
  return {
    kind: "edit",
    action: "flag.emergency",
    stream: place,
    target: { kind: "flag", key: flag },
    raises: [environmentStream(project, environment)],
    documents: after === undefined ? [note] : [{ kind: "targeting", ...place, key: flag, body: after }, note],
    ...(targeting === undefined || after === undefined ? {} : { before: asJson(targeting), after }),
    answer: undefined,
    revision,
  };
}
