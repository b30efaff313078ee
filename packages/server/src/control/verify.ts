import { type CompileOptions, checkFlag, checkSegment, type Defect } from "@belay/core";
import type { FlagKey, SegmentKey } from "@belay/protocol";
import { experimentFault } from "../experiments/definition.ts";
import { clientSideFault } from "../flags/client-side.ts";
import { definitionFault } from "../metrics/domain.ts";
import { flagsReachable } from "../state/reach.ts";
import { flagsNaming } from "../state/users.ts";
import { usesOfCondition, usesOfTargeting } from "../state/uses.ts";
import type { ProjectState, Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";
import { type Refusal, refuse } from "./decision.ts";

/**
 * What stands between every edit and the log: a workspace in which a definition that the edit touched, or one that
 * depends on it, is broken or unfit for browsers is refused, whatever route or rule made it.
 */
export function verify(next: Workspace, documents: readonly DocumentWrite[], options: CompileOptions): Refusal | undefined {
  for (const { kind, project: projectKey = "", environment, key } of documents) {
    const project = next.projects.get(projectKey);
    if (project === undefined) continue;
    const fault = verifyDocument(project, { kind, key, ...(environment === undefined ? {} : { environment }) }, options);
    // Where an edit writes many definitions, the field alone does not say of which.
    const document = { kind, key, ...(environment === undefined ? {} : { environment }) };
    if (fault !== undefined) return documents.length === 1 ? fault : { ...fault, data: { document, ...fault.data } };
  }
  return undefined;
}

function verifyDocument(
  project: ProjectState,
  { kind, environment, key }: Pick<DocumentWrite, "kind" | "environment" | "key">,
  options: CompileOptions,
): Refusal | undefined {
  if (kind === "targeting" && environment !== undefined) return verifyFlag(project, environment, key, options);
  if (kind === "flag") return verifyEverywhere(project, (name) => verifyFlagAndUsers(project, name, key, options));
  if (kind === "project") return verifyEverywhere(project, (name) => verifyClientSide(project, name, options));
  if (kind === "metric") return verifyMetric(project, key);
  if (kind === "experiment") return verifyDraft(project, key);
  if (kind === "segment") return verifyEverywhere(project, (name) => verifySegmentAndUsers(project, name, key, options));
  return undefined;
}

function verifyMetric({ metrics }: ProjectState, key: string): Refusal | undefined {
  const metric = metrics.get(key)?.body;
  return metric === undefined ? undefined : definitionFault(metric);
}

/** Only of a draft: what started keeps what it promised, whatever becomes of what it names. */
function verifyDraft(project: ProjectState, key: string): Refusal | undefined {
  const experiment = project.experiments.get(key)?.body;
  return experiment?.status === "draft" ? experimentFault(project, key, experiment) : undefined;
}

function verifyEverywhere(project: ProjectState, check: (environment: string) => Refusal | undefined): Refusal | undefined {
  for (const environment of project.environments.keys()) {
    const fault = check(environment);
    if (fault !== undefined) return { ...fault, data: { environment, ...fault.data } };
  }
  return undefined;
}

/** An attribute that became private may be one that a flag in browsers reads. */
function verifyClientSide(project: ProjectState, environment: string, options: CompileOptions): Refusal | undefined {
  for (const [key, { body }] of project.flags) {
    const fault = body.clientSide ? verifyFlag(project, environment, key, options) : undefined;
    if (fault !== undefined) return { ...fault, data: { flag: key, ...fault.data } };
  }
  return undefined;
}

function verifyFlagAndUsers(
  project: ProjectState,
  environment: string,
  key: FlagKey,
  options: CompileOptions,
): Refusal | undefined {
  const own = verifyFlag(project, environment, key, options);
  return own ?? verifyUsers(project, environment, { kind: "flag", name: key }, options);
}

function verifySegmentAndUsers(
  project: ProjectState,
  environment: string,
  key: SegmentKey,
  options: CompileOptions,
): Refusal | undefined {
  const snapshot = project.environments.get(environment)?.snapshot;
  const condition = snapshot?.head.segments[key];
  if (snapshot === undefined || condition === undefined) return undefined;
  const [defect] = checkSegment(condition, snapshot.part(flagsReachable(snapshot, usesOfCondition(condition))), key, options);
  // Core calls the definition `condition`, or nothing where it is at fault as a whole; a segment's field is named `when`.
  if (defect !== undefined) return refusal({ ...defect, field: defect.field.replace(/^(condition)?(?=\.|$)/, "when") });
  return verifyUsers(project, environment, { kind: "segment", name: key }, options);
}

function verifyUsers(
  project: ProjectState,
  environment: string,
  what: { readonly kind: "flag" | "segment"; readonly name: string },
  options: CompileOptions,
): Refusal | undefined {
  for (const key of flagsNaming(project, environment, what)) {
    const fault = key === what.name && what.kind === "flag" ? undefined : verifyFlag(project, environment, key, options);
    if (fault !== undefined) return { ...fault, data: { flag: key, ...fault.data } };
  }
  return undefined;
}

function verifyFlag(project: ProjectState, environment: string, key: FlagKey, options: CompileOptions): Refusal | undefined {
  const snapshot = project.environments.get(environment)?.snapshot;
  const flag = snapshot?.flags.get(key);
  if (snapshot === undefined || flag === undefined) return undefined;
  const [defect] = checkFlag(flag, snapshot.part([key, ...flagsReachable(snapshot, usesOfTargeting(flag))]), key, options);
  return defect === undefined ? clientSideFault(project, key, flag) : refusal(defect);
}

function refusal({ code, ...data }: Defect): Refusal {
  return refuse(code, data);
}
