import { canonicalJson } from "@belay/core";
import type {
  Advice,
  AnalysisPlan,
  AnalysisPlanDraft,
  DecisionDraft,
  Experiment,
  ExperimentCreation,
  ExperimentDecision,
  ExperimentDefinition,
  ExperimentEdit,
  ExperimentKey,
  ExperimentMetrics,
  ExperimentStatus,
  Frozen,
  FrozenMetric,
  Phase,
} from "@belay/protocol";
import { asJson, type Decision, type Refusal, refuse } from "../control/decision.ts";
import { planHash } from "../control/plan-hash.ts";
import { withoutNulls, writeProjectDocument } from "../control/project-document.ts";
import type { ExperimentDocument, Held, ProjectState } from "../state/workspace.ts";
import { experimentFault } from "./definition.ts";
import { allocationsOf, withNewPhases } from "./phases.ts";
import { refuseRamped } from "./ramp.ts";
import { openPoints } from "./readiness.ts";

/** Rules of experiments: pure, `(state, command) -> decision`.
 *
 *   draft ──start──> running ──stop──> stopped
 *     edit             └────decide────────┴──────> decided
 *
 * While a release ramps it, it runs: only the release ends that, by taking its share back or by being done.
 */

export function experimentView(project: string, key: ExperimentKey, { body, revision }: Held<ExperimentDocument>): Experiment {
  return { project, key, ...body, revision };
}

export function createExperiment(
  project: ProjectState,
  { key, reason: _, metrics, plan, ...draft }: ExperimentCreation,
  createdAt: string,
): Decision<Experiment> {
  if (project.experiments.has(key)) return refuse("already_exists", { field: "key", key });
  const definition: ExperimentDefinition = {
    tags: [],
    segments: [],
    ...draft,
    metrics: { primary: [], secondary: [], guardrails: [], ...metrics },
    ...(plan === undefined ? {} : { plan: wholePlan(plan) }),
  };
  const fault = experimentFault(project, key, definition);
  if (fault !== undefined) return fault;
  return write(project, key, undefined, { ...definition, status: "draft", createdAt, phases: [] }, "experiment.create");
}

/** What stays open to edits after the start: nothing that a result depends on. */
const ALWAYS_OPEN: readonly string[] = ["owner", "tags", "alertRoute"];

export function editExperiment(
  project: ProjectState,
  key: ExperimentKey,
  { reason: _, metrics, plan, ...edit }: ExperimentEdit,
): Decision<Experiment> {
  const held = project.experiments.get(key);
  if (held === undefined) return refuse("experiment_not_found", { key });
  const { body } = held;
  const after: ExperimentDocument = withoutNulls({
    ...body,
    ...edit,
    metrics: { ...body.metrics, ...metrics },
    ...(plan === undefined ? {} : { plan: plan === null ? null : wholePlan(plan) }),
  });
  const frozen = body.status === "draft" ? undefined : changedFields(body, after).find((name) => !ALWAYS_OPEN.includes(name));
  if (frozen !== undefined) return refuse("experiment_frozen", { field: frozen, key });
  if (body.status === "running" && after.alertRoute === undefined) {
    return refuse("experiment_frozen", { field: "alertRoute", key, reason: "a running experiment needs one" });
  }
  const fault = body.status === "draft" ? experimentFault(project, key, after) : undefined;
  return fault ?? write(project, key, held, after, "experiment.edit");
}

/** Freezes the definition, the metrics and the prediction, and opens the first phase. */
export function startExperiment(project: ProjectState, key: ExperimentKey, at: string): Decision<Experiment> {
  const held = inStatus(project, key, ["draft"]);
  if ("code" in held) return held;
  const { body } = held;
  const points = openPoints(project, key, body);
  if (points.length > 0) {
    const missing = points.map(({ reason }) => reason).join("; ");
    return refuse("experiment_not_ready", { key, missing, points: points.map((point) => ({ ...point })) });
  }
  const after: ExperimentDocument = { ...body, status: "running", startedAt: at, frozen: freeze(project, body, at) };
  return write(project, key, held, withPhases(project, key, after, at), "experiment.start");
}

/** Has the flag's split an allocation now that no phase is of? */
export function hasNewPhase(project: ProjectState, key: ExperimentKey, document: ExperimentDocument): boolean {
  return withPhases(project, key, document, "").phases !== document.phases;
}

/** New phases: those that the log tells of, and that of the flag's split now; nothing to do where all are there. */
export function openPhases(
  project: ProjectState,
  key: ExperimentKey,
  opened: readonly Phase[],
  at: string,
): Decision<Experiment> {
  const held = inStatus(project, key, ["running"]);
  if ("code" in held) return held;
  return write(project, key, held, withOpened(project, key, held.body, opened, at), "experiment.phase");
}

/** `opened`: phases that the log tells of and nobody noticed yet. */
export function stopExperiment(
  project: ProjectState,
  key: ExperimentKey,
  { at, opened }: { readonly at: string; readonly opened: readonly Phase[] },
): Decision<Experiment> {
  const held = inStatus(project, key, ["running"]);
  if ("code" in held) return held;
  const ramped = refuseRamped(project, key, "stop");
  return ramped ?? write(project, key, held, stopped(project, key, held.body, { at, opened }), "experiment.stop");
}

/** A running experiment as it is once it is stopped. */
export function stopped(
  project: ProjectState,
  key: ExperimentKey,
  document: ExperimentDocument,
  { at, opened }: { readonly at: string; readonly opened: readonly Phase[] },
): ExperimentDocument {
  return { ...withOpened(project, key, document, opened, at), status: "stopped", stoppedAt: at };
}

export interface Decider {
  readonly at: string;
  readonly by: string;
  /** What the results said when the decision was made. */
  readonly advice: Advice;
  /** Phases that the log tells of and nobody noticed yet. */
  readonly opened: readonly Phase[];
}

/** Records what was decided. Against the advice only where it is asked for in so many words; then it is marked. */
export function decideExperiment(
  project: ProjectState,
  key: ExperimentKey,
  { outcome, variant, reason, againstAdvice = false }: DecisionDraft,
  { at, by, advice, opened }: Decider,
): Decision<Experiment> {
  const held = inStatus(project, key, ["running", "stopped"]);
  if ("code" in held) return held;
  const ramped = refuseRamped(project, key, "decide");
  if (ramped !== undefined) return ramped;
  const { body } = held;
  const shipped =
    outcome === "ship" ? (variant ?? (body.treatments.length === 1 ? body.treatments[0] : undefined)) : body.control;
  if (shipped === undefined || (outcome === "ship" && !body.treatments.includes(shipped))) {
    return refuse("unknown_variant", { field: "variant", received: variant ?? null, allowed: [...body.treatments] });
  }
  if (outcome !== "ship" && variant !== undefined && variant !== body.control) {
    return refuse("invalid_field", { field: "variant", received: variant, reason: "only what ships can be chosen" });
  }
  const isAgainstAdvice = (outcome === "ship") !== (advice.advice === "ship");
  if (isAgainstAdvice && !againstAdvice) {
    const because = advice.because.length === 0 ? "nothing stands against it" : advice.because.join(", ");
    return refuse("against_advice", { field: "outcome", key, advice: advice.advice, because });
  }
  const decision: ExperimentDecision = { outcome, variant: shipped, reason, at, by, advice, isAgainstAdvice };
  // What a split did after the stop is none of the experiment's business.
  const phased = body.status === "running" ? withOpened(project, key, body, opened, at) : body;
  const after: ExperimentDocument = { ...phased, status: "decided", stoppedAt: body.stoppedAt ?? at, decision };
  return write(project, key, held, after, "experiment.decide");
}

/** The metrics of an experiment in one list, each once, with what it stands for. */
export function metricsOf({ primary, guardrails, secondary }: ExperimentMetrics): readonly string[] {
  return [...primary, ...guardrails, ...secondary];
}

/** An experiment in one of these states, or why not. */
export function inStatus(
  project: ProjectState,
  key: ExperimentKey,
  needed: readonly ExperimentStatus[],
): Held<ExperimentDocument> | Refusal {
  const held = project.experiments.get(key);
  if (held === undefined) return refuse("experiment_not_found", { key });
  const { status } = held.body;
  return needed.includes(status) ? held : refuse("wrong_status", { key, current: status, needed: needed.join(" or ") });
}

function wholePlan({ alpha = 0.05, power = 0.8, ...plan }: AnalysisPlanDraft): AnalysisPlan {
  return { alpha, power, ...plan };
}

function freeze(project: ProjectState, definition: ExperimentDocument, at: string): Frozen {
  const { status: _, createdAt: __, phases: ___, ...asked } = definition;
  const metrics = metricsOf(definition.metrics).flatMap((key): FrozenMetric[] => {
    const body = project.metrics.get(key)?.body;
    if (body === undefined) return [];
    const { measure, window, good, tolerance, version } = body;
    return [{ key, version, measure, window, good, tolerance }];
  });
  const unit = project.flags.get(definition.flag)?.body.spaces.split.by;
  // What may still be edited is no part of what was promised.
  const { owner: ____, tags: _____, alertRoute: ______, ...promised } = asked;
  return { at, hash: planHash(asJson({ definition: promised, metrics })), metrics, ...(unit === undefined ? {} : { unit }) };
}

function withPhases(project: ProjectState, key: ExperimentKey, document: ExperimentDocument, at: string): ExperimentDocument {
  const targeting = project.environments.get(document.environment)?.targetings.get(document.flag)?.body;
  const allocations = targeting === undefined ? [] : allocationsOf(targeting, key);
  return { ...document, phases: withNewPhases(document.phases, allocations, at) };
}

function withOpened(
  project: ProjectState,
  key: ExperimentKey,
  document: ExperimentDocument,
  opened: readonly Phase[],
  at: string,
): ExperimentDocument {
  const phases = opened.reduce((all, phase) => withNewPhases(all, [phase], phase.from), document.phases);
  return withPhases(project, key, { ...document, phases }, at);
}

function changedFields(before: ExperimentDocument, after: ExperimentDocument): readonly string[] {
  const [a, b] = [before, after] as unknown as Record<string, object>[];
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => textOf(a?.[name]) !== textOf(b?.[name]));
}

const textOf = (value: object | undefined): string => (value === undefined ? "" : canonicalJson(asJson(value)));

function write(
  project: ProjectState,
  key: ExperimentKey,
  before: Held<ExperimentDocument> | undefined,
  after: ExperimentDocument,
  action: string,
): Decision<Experiment> {
  const view = (held: Held<ExperimentDocument>): Experiment => experimentView(project.key, key, held);
  return writeProjectDocument(project, { kind: "experiment", key, action, before, after, view });
}
