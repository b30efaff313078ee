/**
 * Joins the planner to the world: gathers facts, asks for a plan, commits it where the state is still what the plan saw,
 * follows rollbacks to the instances, and tells people.
 *
 *   tick (every few seconds) or a verdict ── lease ── facts ── plan ── execute at the revisions seen ── message
 *
 * One actor per cluster: whoever holds the lease. A node that lost it does nothing until it has it again.
 */
import type { EpochMs, Propagation, Release, ReleaseReason } from "@belay/protocol";
import type { Origin } from "../control/command.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { FlagPlace } from "../emergencies/emergencies.ts";
import { isUnwritable } from "../emergencies/unwritable.ts";
import { ProblemError } from "../http/problem.ts";
import type { InstanceRegistry } from "../instances/registry.ts";
import type { Held, ReleaseDocument, Workspace } from "../state/workspace.ts";
import type { ChangeLog } from "../store/changes/index.ts";
import { acknowledge, execute, noteReceipts, type RollbackMoment, rollBack } from "./climb.ts";
import type { ReleasePlace } from "./document.ts";
import type { Facts, Plan } from "./facts.ts";
import { gather, type Heard } from "./gather.ts";
import { plan } from "./plan.ts";
import { planLines, reasonText } from "./plan-text.ts";
import { type PromisedRollback, PromisedRollbacks } from "./promised-rollbacks.ts";
import { PropagationTracker } from "./propagation.ts";
import { isLive } from "./states.ts";
import { ReleaseTeller, type ReleaseTellerOptions } from "./teller.ts";
import { nameOf, type ReleaseId, type Watchtower } from "./watchtower.ts";

export interface ReleaseServiceOptions extends ReleaseTellerOptions {
  readonly control: ControlPlane;
  readonly log: Pick<ChangeLog, "takeLease" | "releaseLease">;
  readonly tower: Pick<Watchtower, "reading">;
  readonly instances: InstanceRegistry;
  readonly now: () => EpochMs;
  /** What names this node in the lease; no two nodes share it. */
  readonly holder: string;
  /** Share of a release's exposures that is lost, as last known; `undefined`: not known. */
  readonly lossOf: (id: ReleaseId) => number | undefined;
  readonly onFault: (error: unknown) => void;
  /**
   * Takes a flag's rollout down to nothing at this server alone, and brings that to the change log when it is back; whether a
   * restart finds it again. Absent: while the log is away nothing is lowered.
   */
  readonly lowerHere?: (flag: FlagPlace, origin: Origin) => Promise<boolean>;
  /** Rollbacks that were asked for while the log was away, with those of this server's lives before. Absent: in memory. */
  readonly promised?: PromisedRollbacks;
}

const LEASE = "release-scheduler";
const LEASE_MS = 15_000;
/** A watch that is still being rebuilt after so long counts as one that heard nothing. */
const REBUILD_MS = 60_000;
/** Receipts that did not come in so long are waited for no longer: the record names who did not answer. */
const RECEIPTS_MS = 15 * 60_000;
/** Receipts are written into the record first after so long, and then at twice the age each: ten times at most. */
const NOTED_FIRST_MS = 2_000;

const ORIGIN: Origin = { actor: { id: "system", name: "Belay" }, requestId: "release-scheduler" };

export class ReleaseService {
  readonly #options: ReleaseServiceOptions;
  readonly #startedAt: EpochMs;
  readonly #trackers = new Map<string, PropagationTracker>();
  /** Age of a rollback from which on its receipts are written down next. */
  readonly #noteAfterMs = new Map<string, number>();
  readonly #detected = new Map<string, EpochMs>();
  readonly #teller: ReleaseTeller;
  readonly #promised: PromisedRollbacks;
  /** Releases whose flags were lowered here since the log went away; whether a restart finds that again. */
  readonly #lowered = new Map<string, boolean>();
  #running: Promise<void> = Promise.resolve();

  constructor(options: ReleaseServiceOptions) {
    this.#options = options;
    this.#startedAt = options.now();
    this.#promised = options.promised ?? new PromisedRollbacks();
    this.#teller = new ReleaseTeller(options);
    const { control, instances } = options;
    instances.onReceipt(({ project, environment, instance, revision, seenAt }) => {
      for (const [id, tracker] of this.#trackers) {
        if (id.startsWith(`${project}/${environment}/`)) tracker.note(instance, revision, seenAt);
      }
    });
    control.onCommit(({ projects }, { documents }) => {
      for (const { kind, project = "", environment = "", key } of documents) {
        const body =
          kind === "release" ? projects.get(project)?.environments.get(environment)?.releases.get(key)?.body : undefined;
        if (body !== undefined) this.#follow({ project, environment, key }, body, options.now());
      }
    });
    for (const { id, body } of this.#all()) this.#follow(id, body);
  }

  /** Makes the moves that are due, where this node holds the lease. Ticks run one after another. */
  tick(): Promise<void> {
    this.#running = this.#running.then(() => this.#tick()).catch(this.#options.onFault);
    return this.#running;
  }

  /** A guardrail's verdict changed: its release is looked at now, not at the next tick. */
  onVerdict(id: ReleaseId, detectedAt: EpochMs): void {
    this.#detected.set(nameOf(id), detectedAt);
    void this.tick();
  }

  /**
   * Takes a release back while the change log is away: its flag goes down to nothing here at once, and it is rolled back as
   * soon as the log takes that, also by a later life of this server.
   *
   * @returns whether both are written down; where they cannot be, they hold for as long as this server lives
   * @throws ProblemError what refuses the rollback, or `away` where nothing can be lowered
   */
  async rollBackHere(id: ReleaseId, { reason, origin }: Omit<PromisedRollback, "id" | "at">, away: unknown): Promise<boolean> {
    const { control, lowerHere, now } = this.#options;
    const place = placeIn(control.workspace, id);
    const at = now();
    const decision = rollBack(place, reason, this.momentIn(place, at));
    if (decision.kind === "refused") throw new ProblemError(decision.code, decision.data);
    const held = place.environment.releases.get(id.key);
    if (lowerHere === undefined || held === undefined) throw away;
    const isLoweringKept = await this.#lower(id, held.body, origin, reason);
    return (await this.#promised.add({ id, reason, origin, at })) && isLoweringKept;
  }

  /** The receipts of a rollback as they are now; afterwards those on its record. */
  rollbackOf(id: ReleaseId, recorded: Propagation | undefined): Propagation | undefined {
    return this.#trackers.get(nameOf(id))?.view() ?? recorded;
  }

  /** What a rollback decided now is to know. */
  momentIn({ project, environment }: ReleasePlace, now: EpochMs): RollbackMoment {
    return { now, instances: this.#runningIn({ project: project.key, environment: environment.key }) };
  }

  /** What the planner would look at now. */
  factsOf(id: ReleaseId, workspace: Workspace = this.#options.control.workspace): Facts | undefined {
    const { release, targeting, freeze } = this.#held(id, workspace);
    return release === undefined || targeting === undefined
      ? undefined
      : gather(release, targeting, freeze?.body, this.#heard(id));
  }

  /** Follows a revision of an environment to the instances that run there now. */
  track({ project, environment }: Omit<ReleaseId, "key">, name: string, at: Omit<Publication, "instances">): PropagationTracker {
    const tracker = new PropagationTracker({ ...at, instances: this.#runningIn({ project, environment }) });
    this.#trackers.set(`${project}/${environment}/${name}`, tracker);
    return tracker;
  }

  untrack({ project, environment }: Omit<ReleaseId, "key">, name: string): void {
    this.#trackers.delete(`${project}/${environment}/${name}`);
  }

  async close(): Promise<void> {
    await this.#running;
    // Where the log is away the lease ends by itself.
    await this.#options.log.releaseLease(LEASE, this.#options.holder).catch(this.#options.onFault);
  }

  async #tick(): Promise<void> {
    const { log, holder, now } = this.#options;
    let fence: number | undefined;
    try {
      fence = await log.takeLease(LEASE, holder, { now: now(), until: now() + LEASE_MS });
    } catch (error) {
      // Nobody can be told from the one actor now. Lowering asks nobody, and two who do it do the same.
      if (isUnwritable(error)) await this.#lowerHarmful();
      await this.#promised.keep();
      throw error;
    }
    this.#lowered.clear();
    for (const promised of this.#promised.waiting) await this.#keep(promised);
    if (fence === undefined) return;
    for (const { id, body } of this.#all()) {
      if (isLive(body.state)) await this.#move(id, body);
      else if (body.state === "rolling-back") await this.#awaitReceipts(id, body);
    }
  }

  async #move(id: ReleaseId, body: ReleaseDocument): Promise<void> {
    const { now } = this.#options;
    const isRebuilding = this.#options.tower.reading(id) === undefined && now() - this.#startedAt < REBUILD_MS;
    const facts = isRebuilding ? undefined : this.factsOf(id);
    if (facts === undefined) return;
    const decided = plan(body, facts, now());
    this.#teller.report(id, decided);
    this.#teller.sayWaits(id, body, decided);
    const after = await this.#execute(id, decided);
    if (after !== undefined) this.#teller.announce(id, body, after, planLines(body, decided));
  }

  /** Every release that this server would roll back goes down to nothing here; it rolls back when the log is there again. */
  async #lowerHarmful(): Promise<void> {
    for (const { id, body } of this.#all()) {
      const facts = isLive(body.state) ? this.factsOf(id) : undefined;
      const decided = facts === undefined ? undefined : plan(body, facts, this.#options.now());
      if (decided?.kind !== "rollback") continue;
      await this.#lower(id, body, { ...ORIGIN, reason: reasonText(decided.reason) }, decided.reason);
    }
  }

  async #lower({ key, ...place }: ReleaseId, { flag }: ReleaseDocument, origin: Origin, reason: ReleaseReason): Promise<boolean> {
    const id = { ...place, key };
    const { lowerHere } = this.#options;
    const known = this.#lowered.get(nameOf(id));
    if (lowerHere === undefined || known !== undefined) return known ?? true;
    const isKept = await lowerHere({ ...place, flag }, origin);
    this.#lowered.set(nameOf(id), isKept);
    this.#teller.say(id, "rollback", `Lowered to nothing at this server, for the change log is away: ${reasonText(reason)}`);
    return isKept;
  }

  /** The log is back: what people were promised. Whatever moved the release since then may refuse it. */
  async #keep(promised: PromisedRollback): Promise<void> {
    const { id, reason, origin, at } = promised;
    const asked = `asked for at ${new Date(at).toISOString()} while the log was away`;
    try {
      await this.#options.control.execute<Release>({
        origin: { ...origin, reason: origin.reason === undefined ? asked : `${origin.reason} (${asked})` },
        decide: (workspace, now) => {
          const place = placeIn(workspace, id);
          return rollBack(place, reason, { ...this.momentIn(place, now), detectedAt: at });
        },
      });
    } catch (error) {
      if (!(error instanceof ProblemError) || isUnwritable(error)) throw error;
    }
    await this.#promised.settle(promised).catch(this.#options.onFault);
  }

  /** Commits a plan; `undefined` when the state moved on meanwhile, which the next tick looks at anew. */
  async #execute(id: ReleaseId, decided: Plan): Promise<Release | undefined> {
    const { control } = this.#options;
    const detectedAt = this.#detected.get(nameOf(id));
    try {
      const { status, ...done } = await control.execute<Release>({
        origin: { ...ORIGIN, reason: decided.kind === "rollback" ? reasonText(decided.reason) : decided.kind },
        decide: (workspace, at) => {
          const place = placeIn(workspace, id);
          const moment = this.momentIn(place, at);
          return execute(place, decided, detectedAt === undefined ? moment : { ...moment, detectedAt });
        },
      });
      return status === "done" && "answer" in done ? done.answer : undefined;
    } catch (error) {
      if (error instanceof ProblemError && STALE.includes(error.code)) return undefined;
      throw error;
    }
  }

  async #awaitReceipts(id: ReleaseId, body: ReleaseDocument): Promise<void> {
    const tracker = this.#trackers.get(nameOf(id));
    if (tracker === undefined || body.rollback === undefined) return;
    const receipts = tracker.view();
    const ageMs = this.#options.now() - tracker.publishedAt;
    if (!tracker.isComplete && ageMs < RECEIPTS_MS) return this.#note(id, body.rollback, { receipts, ageMs });
    await this.#options.control.execute<Release>({
      origin: { ...ORIGIN, reason: "receipts" },
      decide: (workspace) => acknowledge(placeIn(workspace, id), receipts),
    });
    this.#trackers.delete(nameOf(id));
    this.#noteAfterMs.delete(nameOf(id));
    const { acknowledged, instances, laggards } = receipts;
    const missing = laggards.length === 0 ? "" : `; not heard of: ${laggards.join(", ")}`;
    this.#teller.say(id, "rolled-back", `Rolled back: ${acknowledged} of ${instances} instances acknowledged${missing}`);
  }

  /** Writes down who acknowledged, so that a restart goes on from there. Seldom: each note is a change of its own. */
  async #note(
    id: ReleaseId,
    written: Propagation,
    { receipts, ageMs }: { readonly receipts: Propagation; readonly ageMs: number },
  ): Promise<void> {
    const name = nameOf(id);
    if (receipts.acknowledged === written.acknowledged || ageMs < (this.#noteAfterMs.get(name) ?? NOTED_FIRST_MS)) return;
    this.#noteAfterMs.set(name, 2 * ageMs);
    await this.#options.control.execute<Release>({
      origin: { ...ORIGIN, reason: `receipts: ${receipts.acknowledged} of ${receipts.instances}` },
      decide: (workspace) => noteReceipts(placeIn(workspace, id), receipts),
    });
  }

  /** A release that rolls back is followed to its instances, whoever began it. @param publishedAt absent: as recorded */
  #follow(id: ReleaseId, { state, rollback }: ReleaseDocument, publishedAt?: EpochMs): void {
    const name = nameOf(id);
    if (state !== "rolling-back" || rollback === undefined || this.#trackers.has(name)) return;
    const published = publishedAt === undefined ? {} : { publishedAt: new Date(publishedAt).toISOString() };
    this.#trackers.set(name, PropagationTracker.from({ ...rollback, ...published }));
    this.#detected.delete(name);
  }

  #runningIn({ project, environment }: Omit<ReleaseId, "key">): string[] {
    const running = this.#options.instances.of(project).filter((seen) => seen.environment === environment);
    return running.map(({ instance }) => instance);
  }

  #heard(id: ReleaseId): Heard {
    const reading = this.#options.tower.reading(id);
    const loss = this.#options.lossOf(id);
    return {
      ...(reading === undefined ? {} : { reading }),
      ...(loss === undefined ? {} : { loss }),
    };
  }

  #held(id: ReleaseId, workspace: Workspace) {
    const project = workspace.projects.get(id.project);
    const environment = project?.environments.get(id.environment);
    const release: Held<ReleaseDocument> | undefined = environment?.releases.get(id.key);
    const targeting = release === undefined ? undefined : environment?.targetings.get(release.body.flag);
    return { release, targeting, freeze: project?.freeze };
  }

  #all(): { readonly id: ReleaseId; readonly body: ReleaseDocument }[] {
    return [...this.#options.control.workspace.projects].flatMap(([project, { environments }]) =>
      [...environments].flatMap(([environment, { releases }]) =>
        [...releases].map(([key, { body }]) => ({ id: { project, environment, key }, body })),
      ),
    );
  }
}

type Publication = ConstructorParameters<typeof PropagationTracker>[0];

/** What says that a plan was made of facts that are no more. */
const STALE: readonly string[] = ["revision_conflict", "frozen", "release_state", "release_not_found"];

/** @throws ProblemError when the project or the environment is gone. */
export function placeIn({ projects }: Workspace, { project: key, environment: name, key: release }: ReleaseId): ReleasePlace {
  const project = projects.get(key);
  const environment = project?.environments.get(name);
  if (project === undefined || environment === undefined) throw new ProblemError("release_not_found", { key: release });
  return { project, environment, key: release };
}
