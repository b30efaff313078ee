import type { EpochMs, Revision } from "@belay/protocol";
import type { Origin } from "../control/command.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectOf } from "../http/params.ts";
import type { EnvironmentState, ProjectState } from "../state/workspace.ts";
import type { ChangeLog } from "../store/changes/index.ts";
import { LeasedRounds } from "../store/changes/leased-rounds.ts";
import type { FlagUses } from "./flag-uses.ts";
import { type FlagFacts, fullVariant, markStale, staleReasons, staleRuleOf } from "./lifecycle.ts";

export interface StaleKeeperOptions {
  readonly control: ControlPlane;
  readonly log: Pick<ChangeLog, "takeLease" | "releaseLease" | "positionOf" | "change">;
  readonly uses: Pick<FlagUses, "seenAt" | "askedAt" | "watchedSince">;
  readonly now: () => EpochMs;
  /** Who this process is, for the lease that lets one node of a cluster look. */
  readonly holder: string;
  /** Told when the log failed; the next look tries again. */
  readonly onFault: (error: unknown) => void;
  /** Time between looks. Default 1 h. */
  readonly everyMs?: number;
}

const ORIGIN: Origin = { actor: { id: "system", name: "Belay" }, requestId: "stale-flags" };

/** Looks now and then which flags are stale, and writes it down: lists filter by that, and webhooks are told once. */
export class StaleKeeper {
  readonly #options: StaleKeeperOptions;
  readonly #rounds: LeasedRounds;

  constructor(options: StaleKeeperOptions) {
    this.#options = options;
    const { log, holder, now, onFault, everyMs = 3_600_000 } = options;
    this.#rounds = new LeasedRounds({
      ...{ log, holder, now, onFault, everyMs, lease: "stale-flags", leaseMs: 600_000 },
      work: () => this.#look(),
    });
  }

  /** One look at a time: who asks meanwhile gets that one. */
  look(): Promise<void> {
    return this.#rounds.round();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #look(): Promise<void> {
    for (const project of this.#options.control.workspace.projects.values()) {
      for (const flag of project.flags.keys()) await this.#lookAt(project, flag);
    }
  }

  async #lookAt(project: ProjectState, key: string): Promise<void> {
    const facts = await this.#factsOf(project, key);
    if (facts === undefined) return;
    const reasons = staleReasons(facts, staleRuleOf(project), this.#options.now());
    if (reasons.length === 0 && !project.stale.has(key)) return;
    await this.#options.control.execute({
      origin: ORIGIN,
      decide: (workspace) => markStale(projectOf(workspace, project.key), key, reasons),
    });
  }

  async #factsOf(project: ProjectState, key: string): Promise<FlagFacts | undefined> {
    const { uses } = this.#options;
    const flag = project.flags.get(key)?.body;
    if (flag === undefined) return undefined;
    const full: { environment: string; since: EpochMs }[] = [];
    for (const environment of flag.archived ? [] : project.environments.values()) {
      const since = await this.#fullSince(project, environment, key);
      if (since !== undefined) full.push({ environment: environment.key, since });
    }
    const [seenAt, askedAt] = [uses.seenAt(project.key, key), uses.askedAt(project.key, key)];
    return {
      flag,
      full,
      ...(seenAt === undefined ? {} : { seenAt }),
      ...(askedAt === undefined ? {} : { askedAt }),
      watchedSince: uses.watchedSince,
    };
  }

  async #fullSince(project: ProjectState, environment: EnvironmentState, key: string): Promise<EpochMs | undefined> {
    const held = environment.targetings.get(key);
    if (held === undefined || fullVariant(held.body) === undefined) return undefined;
    return this.#madeAt({ project: project.key, environment: environment.key }, held.revision);
  }

  async #madeAt(
    stream: { readonly project: string; readonly environment: string },
    revision: Revision,
  ): Promise<EpochMs | undefined> {
    const { log } = this.#options;
    const position = await log.positionOf(stream, revision);
    return position === undefined ? undefined : (await log.change(position))?.at;
  }
}
