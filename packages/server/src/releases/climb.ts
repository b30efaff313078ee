/* What moves a release once people agreed on it: pure, `(state, command) -> decision`. */
import type { EpochMs, Propagation, Release, ReleaseReason, Role, Targeting } from "@belay/protocol";
import { asJson, type Decision, type Refusal, refuse } from "../control/decision.ts";
import { planHash } from "../control/plan-hash.ts";
import { stopped } from "../experiments/domain.ts";
import { rampOf } from "../experiments/ramp.ts";
import { flagNotFound } from "../flags/domain.ts";
import type { Held, ReleaseDocument } from "../state/workspace.ts";
import { type Beside, heldRelease, nextState, type ReleasePlace, releaseView, writeRelease } from "./document.ts";
import { admit, expose, exposedPpm, isOf, rolloutParts, withdraw } from "./exposure.ts";
import type { Facts, Plan } from "./facts.ts";
import { groundOf } from "./ground.ts";
import { phasesOf } from "./placement.ts";
import { ppmOf, whatIsMissing, whatIsWrong } from "./plan.ts";
import { begun } from "./propagation.ts";
import { isLive, type ReleaseEvent } from "./states.ts";

/** People agreed on what it says. */
export function makeReady(place: ReleasePlace): Decision<Release> {
  return turn(place, "ready", "release.ready", (body) => body);
}

/** Puts a release on its first stage. Refused while nobody would notice harm; the prediction is frozen and hashed. */
export function start(place: ReleasePlace, now: string): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const { body } = held;
  const state = nextState(place.key, body, "start");
  if (typeof state !== "string") return state;
  const missing = unmonitored(body);
  if (missing !== undefined) return refuse("release_unmonitored", { key: place.key, missing });
  const ground = groundOf(place, body);
  if ("code" in ground) return ground;
  const begun: ReleaseDocument = {
    ...body,
    ...ground,
    state,
    predictionHash: planHash(asJson(body.predictions)),
    startedAt: now,
  };
  return moveTo(place, held, begun, 0, now, "release.start");
}

/** Stops the climb where it stands. */
export function hold(place: ReleasePlace, by: string): Decision<Release> {
  return turn(place, "hold", "release.hold", (body) => ({
    ...body,
    heldBy: by,
    reasons: [{ code: "held-by-person", subject: by }],
  }));
}

/** Climbs on, from the share of its stage: also after somebody lowered it by hand. */
export function resume(place: ReleasePlace, now: string): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const state = nextState(place.key, held.body, "resume");
  if (typeof state !== "string") return state;
  const { heldBy: _, ...body } = held.body;
  const stage = body.stage ?? 0;
  return moveTo(place, held, { ...body, state: climbing(body, stage) }, stage, now, "release.resume");
}

/** Ends a release and takes back what it exposed. */
export function abort(place: ReleasePlace, now: string): Decision<Release> {
  return goBack(place, "abort", "release.abort", (body) => ({ ...body, endedAt: now }));
}

/** When a rollback is decided, and which instances run then: they stand in its record, so that a restart forgets nobody. */
export interface RollbackMoment {
  readonly now: EpochMs;
  /** When the event that decided it was acknowledged. */
  readonly detectedAt?: EpochMs;
  readonly instances: readonly string[];
}

/** Takes back what it exposed because of a breach, an alert or a person; receipts follow. */
export function rollBack(
  place: ReleasePlace,
  reason: ReleaseReason,
  { now: decidedAt, ...seen }: RollbackMoment,
): Decision<Release> {
  const revision = place.environment.revision + 1;
  const rollback = begun({ revision, decidedAt, publishedAt: decidedAt, ...seen });
  const now = new Date(decidedAt).toISOString();
  return goBack(place, "rollback", "release.rollback", (body) => ({ ...body, reasons: [reason], rollback, endedAt: now }));
}

/**
 * An alert from outside trips a guardrail: what a breach of it does, done now. One that only reports changes nothing; one
 * that holds does so until a person goes on, for nothing here knows when the alert is over.
 */
export function trip(place: ReleasePlace, metric: string, moment: RollbackMoment): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const guardrail = held.body.guardrails.find((each) => each.metric === metric);
  if (guardrail === undefined) return guardrailNotFound(held.body, metric);
  if (guardrail.dryRun === true || guardrail.onBreach === "warn") return unchanged(place, held);
  if (guardrail.onBreach === "hold") return hold(place, `the alert on ${metric}`);
  return rollBack(place, { code: "external-trigger", subject: metric }, moment);
}

export function guardrailNotFound({ guardrails }: ReleaseDocument, metric: string): Refusal {
  const allowed = guardrails.map((each) => each.metric);
  return refuse("invalid_field", { field: "guardrail", received: metric, allowed, reason: "the release has no such guardrail" });
}

/** The receipts of a rollback are in, or are waited for no longer. */
export function acknowledge(place: ReleasePlace, rollback: Propagation): Decision<Release> {
  return turn(place, "acknowledged", "release.rolled-back", (body) => ({ ...body, rollback }));
}

/** The receipts of a rollback so far: what a server that takes over goes on from. */
export function noteReceipts(place: ReleasePlace, rollback: Propagation): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  if (held.body.state !== "rolling-back") return unchanged(place, held);
  return writeRelease(place, held.body, { ...held.body, rollback }, "release.receipts");
}

/** Somebody approves leaving the present stage; of one person the last approval counts. */
export function approve(
  place: ReleasePlace,
  { id, role, at }: { readonly id: string; readonly role: Role; readonly at: string },
): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const { body } = held;
  if (!isLive(body.state) || body.stage === undefined) return wrongState(place, body, "approve");
  const { stage } = body;
  const others = body.approvals.filter((given) => given.by !== id || given.stage !== stage);
  return writeRelease(place, body, { ...body, approvals: [...others, { stage, role, by: id, at }] }, "release.approve");
}

/** Evidence of people and drills: put beside what there is. */
export function giveEvidence(place: ReleasePlace, evidence: Release["evidence"]): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const { body } = held;
  return writeRelease(place, body, { ...body, evidence: { ...body.evidence, ...evidence } }, "release.evidence");
}

/**
 * One stage on, because a person asks: the time need not be over, everything else must hold. With `override` nothing but
 * a freeze is in the way.
 */
export function advanceByPerson(
  place: ReleasePlace,
  facts: Facts,
  { now, override }: { readonly now: number; readonly override: boolean },
): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const { body } = held;
  const to = facts.stage + 1;
  const state = nextState(place.key, body, to >= body.stages.length - 1 ? "reach-top" : "advance");
  if (typeof state !== "string") return state;
  const inTheWay = [...whatIsWrong(body, facts, now), ...whatIsMissing(body, facts, now)];
  const reasons = inTheWay.filter(({ code }) => code !== "min-duration");
  if (reasons.length > 0 && !override) return refuse("release_gates_closed", { key: place.key, reasons });
  const { heldBy: _, ...rest } = body;
  return moveTo(place, held, { ...rest, state }, to, new Date(now).toISOString(), "release.advance");
}

/** Commits a plan at what it saw: a release or a targeting that moved on since then refuses it. */
export function execute(place: ReleasePlace, plan: Plan, moment: RollbackMoment): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const { body } = held;
  if (plan.kind === "nothing") return unchanged(place, held);
  const targeting = place.environment.targetings.get(body.flag);
  if (held.revision !== plan.seen.release || targeting?.revision !== plan.seen.targeting) {
    return refuse("revision_conflict", { revision: Math.max(held.revision, targeting?.revision ?? 0) });
  }
  if (plan.kind === "rollback") return rollBack(place, plan.reason, moment);
  const now = new Date(moment.now).toISOString();
  if (plan.kind === "finish") {
    // A release that only waited goes through the top before it is done.
    if (body.state !== "full") return settle(place, held);
    return turn(place, "finish", "release.finish", (full) => ({ ...full, reasons: [], endedAt: now }));
  }
  if (plan.kind === "advance") {
    const state = nextState(place.key, body, plan.to >= body.stages.length - 1 ? "reach-top" : "advance");
    return typeof state === "string" ? moveTo(place, held, { ...body, state }, plan.to, now, "release.advance") : state;
  }
  if (!plan.isAlarm) return settle(place, held);
  if (body.state === "holding" && isSame(body.reasons, plan.reasons)) return unchanged(place, held);
  return turn(place, "hold", "release.hold", (live) => ({ ...live, reasons: plan.reasons }));
}

/** Nothing is wrong any more: a release that held climbs on by itself. What it waits for is not worth a change. */
function settle(place: ReleasePlace, held: Held<ReleaseDocument>): Decision<Release> {
  const { body } = held;
  if (body.state !== "holding") return unchanged(place, held);
  const state = climbing(body, body.stage ?? 0);
  return writeRelease(place, body, { ...body, state, reasons: [] }, "release.resume");
}

function turn(
  place: ReleasePlace,
  event: ReleaseEvent,
  action: string,
  edit: (body: ReleaseDocument) => ReleaseDocument,
): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const state = nextState(place.key, held.body, event);
  return typeof state === "string" ? writeRelease(place, held.body, { ...edit(held.body), state }, action) : state;
}

/** Withdraws the exposure in the same change, and stops the experiment that was ramped: lowering asks nobody. */
function goBack(
  place: ReleasePlace,
  event: "abort" | "rollback",
  action: string,
  edit: (body: ReleaseDocument) => ReleaseDocument,
): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const state = nextState(place.key, held.body, event);
  if (typeof state !== "string") return state;
  const body: ReleaseDocument = { ...edit(held.body), state };
  const targeting = place.environment.targetings.get(body.flag)?.body;
  if (targeting === undefined || held.body.startedAt === undefined) return writeRelease(place, held.body, body, action);
  const withdrawn = { before: targeting, after: withdraw(targeting, body) };
  const isOwn = isLive(held.body.state) || isOf(body.experiment ?? "", rolloutParts(targeting));
  return writeRelease(place, held.body, body, action, {
    targeting: withdrawn,
    ...(isOwn ? endOfExperiment(place, body) : {}),
  });
}

/**
 * Once its arms are taken back nobody is in it any more: it is stopped, with what it showed, and left to be decided. Not where
 * another release ramps it by now, which notices by itself that its share is gone; nor where it has another split since.
 */
function endOfExperiment({ project, key }: ReleasePlace, { experiment, endedAt = "", ...body }: ReleaseDocument): Beside {
  const held = experiment === undefined ? undefined : project.experiments.get(experiment);
  if (experiment === undefined || held?.body.status !== "running") return {};
  if ((rampOf(project, experiment)?.release ?? key) !== key) return {};
  const ended = stopped(project, experiment, held.body, { at: endedAt, opened: phasesOf(body) });
  return { experiment: { key: experiment, body: ended } };
}

function moveTo(
  place: ReleasePlace,
  held: Held<ReleaseDocument>,
  body: ReleaseDocument,
  stage: number,
  now: string,
  action: string,
): Decision<Release> {
  const targeting = place.environment.targetings.get(body.flag)?.body;
  if (targeting === undefined) return flagNotFound(place.project, body.flag);
  const ppm = ppmOf(body, stage);
  const after = exposureAt(place.key, body, stage, { ...targeting, enabled: true });
  const epoch = { stage, from: now, percentage: ppm / 10_000, revision: place.environment.revision + 1 };
  const isThere = body.stage === stage && exposedPpm(targeting, body) === ppm;
  const opened = isThere ? {} : { opened: body.experiment ?? { release: place.key } };
  const moved: ReleaseDocument = {
    ...body,
    stage,
    reasons: [],
    // Climbing on where it stood begins no new stretch: its clock runs on, and its exposures keep their epoch.
    epochs: isThere ? body.epochs : [...body.epochs, epoch],
  };
  return writeRelease(place, held.body, moved, action, { targeting: { before: targeting, after, ...opened } });
}

/** The targeting with what a stage exposes. */
function exposureAt(release: string, body: ReleaseDocument, stage: number, targeting: Targeting): Targeting {
  const { variant, control = variant, experiment, arms = [] } = body;
  const { audience } = body.stages[stage] ?? {};
  const extent = { ppm: ppmOf(body, stage), ...(audience === undefined ? {} : { audience }) };
  return experiment === undefined
    ? expose(targeting, { release, variant, control, ...extent })
    : admit(targeting, { experiment, arms, ...extent });
}

function unmonitored({ guardrails, alertRoutes }: ReleaseDocument): string | undefined {
  if (guardrails.every(({ dryRun }) => dryRun === true)) return "guardrail";
  return alertRoutes.length === 0 ? "alert route" : undefined;
}

function climbing({ stages }: ReleaseDocument, stage: number): "ramping" | "full" {
  return stage >= stages.length - 1 ? "full" : "ramping";
}

function unchanged(place: ReleasePlace, held: Held<ReleaseDocument>): Decision<Release> {
  return { kind: "unchanged", answer: releaseView(place, held), revision: held.revision };
}

function wrongState({ key }: ReleasePlace, { state }: ReleaseDocument, command: string): Refusal {
  return refuse("release_state", { key, state, command, allowed: ["a started release"] });
}

function isSame(a: readonly ReleaseReason[], b: readonly ReleaseReason[]): boolean {
  // What changes by itself, numbers with the clock, is no news.
  const codes = (reasons: readonly ReleaseReason[]): string =>
    reasons.map(({ code, subject = "", treatment = "" }) => `${code} ${subject} ${treatment}`).join("\n");
  return codes(a) === codes(b);
}
