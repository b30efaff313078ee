/*
 * Weeks of a release from one seed: two nodes over one change log, each with the real control plane, planner, watch and
 * scheduler; users of whom some fail; and everything that goes wrong. What must hold is checked after every step. It ramps a
 * plain flag, or an experiment of which one treatment may do harm.
 */
import { join } from "node:path";
import type { Guardrail, Part, ReleaseCreation, Stage } from "@belay/protocol";
import { SPACE_PPM } from "@belay/protocol";
import { type Dice, seeded, tempDir } from "@belay/testkit";
import { COMPILE_OPTIONS } from "../compile-options.ts";
import { ControlPlane } from "../control/control-plane.ts";
import type { Decision } from "../control/decision.ts";
import { createExperiment, startExperiment, stopExperiment } from "../experiments/domain.ts";
import { createFlag } from "../flags/domain.ts";
import { putTargeting, setEnabled, setRollout } from "../flags/targeting.ts";
import { InstanceRegistry } from "../instances/registry.ts";
import { createMetric } from "../metrics/domain.ts";
import { createProject } from "../projects/domain.ts";
import type { ProjectState, ReleaseDocument, Workspace } from "../state/workspace.ts";
import { type ChangeLog, openChangeLog } from "../store/changes/index.ts";
import type { IncomingBatch } from "../store/events/index.ts";
import { giveEvidence, hold, makeReady, resume, start } from "./climb.ts";
import { eventsIn } from "./desk.fixture.ts";
import { createRelease } from "./drafts.ts";
import { exposedPpm } from "./exposure.ts";
import { enterFreeze, leaveFreeze } from "./freeze.ts";
import { pointOf } from "./placement.ts";
import { ppmOf } from "./plan.ts";
import { DRAFT, EXPERIMENT } from "./ramp.fixture.ts";
import { ERRORS, factsOf, T0 } from "./release.fixture.ts";
import { placeIn, ReleaseService } from "./service.ts";
import { Watchtower } from "./watchtower.ts";

const ANN = { id: "ann", name: "Ann" } as const;

const STEP_MS = 10 * 60_000;
const STEPS = 3 * 7 * 24 * 6;
/** Users of a step. */
const USERS = 60;
/** Steps that go on after the release ended. */
const AFTERMATH = 144;
const STALE_S = 3_600;
const SPACES = { share: { salt: "simulate" }, split: { salt: "splitting" } };
/** Units of which nobody may change arm. */
const SAMPLE = Array.from({ length: 500 }, (_, at) => `s${at}`);
const ID = { project: "shop", environment: "production", key: "checkout" };
const PLACE = { project: "shop", environment: "production" };
const INSTANCES = ["i-0", "i-1", "i-2", "i-3", "i-4"];
const GUARDRAIL: Guardrail = { ...ERRORS, margin: 1, staleAfterS: STALE_S };
/** Control of an experiment is a part of those who are in it, so it takes more of them to tell. */
const RAMP: readonly Stage[] = [20, 50, 100].map((percentage) => ({
  name: `${percentage} %`,
  percentage,
  hold: { minDurationS: 48 * 3_600 },
  gates: ["monitoring", "non-inferiority"],
}));

/** What the release moves. */
export type Moved = "flag" | "experiment";

/** What became of a seed: the log of all that happened, and what was counted on the way. */
export interface Weeks {
  readonly log: readonly string[];
  readonly state: string;
  /** Stages reached after the first. */
  readonly climbs: number;
  /** Hours from the first harmful step to the withdrawal; absent: no harm, or not withdrawn. */
  readonly hoursToRollback?: number;
  /** Commands acknowledged, each found in the change log afterwards. */
  readonly commands: number;
  readonly raisesRefused: number;
  readonly lowered: number;
  readonly kills: number;
}

interface Node {
  readonly control: ControlPlane;
  readonly tower: Watchtower;
  readonly service: ReleaseService;
  readonly instances: InstanceRegistry;
}

class World {
  readonly dice: Dice;
  readonly lines: string[] = [];
  readonly batches: IncomingBatch[] = [];
  readonly acknowledged: string[] = [];
  readonly cut = new Set<string>();
  readonly held = new Map<string, number>();
  readonly arms = new Map<number | string, string>();
  readonly nodes: (Node | undefined)[] = [];
  now = T0;
  step = 0;
  units = 0;
  commands = 0;
  lastFailureAt = T0;
  outageUntil = 0;
  incidentUntil = 0;
  harmFrom: number | undefined;
  harmedSince: number | undefined;
  withdrawnAt: number | undefined;
  climbs = 0;
  raisesRefused = 0;
  lowered = 0;
  kills = 0;
  seenStage = 0;
  endedFor = 0;
  seenState = "ramping";
  readonly log: ChangeLog;
  readonly moved: Moved;
  #newest: Workspace | undefined;

  constructor(seed: number, moved: Moved, log: ChangeLog) {
    this.dice = seeded(seed);
    this.moved = moved;
    this.log = log;
  }

  say(text: string): void {
    this.lines.push(`${new Date(this.now).toISOString()} ${text}`);
  }

  /** The newest state that any node ever knew: one that stayed behind catches up when it commits. */
  get workspace(): Workspace {
    for (const node of this.nodes) {
      const known = node?.control.workspace;
      if (known !== undefined && (this.#newest === undefined || revisionOf(known) > revisionOf(this.#newest)))
        this.#newest = known;
    }
    return this.#newest as Workspace;
  }

  get release(): ReleaseDocument {
    return this.workspace.projects.get("shop")?.environments.get("production")?.releases.get("checkout")?.body as ReleaseDocument;
  }

  /** Of the experiment; absent: there is none. */
  get status(): string | undefined {
    return this.workspace.projects.get("shop")?.experiments.get(EXPERIMENT)?.body.status;
  }

  get live(): { readonly ppm: number; readonly split: readonly Part[] } {
    const targeting = this.workspace.projects.get("shop")?.environments.get("production")?.targetings.get("checkout")?.body;
    const serve = targeting?.rules.at(-1)?.serve;
    const split = targeting?.enabled === true && serve !== undefined && "split" in serve ? serve.split : [];
    return { ppm: targeting === undefined ? 0 : exposedPpm(targeting, this.release), split };
  }

  /** A command of a person; whether it was taken. What was taken must be found in the log for ever. */
  async ask(what: string, decide: (workspace: Workspace, now: number) => Decision<unknown>): Promise<boolean> {
    const requestId = `person-${this.commands++}`;
    const node = this.nodes.find((each) => each !== undefined) as Node;
    try {
      const done = await node.control.execute({ origin: { actor: { id: "ann", name: "Ann" }, requestId }, decide });
      if (done.status === "done" && done.change !== undefined) this.acknowledged.push(requestId);
      this.say(`Ann: ${what}`);
      return true;
    } catch (error) {
      this.say(`Ann: ${what}, refused: ${(error as { readonly code?: string }).code}`);
      return false;
    }
  }

  async boot(index: number): Promise<void> {
    const now = (): number => this.now;
    const control = await ControlPlane.open({ log: this.log, now, compile: COMPILE_OPTIONS });
    const instances = new InstanceRegistry(now);
    const fault = (error: unknown): never => {
      throw error;
    };
    const tower = new Watchtower({
      control,
      events: eventsIn(this.batches),
      now,
      // The tick of this very step looks at it.
      onVerdict: () => undefined,
      onFault: fault,
    });
    const service = new ReleaseService({
      control,
      log: this.log,
      tower,
      instances,
      now,
      holder: `node-${index}`,
      lossOf: () => 0.001,
      tell: ({ kind, text }) => this.say(`node ${index} tells (${kind}): ${text.replaceAll("\n", "; ")}`),
      onFault: fault,
    });
    this.nodes[index] = { control, tower, service, instances };
  }
}

/** Runs three weeks. @throws Error that names the first step after which something did not hold. */
export async function simulateWeeks(seed: number, moved: Moved = "flag"): Promise<Weeks> {
  const dir = await tempDir("weeks");
  const kept = await openChangeLog(join(dir.path, "changes.db"));
  const log = withLeaseInHand(kept);
  try {
    const world = new World(seed, moved, log);
    await prepare(world, seed);
    for (world.step = 0; world.step < STEPS && world.endedFor < AFTERMATH; world.step += 1) await oneStep(world);
    await allCommandsKept(world);
    return {
      log: world.lines,
      state: world.release.state,
      climbs: world.climbs,
      ...(world.harmedSince === undefined || world.withdrawnAt === undefined
        ? {}
        : { hoursToRollback: (world.withdrawnAt - world.harmedSince) / 3_600_000 }),
      commands: world.acknowledged.length,
      raisesRefused: world.raisesRefused,
      lowered: world.lowered,
      kills: world.kills,
    };
  } finally {
    await kept.close();
    await dir.remove();
  }
}

async function prepare(world: World, seed: number): Promise<void> {
  await world.boot(0);
  const createdAt = new Date(T0).toISOString();
  const at = (workspace: Workspace) => placeIn(workspace, ID);
  await world.ask("makes the project", (workspace) => createProject(workspace, { key: "shop" }, createdAt));
  const subject = world.moved === "flag" ? await makeFlag(world, createdAt) : await makeExperiment(world, createdAt);
  await world.ask("makes the release", (workspace) =>
    createRelease(
      at(workspace),
      {
        key: "checkout",
        ...subject,
        guardrails: [GUARDRAIL],
        alertRoutes: ["slack:#releases"],
        predictions: [{ metric: "orders", mean: 0, interval: [-0.1, 0.1], level: 0.9 }],
        contacts: { owner: "ann", onCall: "bob" },
        drillMaxAgeDays: 365,
      },
      { author: "ann", createdAt },
    ),
  );
  await world.ask("gives the evidence", (workspace) => giveEvidence(at(workspace), factsOf(0, T0).evidence));
  await world.ask("is ready", (workspace) => makeReady(at(workspace)));
  await world.ask("starts", (workspace, now) => start(at(workspace), new Date(now).toISOString()));
  await world.boot(1);
  if (seed % 3 === 0) world.harmFrom = 100 + world.dice.below(400);
}

const shop = ({ projects }: Workspace): ProjectState => projects.get("shop") as ProjectState;

type Subject = Pick<ReleaseCreation, "flag" | "experiment" | "stages">;

async function makeFlag(world: World, createdAt: string): Promise<Subject> {
  await world.ask("makes the flag", (workspace) =>
    createFlag(shop(workspace), { key: "checkout" }, { spaces: SPACES, createdAt }),
  );
  return { flag: "checkout" };
}

async function makeExperiment(world: World, createdAt: string): Promise<Subject> {
  const variants = { long: "l", short: "s", none: "n" };
  await world.ask("makes the flag", (workspace) =>
    createFlag(shop(workspace), { key: "checkout", type: "string", variants }, { spaces: SPACES, createdAt }),
  );
  for (const key of ["buyers", "errors"]) {
    const metric = { key, measure: { kind: "proportion", events: { name: key } }, good: "increase" } as const;
    await world.ask("makes a metric", (workspace) => createMetric(shop(workspace), metric, createdAt));
  }
  const serve = { weights: { long: 40, short: 30, none: 30 }, share: 0, tracks: { experiment: EXPERIMENT } };
  await world.ask("splits the flag", (workspace) =>
    putTargeting(
      { ...placeIn(workspace, ID), flag: "checkout" },
      { enabled: true, off: "long", rules: [{ id: "rollout", serve }], fallthrough: { variant: "long" } },
    ),
  );
  const { treatments, ...draft } = DRAFT;
  await world.ask("makes the experiment", (workspace) =>
    createExperiment(shop(workspace), { ...draft, treatments: [...treatments] }, createdAt),
  );
  await world.ask("starts the experiment", (workspace, now) =>
    startExperiment(shop(workspace), EXPERIMENT, new Date(now).toISOString()),
  );
  return { experiment: EXPERIMENT, stages: RAMP };
}

async function oneStep(world: World): Promise<void> {
  world.now += STEP_MS;
  await happen(world);
  traffic(world);
  await receipts(world);
  const acted: number[] = [];
  for (const [index, node] of world.nodes.entries()) {
    const before = revisionOf(world.workspace);
    await node?.service.tick();
    if (revisionOf(world.workspace) > before) acted.push(index);
  }
  check(world, acted);
}

/** What may happen before a step; each is one of a few hundred steps' luck. */
async function happen(world: World): Promise<void> {
  const { dice } = world;
  const at = (workspace: Workspace) => placeIn(workspace, ID);
  const flagAt = (workspace: Workspace) => ({ ...at(workspace), flag: "checkout" });
  const iso = (now: number): string => new Date(now).toISOString();
  const happenings: readonly (() => unknown)[] = [
    () => {
      world.outageUntil = world.step + 12 + dice.below(36);
      world.say("events stop coming");
    },
    () => {
      world.incidentUntil = world.step + 6;
      world.say("ten times the errors for an hour, in both arms");
    },
    () => {
      const jump = dice.pick([3, -1]) * 3_600_000;
      world.now += jump;
      world.say(`the clock jumps by ${jump / 3_600_000} h`);
    },
    () => killOrBoot(world, dice.below(2)),
    () => {
      const instance = dice.pick(INSTANCES);
      if (!world.cut.delete(instance)) world.cut.add(instance);
      world.say(`${instance} is ${world.cut.has(instance) ? "cut off" : "back"}`);
    },
    () => world.ask("hold", (workspace) => hold(at(workspace), "Ann")),
    () => world.ask("resume", (workspace, now) => resume(at(workspace), iso(now))),
    () => world.ask("resume", (workspace, now) => resume(at(workspace), iso(now))),
    () => world.ask("freeze", (workspace, now) => enterFreeze(shop(workspace), "incident", ANN, iso(now))),
    () => world.ask("leave the freeze", (workspace, now) => leaveFreeze(shop(workspace), ANN, iso(now))),
    async () => {
      const isOwned = ["ramping", "holding", "full"].includes(world.release.state) && world.live.ppm < SPACE_PPM;
      // A flag that is off exposes nobody, whatever its rollout says.
      if (!isOwned || world.live.split.length === 0) return;
      const taken = await world.ask("raise by hand to 100 %", (workspace) => setRollout(flagAt(workspace), { percentage: 100 }));
      if (taken) throw new Error(`step ${world.step}: a raise by hand was taken while a release moves the flag`);
      world.raisesRefused += 1;
    },
    async () => {
      if (world.live.ppm === 0) return;
      const taken = await world.ask("lower by hand", (workspace) =>
        dice.below(2) === 0 ? setEnabled(flagAt(workspace), false) : setRollout(flagAt(workspace), { percentage: 0 }),
      );
      if (!taken) throw new Error(`step ${world.step}: lowering was refused`);
      world.lowered += 1;
    },
    ...(world.moved === "flag" ? [] : [() => stopByHand(world)]),
  ];
  if (dice.below(15) === 0) await dice.pick(happenings)();
  // Nobody leaves a release held, or a project frozen, for good.
  const { heldBy, reasons } = world.release;
  if (dice.below(30) === 0 && (heldBy !== undefined || reasons.some(({ code }) => code === "exposure-moved"))) {
    await world.ask("resume", (workspace, now) => resume(at(workspace), iso(now)));
  }
  if (dice.below(30) === 0 && reasons.some(({ code }) => code === "frozen")) {
    await world.ask("leave the freeze", (workspace, now) => leaveFreeze(shop(workspace), ANN, iso(now)));
  }
}

/** An experiment is not taken from under the release that ramps it. */
async function stopByHand(world: World): Promise<void> {
  if (!["ramping", "holding", "full"].includes(world.release.state)) return;
  const taken = await world.ask("stop the experiment", (workspace, now) =>
    stopExperiment(shop(workspace), EXPERIMENT, { at: new Date(now).toISOString(), opened: [] }),
  );
  if (taken) throw new Error(`step ${world.step}: an experiment was stopped while a release ramps it`);
}

/** One node at least stays. A killed one loses all it had in memory. */
async function killOrBoot(world: World, index: number): Promise<void> {
  const node = world.nodes[index];
  if (node === undefined) {
    await world.boot(index);
    world.say(`node ${index} starts`);
  } else if (!world.nodes.includes(undefined)) {
    node.tower.close();
    world.nodes[index] = undefined;
    world.kills += 1;
    world.say(`node ${index} is killed`);
  }
}

/** Ten minutes of users: some meet the flag, some fail. The base rate drifts, waves and jumps. */
function traffic(world: World): void {
  const { dice, step } = world;
  if (step < world.outageUntil) return;
  const { ppm, split } = world.live;
  const wave = 1 + 0.5 * Math.sin((2 * Math.PI * step) / 144) + step / STEPS;
  const rate = 0.06 * wave * (step < world.incidentUntil ? 10 : 1);
  const isHarmful = world.harmFrom !== undefined && step >= world.harmFrom;
  const exposures = [];
  const metrics = [];
  for (let i = 0; i < USERS; i += 1) {
    const unit = `u${world.units++}`;
    const part = partOf(split, unit);
    const base = { seq: world.units, timeMs: world.now, unit };
    if (part?.tracks !== undefined) {
      const { epoch = 0, ...subject } = part.tracks;
      exposures.push({ ...base, flag: "checkout", variant: part.variant, ...subject, epoch, revision: epoch });
    }
    const risk = Math.min(0.9, rate * (isHarmful && HARMFUL.includes(part?.variant ?? "") ? 5 : 1));
    if (dice.fraction() < risk) metrics.push({ ...base, name: "error" });
  }
  const isCompared = ppm > 0 && (ppm < SPACE_PPM || world.moved === "experiment");
  if (isHarmful && isCompared) world.harmedSince ??= world.now;
  if (metrics.length > 0) world.lastFailureAt = world.now;
  const head = { ...PLACE, instance: "i-0", sdk: "sim/1", batchId: `b${step}`, clockOffsetMs: 0 };
  const batch = { ...head, receivedAtMs: world.now, exposures, metrics, attributes: [], properties: [], counts: [], ledger: [] };
  world.batches.push(batch);
  for (const node of world.nodes) node?.tower.count(batch);
}

/** Of a flag what it moves, of an experiment one of its treatments. */
const HARMFUL: readonly string[] = ["on", "none"];

/** The part that serves a unit, as SDKs find it. */
function partOf(split: readonly Part[], unit: string): Part | undefined {
  return split.find(({ draws }) =>
    draws.every((draw) => {
      const point = pointOf(draw.space === "share" ? SPACES.share.salt : SPACES.split.salt, unit);
      return draw.in.some(([from, to]) => point >= from && point < to);
    }),
  );
}

async function receipts(world: World): Promise<void> {
  const { revision = 0 } = world.workspace.projects.get("shop")?.environments.get("production") ?? {};
  const sdk = { id: "key", ...PLACE, kind: "server" } as const;
  for (const instance of INSTANCES) {
    if (!world.cut.has(instance)) world.held.set(instance, revision);
    const receipt = { instance, sdk: "sim/1", revision: world.held.get(instance) ?? 0 };
    if (!world.cut.has(instance)) for (const node of world.nodes) node?.instances.note(sdk, receipt);
  }
  // Rebuilds read page by page: let them end, so that the same step always sees the same.
  for (let i = 0; i < 5; i += 1) await new Promise((resolve) => setImmediate(resolve));
}

function check(world: World, acted: readonly number[]): void {
  const { release, live, step } = world;
  const fail = (what: string): never => {
    throw new Error(`step ${step}: ${what}\n${world.lines.slice(-20).join("\n")}`);
  };
  if (acted.length > 1) fail("two nodes acted in one step");
  const stage = release.stage ?? 0;
  if (live.ppm > ppmOf(release, stage)) fail(`exposure ${live.ppm} above the stage's ${ppmOf(release, stage)}`);
  if (stage !== world.seenStage) {
    if (world.now - world.lastFailureAt > 1_000 * STALE_S) fail("a stage advanced on missing data");
    if (stage !== world.seenStage + 1) fail(`stage ${world.seenStage} was followed by ${stage}`);
    world.climbs += 1;
    world.say(`stage ${stage + 1}, ${live.ppm / 10_000} %`);
    world.seenStage = stage;
  }
  if (release.state !== world.seenState) {
    world.say(`${release.state}${release.reasons.map(({ code }) => ` ${code}`).join("")}`);
    world.seenState = release.state;
    if (release.state === "rolling-back") world.withdrawnAt = world.now;
  }
  if (release.endedAt !== undefined && release.state !== "rolling-back") world.endedFor += 1;
  if (world.moved === "flag") noneMoved(world, fail);
  else experimentKept(world, fail);
}

/** The lease of the contract, without a disk: it is asked for at every tick of three weeks. */
function withLeaseInHand(log: ChangeLog): ChangeLog {
  let lease = { holder: "", until: 0, fence: 0 };
  return Object.assign(Object.create(log) as ChangeLog, {
    takeLease: async (_: string, holder: string, { now, until }: { readonly now: number; readonly until: number }) => {
      if (lease.holder !== holder && lease.until > now) return undefined;
      lease = { holder, until, fence: lease.holder === holder ? lease.fence : lease.fence + 1 };
      return lease.fence;
    },
    commit: log.commit.bind(log),
    load: log.load.bind(log),
    entriesAfter: log.entriesAfter.bind(log),
    markOf: log.markOf.bind(log),
    changes: log.changes.bind(log),
  });
}

/** Sampled along the line: up to half, a unit of an arm is in that arm or in none. */
function noneMoved({ live, arms }: World, fail: (what: string) => never): void {
  if (live.ppm > SPACE_PPM / 2) return;
  for (let point = 500; point < SPACE_PPM; point += 1_000) {
    const part = live.split.findIndex(({ draws }) => draws[0]?.in.some(([from, to]) => point >= from && point < to));
    const arm = part === 0 ? "treated" : part === 1 ? "control" : undefined;
    const before = arms.get(point);
    if (arm !== undefined && before !== undefined && before !== arm) fail(`point ${point} went from ${before} to ${arm}`);
    if (arm !== undefined) arms.set(point, arm);
  }
}

/** At any share: whoever is in an arm stays in it, and the experiment runs until what it shows is taken back. */
function experimentKept({ live, arms, release, status }: World, fail: (what: string) => never): void {
  const isBack = release.state.startsWith("roll");
  if (status !== (isBack ? "stopped" : "running")) fail(`the experiment is ${status} while its release is ${release.state}`);
  if (isBack && live.ppm > 0) fail(`it went back, and ${live.ppm} are in`);
  for (const unit of SAMPLE) {
    const arm = partOf(live.split, unit)?.variant;
    if (arm === undefined) continue;
    const before = arms.get(unit) ?? arm;
    if (before !== arm) fail(`${unit} went from ${before} to ${arm}`);
    arms.set(unit, arm);
  }
}

async function allCommandsKept({ log, acknowledged }: World): Promise<void> {
  const kept = new Set((await log.changes({}, 100_000)).map(({ requestId }) => requestId));
  const lost = acknowledged.filter((requestId) => !kept.has(requestId));
  if (lost.length > 0) throw new Error(`acknowledged commands are lost: ${lost.join(", ")}`);
}

function revisionOf({ projects }: Workspace): number {
  const project = projects.get("shop");
  return (project?.revision ?? 0) + (project?.environments.get("production")?.revision ?? 0);
}
