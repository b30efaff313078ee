import type { EpochMs, Revision } from "@belay/protocol";
import { environmentOf, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { readTime } from "../http/times.ts";
import { amend, EMPTY_WORKSPACE } from "../state/amend.ts";
import type { EnvironmentState, ProjectState } from "../state/workspace.ts";
import type { ChangeId, ChangeLog } from "../store/changes/index.ts";

/** A moment of an environment: one of its revisions, or a time. Neither: now. */
export interface Moment {
  readonly revision?: Revision;
  /** RFC 3339. */
  readonly at?: string;
}

/** An environment with its project as they were when a change had made the revision. */
export interface Past {
  readonly revision: Revision;
  readonly change: ChangeId;
  readonly madeAt: EpochMs;
  readonly project: ProjectState;
  readonly environment: EnvironmentState;
}

interface Place {
  readonly project: string;
  readonly environment: string;
}

/** Pasts kept in memory: whoever asks why asks about the same moments again. */
const KEPT_MAX = 8;

/** Reads what was. The past never changes, so what was read is kept for a while. */
export class History {
  readonly #log: ChangeLog;
  readonly #kept = new Map<string, Past>();

  constructor(log: ChangeLog) {
    this.#log = log;
  }

  /**
   * The state after the change that made a revision, or that was the last one at a time.
   *
   * @throws ProblemError when the environment did not exist then, or never had the revision.
   */
  async read(place: Place, moment: Moment): Promise<Past> {
    const found = await this.#find(place, moment);
    const name = JSON.stringify([place.project, place.environment, found.change, found.madeAt]);
    const kept = this.#kept.get(name) ?? (await this.#rebuild(place, found));
    this.#kept.delete(name);
    this.#kept.set(name, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(oldest);
    }
    return kept;
  }

  async #find(place: Place, { revision, at }: Moment): Promise<Pick<Past, "revision" | "change" | "madeAt">> {
    if (revision !== undefined && at !== undefined) {
      throw new ProblemError("invalid_field", { field: "at", received: at, reason: "say a revision or a time, not both" });
    }
    const until = readTime("at", at);
    const change =
      revision === undefined
        ? (await this.#log.changes({ ...place, ...(until === undefined ? {} : { to: until + 1 }) }, 1))[0]
        : await this.#changeOf(place, revision);
    const made = change?.raised.find(({ environment }) => environment === place.environment);
    if (change === undefined || made === undefined) {
      throw new ProblemError("revision_not_found", { environment: place.environment, moment: revision ?? at ?? "now" });
    }
    return { revision: made.revision, change: change.id, madeAt: change.at };
  }

  async #changeOf(place: Place, revision: Revision): ReturnType<ChangeLog["change"]> {
    const position = await this.#log.positionOf(place, revision);
    return position === undefined ? undefined : this.#log.change(position);
  }

  async #rebuild(place: Place, found: Pick<Past, "revision" | "change" | "madeAt">): Promise<Past> {
    const documents = await this.#log.documentsAt(place.project, found.change);
    const workspace = amend(EMPTY_WORKSPACE, { streams: [{ ...place, revision: found.revision }], documents });
    const project = projectOf(workspace, place.project);
    return { ...found, project, environment: environmentOf(project, place.environment) };
  }
}
