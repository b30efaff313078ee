import type { CompileOptions } from "@belay/core";
import type { ChangeRequest, EpochMs, WallTime } from "@belay/protocol";
import { ERRORS } from "@belay/protocol";
import type { Origin } from "../control/command.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Decision } from "../control/decision.ts";
import type { History } from "../history/history.ts";
import { ProblemError, renderProblem } from "../http/problem.ts";
import type { RequestDocument, Workspace } from "../state/workspace.ts";
import type { ChangeLog } from "../store/changes/index.ts";
import { LeasedRounds } from "../store/changes/leased-rounds.ts";
import { authorFault } from "./authority.ts";
import { type Desk, endRequest, fireRequest, hasDrifted, pendingRequests } from "./domain.ts";
import { type Decide, OPERATIONS } from "./operations.ts";
import { momentOf } from "./wall-time.ts";

export interface ClerkOptions {
  readonly control: ControlPlane;
  readonly log: Pick<ChangeLog, "takeLease" | "releaseLease">;
  readonly history: Pick<History, "read">;
  readonly compile: CompileOptions;
  readonly now: () => EpochMs;
  /** Who this process is, for the lease that lets one node of a cluster work. */
  readonly holder: string;
  /** Told when the log failed; the next turn tries again. */
  readonly onFault: (error: unknown) => void;
  /** Time between turns without a commit. Default 1 s: a request is made so late at most. */
  readonly everyMs?: number;
}

interface Pending {
  readonly project: string;
  readonly id: string;
  readonly request: RequestDocument;
}

interface Due extends Pending {
  readonly due: EpochMs;
}

const ORIGIN: Origin = { actor: { id: "system", name: "Belay" }, requestId: "requests" };

/**
 * Looks after requests that nobody calls for: those whose content moved away from what people looked at are void, those
 * whose time came are made.
 *
 *   commit, or a second ── lease ──┬── content moved on ──> void
 *                                  └── due, oldest first ──> applied, or failed with the reason; never tried again
 *
 * A request and its end are one change, so that it is made once, whichever node or restart comes to it.
 */
export class Clerk {
  readonly #options: ClerkOptions;
  readonly #rounds: LeasedRounds;

  constructor(options: ClerkOptions) {
    this.#options = options;
    const { log, holder, now, onFault, everyMs = 1_000 } = options;
    this.#rounds = new LeasedRounds({
      ...{ log, holder, now, onFault, everyMs, lease: "requests", leaseMs: 15_000 },
      isDue: () => this.#pending().length > 0,
      work: (at) => this.#turn(at),
    });
    options.control.onCommit(() => void this.turn());
  }

  /** Does what there is to do now. Turns run one after another; asked for meanwhile, one more follows. */
  turn(): Promise<void> {
    return this.#rounds.next();
  }

  close(): Promise<void> {
    return this.#rounds.close();
  }

  async #turn(at: EpochMs): Promise<void> {
    for (const pending of this.#pending()) await this.#voidIfDrifted(pending);
    for (const sameThing of groups(dueOf(this.#pending(), at))) await this.#catchUp(sameThing);
  }

  #pending(): Pending[] {
    const { projects } = this.#options.control.workspace;
    return [...projects.values()].flatMap((project) =>
      pendingRequests(project).map(([id, request]) => ({ project: project.key, id, request })),
    );
  }

  async #voidIfDrifted(pending: Pending): Promise<void> {
    if (pending.request.needed === 0) return;
    const { control, now } = this.#options;
    const decide = await this.#decide(pending);
    const isDrifted = (workspace: Workspace, at: EpochMs): boolean =>
      hasDrifted(this.#desk(pending, workspace, at, decide), pending.request);
    if (!isDrifted(control.workspace, now())) return;
    await this.#write(ORIGIN, (workspace, at) =>
      endRequest(this.#desk(pending, workspace, at, decide), pending.id, "drift", {
        code: "plan_changed",
        reason: ERRORS.plan_changed.detail,
      }),
    );
  }

  /**
   * Requests that set the same thing and are due together, because the server was away: the last one that may be made
   * stands for those before it, so that nobody sees what was meant to be over.
   */
  async #catchUp(sameThing: readonly Due[]): Promise<void> {
    for (let last = sameThing.length - 1; last >= 0; last -= 1) {
      const due = sameThing[last] as Due;
      if (await this.#make(due, sameThing.slice(0, last))) return;
    }
  }

  /** Resolves with whether it was made. */
  async #make(due: Due, before: readonly Due[]): Promise<boolean> {
    const { author, reason } = due.request;
    const origin = { actor: author, requestId: ORIGIN.requestId, ...(reason === undefined ? {} : { reason }) };
    try {
      const decide = await this.#decide(due);
      await this.#write(origin, (workspace, at) => {
        const fault = authorFault(workspace, due.request, at);
        const superseded = before.map(({ id }) => id);
        return fault ?? fireRequest(this.#desk(due, workspace, at, decide), due.id, superseded);
      });
      return true;
    } catch (error) {
      if (!(error instanceof ProblemError) || ERRORS[error.code].status >= 500) throw error;
      await this.#fail(due, error);
      return false;
    }
  }

  async #fail(due: Due, { code, data }: ProblemError): Promise<void> {
    // Somebody was faster with it, by hand or on another node.
    if (code === "request_state" || code === "request_not_found") return;
    const reason = renderProblem(code, data, ORIGIN.requestId).detail;
    await this.#write(ORIGIN, (workspace, at) => endRequest(this.#place(due, workspace, at), due.id, "fail", { code, reason }));
  }

  /** @throws ProblemError for a refusal. */
  async #write(origin: Origin, decide: (workspace: Workspace, now: EpochMs) => Decision<ChangeRequest>): Promise<void> {
    await this.#options.control.execute({ origin, decide });
  }

  #decide({ project, request }: Pending): Promise<Decide> {
    return OPERATIONS[request.operation].prepare({ project, ...request }, this.#options.history);
  }

  #desk(pending: Pending, workspace: Workspace, now: EpochMs, decide: Decide): Desk {
    return { ...this.#place(pending, workspace, now), decide };
  }

  #place({ project, request }: Pending, workspace: Workspace, now: EpochMs): Omit<Desk, "decide"> {
    return { workspace, now, project, environment: request.environment, compile: this.#options.compile };
  }
}

/** Requests whose time came, oldest first. */
function dueOf(pending: readonly Pending[], now: EpochMs): Due[] {
  const due = pending.flatMap((one) => {
    const moment = one.request.schedule === undefined ? undefined : dueAt(one.request.schedule);
    return moment === undefined || moment > now ? [] : [{ ...one, due: moment }];
  });
  return due.sort((a, b) => a.due - b.due || (a.id < b.id ? -1 : 1));
}

function dueAt(schedule: WallTime): EpochMs | undefined {
  const moment = momentOf(schedule);
  return typeof moment === "number" ? moment : undefined;
}

/** Those that set the same thing whole, in the order of time; each group stands where its last one does. */
function groups(due: readonly Due[]): Due[][] {
  const byThing = new Map<string, Due[]>();
  for (const one of due) {
    const { operation, environment, key, state } = one.request;
    const isWhole = OPERATIONS[operation].isWhole && state === "scheduled";
    const thing = isWhole ? JSON.stringify([one.project, environment, operation, key]) : one.id;
    const group = [...(byThing.get(thing) ?? []), one];
    byThing.delete(thing);
    byThing.set(thing, group);
  }
  return [...byThing.values()];
}
