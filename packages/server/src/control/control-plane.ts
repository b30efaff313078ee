import type { CompileOptions } from "@belay/core";
import type { EpochMs, Revision } from "@belay/protocol";
import { ProblemError } from "../http/problem.ts";
import { amend, EMPTY_WORKSPACE } from "../state/amend.ts";
import type { Workspace } from "../state/workspace.ts";
import type { ChangeId, ChangeLog, Commit, CommitOutcome, Kept, Marks } from "../store/changes/index.ts";
import { markOf } from "../store/changes/raise.ts";
import { isAway } from "../store/changes/until-there.ts";
import {
  assertSameRequest,
  type Command,
  commitOf,
  type Execution,
  type Origin,
  type Precondition,
  repeated,
  unmetPrecondition,
} from "./command.ts";
import { consequence } from "./consequence.ts";
import type { Edit } from "./decision.ts";
import { type Override, overlaid, settledBy } from "./overlay.ts";
import { resumed, type Served, servedBy } from "./resumption.ts";

/** Told after each commit is durable and live: the workspaces around it, and what was written. */
export type CommitListener = (next: Workspace, edit: Pick<Edit<unknown>, "documents" | "raises" | "action" | "target">) => void;

export interface ControlPlaneOptions {
  readonly log: ChangeLog;
  readonly now: () => EpochMs;
  readonly compile: CompileOptions;
  /** Told when the log turned out to have lost changes that were served: what was served up to then. */
  readonly onLoss?: (served: readonly Served[]) => void;
}

/** Changes read at once. */
const PAGE = 1_000;

interface Queued {
  readonly command: Command<unknown>;
  readonly resolve: (execution: Execution<unknown>) => void;
  readonly reject: (error: unknown) => void;
}

/** A command of the running batch that awaits its commit. */
interface Pending extends Queued {
  readonly edit: Edit<unknown>;
  readonly next: Workspace;
  readonly commit: Commit;
}

/** A command that changes nothing: its answer waits until the commits it was decided after are durable. */
interface Answer {
  readonly queued: Queued;
  readonly give: () => void;
}

/** Commands that are committed together, each decided on the workspace that those before it lead to. */
interface Batch {
  workspace: Workspace;
  readonly commands: Queued[];
  readonly pending: Pending[];
  readonly answers: Answer[];
}

/** Turns of the event loop, a few microseconds each where nothing else is to be done. */
const GATHER_TURNS = 200;

/**
 * The one place where state changes. Commands are decided one after another, each on the workspace that the ones before
 * it lead to, and what arrives together is committed together: one transaction, one fsync. The live workspace only ever
 * holds what is durable: what the log has, under what emergencies wrote down here while the log was away.
 *
 *   queue ──decide──> edits on a speculative workspace ──commit──> live workspace ──> listeners
 *     ^                                                    │
 *     └────────── another node was faster: catch up ───────┘
 */
export class ControlPlane {
  readonly #options: ControlPlaneOptions;
  readonly #listeners: CommitListener[] = [];
  readonly #inFlight = new Map<string, { readonly fingerprint: string; readonly execution: Promise<Execution<unknown>> }>();
  /** What the log holds: what is decided on. */
  #base: Workspace;
  /** The base under the overrides: what is served. */
  #live: Workspace;
  #overrides: readonly Override[] = [];
  readonly #settled: Set<string>;
  #position: ChangeId;
  /** Of the log as it was when it was last read; absent where that is not known. */
  #marks: Marks | undefined;
  #isLogKnown = true;
  /** What the log is still to be put above. */
  #unresumed: Served[] = [];
  #queue: Queued[] = [];
  /** Commands of the batch before. */
  #expected = 0;
  #running = false;
  #following: Promise<void> | undefined;
  #followers: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined;

  private constructor(options: ControlPlaneOptions, { position, streams, documents, marks }: Kept) {
    this.#options = options;
    this.#base = amend(EMPTY_WORKSPACE, { streams, documents });
    this.#live = this.#base;
    this.#settled = new Set(settledBy(documents));
    this.#position = position;
    this.#marks = marks;
  }

  /** Reads the state from the log's documents. */
  static async open(options: ControlPlaneOptions): Promise<ControlPlane> {
    return new ControlPlane(options, await options.log.load());
  }

  get workspace(): Workspace {
    return this.#live;
  }

  /** What lies over the log's state and is not in the log yet, the oldest first. */
  get overrides(): readonly Override[] {
    return this.#overrides;
  }

  /**
   * Lays these overrides over the log's state, in the place of those that lay there. One that the log has is passed over;
   * one that it gets goes out by itself, in the same step.
   */
  impose(overrides: readonly Override[]): void {
    const places = [...this.#overrides, ...overrides];
    this.#overrides = overrides;
    const raises = places.flatMap(({ project, environment }) => {
      const revision = this.#live.projects.get(project)?.environments.get(environment)?.revision;
      return revision === undefined ? [] : [{ project, environment, revision }];
    });
    this.#tell({ documents: [], raises, action: "emergency", target: { kind: "", key: "" } });
  }

  /** The newest change of the log that the workspace holds. */
  get position(): ChangeId {
    return this.#position;
  }

  /** Was the log, when it was last read, the one that this server knows? Another one is not followed. */
  get isLogKnown(): boolean {
    return this.#isLogKnown;
  }

  onCommit(listener: CommitListener): void {
    this.#listeners.push(listener);
  }

  /**
   * Executes a command once, whatever is sent again under its idempotency key. Durable once it resolves.
   *
   * @throws ProblemError for a refusal, an unmet precondition, or a store that cannot take it; nothing was changed then.
   */
  async execute<A>(command: Command<A>): Promise<Execution<A>> {
    const { idempotency, origin } = command;
    if (idempotency === undefined) return this.#enqueue(command);
    const inFlightKey = JSON.stringify([origin.actor.id, idempotency.key]);
    const running = this.#inFlight.get(inFlightKey);
    if (running !== undefined) {
      assertSameRequest(running.fingerprint, idempotency.fingerprint);
      return running.execution as Promise<Execution<A>>;
    }
    const execution = this.#executeOnce(command, idempotency);
    this.#inFlight.set(inFlightKey, { fingerprint: idempotency.fingerprint, execution });
    try {
      return await execution;
    } finally {
      this.#inFlight.delete(inFlightKey);
    }
  }

  /**
   * Takes over what other nodes committed, between two batches of commands. Called together it runs once.
   *
   * @throws ProblemError when the store cannot be read; the workspace stays as it is.
   */
  follow(): Promise<void> {
    this.#following ??= new Promise((resolve, reject) => {
      this.#followers = { resolve, reject };
      this.#start();
    });
    return this.#following;
  }

  async #executeOnce<A>(
    command: Command<A>,
    { key, fingerprint }: NonNullable<Command<A>["idempotency"]>,
  ): Promise<Execution<A>> {
    const answered = await this.#options.log.answer({ scope: command.origin.actor.id, key });
    return answered === undefined ? this.#enqueue(command) : repeated(answered, fingerprint);
  }

  #enqueue<A>(command: Command<A>): Promise<Execution<A>> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ command, resolve, reject } as Queued);
      this.#start();
    });
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    // After this turn of the event loop: what other sockets brought meanwhile shares the transaction.
    setImmediate(() => void this.#drain());
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 || this.#followers !== undefined) {
      if (!(await this.#followOnce())) continue;
      const batch = await this.#gather();
      this.#expected = batch.commands.length;
      try {
        await this.#commit(batch);
      } catch (error) {
        // The store went away; whoever has an answer already keeps it.
        for (const { reject } of batch.commands) reject(error);
        if (isAway(error)) this.#refuseWaiting(error);
      }
    }
    this.#running = false;
  }

  /**
   * Who waited while the store did not answer somebody else is told the same: to ask for each of them in turn would take
   * each the whole time that the store has for an answer, one after the other.
   */
  #refuseWaiting(error: unknown): void {
    for (const { reject } of this.#queue.splice(0)) reject(error);
  }

  /**
   * Writers that were answered together come again together, but one by one off their sockets: who takes the first of them
   * at once makes the others wait for a sync of their own. The batch before says how many to wait for; one writer alone
   * waits for nobody. Each is decided as it comes, while the next one is still on its way.
   */
  async #gather(): Promise<Batch> {
    const batch: Batch = { workspace: this.#base, commands: [], pending: [], answers: [] };
    this.#decideQueued(batch);
    for (let turn = 0; turn < GATHER_TURNS && batch.commands.length < this.#expected; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
      this.#decideQueued(batch);
    }
    return batch;
  }

  #decideQueued(batch: Batch): void {
    const queue = this.#queue;
    if (queue.length === 0) return;
    this.#queue = [];
    const now = this.#options.now();
    for (const queued of queue) {
      const settled = this.#decide(queued, batch.workspace, now);
      batch.commands.push(queued);
      if ("next" in settled) {
        batch.workspace = settled.next;
        batch.pending.push(settled);
      } else batch.answers.push(settled);
    }
  }

  /** Is the store there, as far as this tells? */
  async #followOnce(): Promise<boolean> {
    const waiting = this.#followers;
    if (waiting === undefined) return true;
    // Who asks from now on may mean a commit that this reading does not see.
    this.#followers = undefined;
    this.#following = undefined;
    try {
      await this.#catchUp();
      waiting.resolve();
      for (const served of this.#unresumed.splice(0)) this.#resume(served);
      return true;
    } catch (error) {
      waiting.reject(error);
      if (!isAway(error)) return true;
      this.#refuseWaiting(error);
      return false;
    }
  }

  async #commit({ pending, answers }: Batch): Promise<void> {
    const outcomes = await Promise.allSettled(pending.map(({ commit }) => this.#options.log.commit(commit)));
    const refused = pending.filter((_, index) => isConflict(outcomes[index]));
    if (this.#isAsDecided(outcomes)) {
      for (const item of pending) this.#publish(item, this.#position + 1);
      for (const { give } of answers) give();
      return;
    }
    const [first] = outcomes;
    if (first?.status === "rejected" && outcomes.every(isLost)) throw first.reason;
    // Another node was faster or the store refused: what was decided on a workspace that did not come about, answers
    // included, is decided again on the one that did. What was committed stands.
    const marks = this.#marks;
    await this.#catchUp();
    if (refused.length > 0 && this.#marks === marks) throw outOfStep();
    for (const [index, item] of pending.entries()) settle(item, outcomes[index] as PromiseSettledResult<CommitOutcome>);
    this.#queue = [...refused, ...answers.map(({ queued }) => queued), ...this.#queue];
  }

  /** Were all commits taken, with nobody else's between them? */
  #isAsDecided(outcomes: readonly PromiseSettledResult<CommitOutcome>[]): boolean {
    return outcomes.every(
      (outcome, index) =>
        outcome.status === "fulfilled" && outcome.value.status === "committed" && outcome.value.id === this.#position + index + 1,
    );
  }

  /** A command's place in the batch: an edit to commit, or an answer to give once what it rests on is durable. */
  #decide(queued: Queued, workspace: Workspace, now: EpochMs): Pending | Answer {
    const { command, resolve, reject } = queued;
    const fail = (error: unknown): Answer => ({ queued, give: () => reject(error) });
    try {
      const unmet = unmetPrecondition(command.precondition, workspace);
      // What the other person did may be a commit of this very batch: it is looked up once it is durable.
      if (unmet !== undefined)
        return { queued, give: () => void this.#conflict(command.precondition, unmet).then(reject, reject) };
      const decision = command.decide(workspace, now);
      if (decision.kind === "refused") return fail(new ProblemError(decision.code, decision.data));
      if (decision.kind === "unchanged") {
        const { answer, revision } = decision;
        return { queued, give: () => resolve({ status: "done", answer, revision }) };
      }
      const next = consequence(workspace, decision, this.#options.compile);
      return { ...queued, edit: decision, next, commit: commitOf(command, decision, now) };
    } catch (error) {
      return fail(error);
    }
  }

  #publish({ next, edit, commit, resolve }: Pending, id: ChangeId): void {
    this.#base = next;
    this.#position = id;
    const last = markOf(commit.change);
    this.#marks = { first: this.#marks?.first ?? last, last };
    this.#tell(edit);
    resolve({ status: "done", answer: edit.answer, revision: edit.revision, change: id });
  }

  /** Follows what other nodes committed, in a log that still is the one that was read. */
  async #catchUp(): Promise<void> {
    const { log } = this.#options;
    const [entries, mark] = await Promise.all([log.entriesAfter(this.#position, PAGE), log.markOf(this.#position)]);
    if (this.#marks !== undefined && mark !== this.#marks.last) return this.#startOver(this.#marks);
    this.#isLogKnown = true;
    for (const { id, raised: streams, documents } of entries) {
      this.#base = amend(this.#base, { streams, documents });
      this.#position = id;
      const raises = streams.map((stream) => ({ ...stream, revision: stream.revision - 1 }));
      this.#tell({ documents, raises, action: "follow", target: { kind: "", key: "" } });
    }
    if (entries.length > 0) await this.#markPosition();
    if (entries.length === PAGE) await this.#catchUp();
  }

  /** Where the log cannot be asked the mark is not known, and the next reading takes its word. */
  async #markPosition(): Promise<void> {
    const { first } = this.#marks ?? {};
    this.#marks = undefined;
    const last = await this.#options.log.markOf(this.#position);
    if (last !== undefined) this.#marks = { first: first ?? (await this.#options.log.markOf(1)) ?? last, last };
  }

  /**
   * The log has lost changes, and may have got others in their place: what it holds now is the truth. It is served under
   * revisions above all that was.
   *
   * @throws ProblemError where it is another log: that one is not believed, and what was served goes on being served.
   */
  async #startOver({ first }: Marks): Promise<void> {
    const { log, onLoss } = this.#options;
    const kept = await log.load();
    this.#isLogKnown = kept.marks?.first === first;
    if (!this.#isLogKnown) throw otherLog();
    const served = servedBy(this.#live);
    this.#base = amend(EMPTY_WORKSPACE, kept);
    this.#position = kept.position;
    this.#marks = kept.marks;
    const { streams, documents } = kept;
    const raises = streams.map((stream) => ({ ...stream, revision: stream.revision - 1 }));
    this.#tell({ documents, raises, action: "follow", target: { kind: "", key: "" } });
    onLoss?.(served);
    for (const one of served) this.#resume(one);
  }

  #resume(served: Served): void {
    this.#enqueue({ origin: BELAY, decide: (workspace) => resumed(workspace, served) }).catch(() => this.#unresumed.push(served));
  }

  #tell(edit: Parameters<CommitListener>[1]): void {
    for (const id of settledBy(edit.documents)) this.#settled.add(id);
    this.#overrides = this.#overrides.filter(({ id }) => !this.#settled.has(id));
    this.#live = overlaid(this.#base, this.#overrides);
    for (const listener of this.#listeners) listener(this.#live, edit);
  }

  /** The 412, with what the other person did. */
  async #conflict(precondition: Precondition | undefined, current: Revision): Promise<ProblemError> {
    const { project = "", environment, key = "" } = precondition?.target ?? {};
    const recent = await this.#options.log.changes({ project, targetKey: key }, 10);
    const theirs = recent.find((change) => change.environment === environment);
    return new ProblemError("revision_conflict", { revision: current, ...(theirs === undefined ? {} : { change: theirs }) });
  }
}

const BELAY: Origin = {
  actor: { id: "system", name: "Belay" },
  requestId: "resume",
  reason: "the change log has lost changes that were served: revisions go on above them",
};

function otherLog(): ProblemError {
  const reason = "it is another one than this server knows: an empty database, or that of another installation";
  return new ProblemError("store_unavailable", { store: "The change log", reason, retryAfterS: 10 });
}

/** The log refuses a revision that nobody made: deciding again would go on for ever. */
function outOfStep(): ProblemError {
  const reason = "it is out of step with this server; restart it";
  return new ProblemError("store_unavailable", { store: "The change log", reason, retryAfterS: 10 });
}

/** Did it come to nothing because the store is away? Then there is nothing to catch up with either. */
function isLost(outcome: PromiseSettledResult<CommitOutcome>): boolean {
  return outcome.status === "rejected" && isAway(outcome.reason);
}

function isConflict(outcome: PromiseSettledResult<CommitOutcome> | undefined): boolean {
  return outcome?.status === "fulfilled" && outcome.value.status === "conflict";
}

/** Tells a command its outcome; one in conflict waits for its next turn. */
function settle({ command, edit, resolve, reject }: Pending, outcome: PromiseSettledResult<CommitOutcome>): void {
  if (outcome.status === "rejected") {
    reject(outcome.reason);
  } else if (outcome.value.status === "committed") {
    resolve({ status: "done", answer: edit.answer, revision: edit.revision, change: outcome.value.id });
  } else if (outcome.value.status === "repeated") {
    try {
      resolve(repeated(outcome.value, command.idempotency?.fingerprint ?? ""));
    } catch (error) {
      reject(error);
    }
  }
}
