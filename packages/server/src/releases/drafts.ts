/* What people write of a release before it starts: pure, `(state, command) -> decision`. */
import { ppmFromPercent } from "@belay/core";
import type { ExperimentKey, Release, ReleaseCreation, ReleaseEdit, ReleasePlanFields, VariantName } from "@belay/protocol";
import { type Decision, type Refusal, refuse } from "../control/decision.ts";
import { liveFlag } from "../flags/domain.ts";
import type { FlagDocument, ProjectState, ReleaseDocument } from "../state/workspace.ts";
import { heldRelease, nextState, type ReleasePlace, writeRelease } from "./document.ts";
import { defaultLadder } from "./ladder.ts";
import { measuredGuardrails } from "./measured.ts";

export function createRelease(
  place: ReleasePlace,
  creation: ReleaseCreation,
  { author, createdAt }: { readonly author: string; readonly createdAt: string },
): Decision<Release> {
  const { flag: _, experiment: __, variant: ___, reason: ____, ...written } = creation;
  const { key, internal, template, guardrails: drafted, ...draft } = written;
  if (place.environment.releases.has(key)) return refuse("already_exists", { field: "key", key });
  const subject = subjectOf(place, creation);
  if ("code" in subject) return subject;
  // A ladder that somebody wrote for this release, or part of one, is no wish for the project's own.
  const usual = draft.stages === undefined && internal === undefined ? USUAL_TEMPLATE : undefined;
  const base = place.project.releaseTemplates.get(template ?? usual ?? "");
  if (template !== undefined && base === undefined) return refuse("template_not_found", { field: "template", key: template });
  const guardrails = measuredGuardrails(place.project, drafted ?? base?.body.guardrails ?? []);
  if ("code" in guardrails) return guardrails;
  const fields: ReleasePlanFields = {
    description: "",
    stages: defaultLadder(internal),
    alertRoutes: [],
    predictions: [],
    holdoutPercentage: 0,
    drillMaxAgeDays: 30,
    lossMax: 0.01,
    powerHorizonDays: 28,
    ...base?.body,
    ...draft,
    guardrails,
  };
  const fault = faultOf(place.project, { ...fields, ...subject });
  if (fault !== undefined) return fault;
  const body: ReleaseDocument = {
    ...fields,
    ...subject,
    state: "draft",
    epochs: [],
    reasons: [],
    approvals: [],
    evidence: {},
    author,
    createdAt,
  };
  return writeRelease({ ...place, key }, undefined, body, "release.create");
}

/** The template of this name is what a release begins with that names none. */
const USUAL_TEMPLATE = "default";

/** An edit of a release that is ready makes it a draft again: what was agreed on is no longer what it says. */
export function editRelease(place: ReleasePlace, { reason: _, ...edit }: ReleaseEdit): Decision<Release> {
  const held = heldRelease(place);
  if ("code" in held) return held;
  const state = nextState(place.key, held.body, "edit");
  if (typeof state !== "string") return state;
  const guardrails = measuredGuardrails(place.project, edit.guardrails ?? held.body.guardrails);
  if ("code" in guardrails) return guardrails;
  const body: ReleaseDocument = { ...held.body, ...edit, guardrails, state };
  const fault = faultOf(place.project, body);
  return fault ?? writeRelease(place, held.body, body, "release.edit");
}

/** What is released: a variant of a flag, or an experiment with the flag it is on. */
type Subject = Pick<ReleaseDocument, "flag" | "variant" | "experiment">;

function subjectOf(
  place: ReleasePlace,
  { flag, experiment, variant }: Pick<ReleaseCreation, "flag" | "experiment" | "variant">,
): Subject | Refusal {
  if (flag === undefined && experiment !== undefined) return subjectOfExperiment(place, experiment, variant);
  if (flag === undefined || experiment !== undefined) {
    return refuse("invalid_field", { field: "flag", received: flag, reason: "either a flag or an experiment is released" });
  }
  const held = liveFlag(place.project, flag);
  if ("code" in held) return held;
  const raised = variant ?? trueVariant(held.body);
  if (raised === undefined || !Object.hasOwn(held.body.variants, raised)) {
    return refuse("unknown_variant", { field: "variant", received: raised, allowed: Object.keys(held.body.variants) });
  }
  return { flag, variant: raised };
}

function subjectOfExperiment(
  { project, environment }: ReleasePlace,
  experiment: ExperimentKey,
  wanted: VariantName | undefined,
): Subject | Refusal {
  const held = project.experiments.get(experiment);
  if (held === undefined) return refuse("experiment_not_found", { field: "experiment", key: experiment });
  const { status, flag, treatments, control } = held.body;
  if (status !== "draft" && status !== "running") {
    return refuse("wrong_status", { key: experiment, current: status, needed: "draft or running" });
  }
  if (held.body.environment !== environment.key) {
    const reason = `it is in the environment ${held.body.environment}`;
    return refuse("invalid_field", { field: "experiment", received: experiment, reason });
  }
  if (wanted !== undefined) {
    const reason = "an experiment is ramped with all its arms";
    return refuse("invalid_field", { field: "variant", received: wanted, reason });
  }
  return { flag, variant: treatments[0] ?? control, experiment };
}

function faultOf(project: ProjectState, fields: ReleasePlanFields & Pick<ReleaseDocument, "experiment">): Refusal | undefined {
  const { holdoutPercentage, experiment } = fields;
  if (experiment !== undefined && holdoutPercentage > 0) {
    const reason = "an experiment is measured against its control; let its last stage stop short of everybody instead";
    return refuse("invalid_field", { field: "holdoutPercentage", received: holdoutPercentage, reason });
  }
  if (ppmFromPercent(holdoutPercentage) === undefined) {
    return refuse("invalid_percentage", { field: "holdoutPercentage", received: holdoutPercentage });
  }
  return ladderFault(project, fields);
}

/** What is wrong with stages or guardrails, as a schema cannot see it. */
export function ladderFault(
  project: ProjectState,
  { stages, guardrails }: Pick<ReleasePlanFields, "stages" | "guardrails">,
): Refusal | undefined {
  let last = 0;
  for (const [index, { percentage, audience }] of stages.entries()) {
    const field = `stages[${index}]`;
    if (ppmFromPercent(percentage) === undefined) {
      return refuse("invalid_percentage", { field: `${field}.percentage`, received: percentage });
    }
    if (percentage < last) {
      const reason = "a stage may not give less than the one before it";
      return refuse("invalid_field", { field: `${field}.percentage`, received: percentage, reason });
    }
    if (audience !== undefined && !project.segments.has(audience)) {
      return refuse("unknown_segment", { field: `${field}.audience`, received: audience });
    }
    last = percentage;
  }
  const names = guardrails.map(({ metric }) => metric);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice === -1) return undefined;
  const reason = "another guardrail has this metric";
  return refuse("invalid_field", { field: `guardrails[${twice}].metric`, received: names[twice], reason });
}

function trueVariant({ type, variants }: FlagDocument): VariantName | undefined {
  return type === "boolean" ? Object.keys(variants).find((name) => variants[name] === true) : undefined;
}
