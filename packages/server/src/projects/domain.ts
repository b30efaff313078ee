import type { Environment, EnvironmentCreation, Project, ProjectCreation } from "@belay/protocol";
import { asJson, type Decision, refuse } from "../control/decision.ts";
import { environmentStream, projectStream } from "../control/streams.ts";
import { firstTargeting } from "../flags/domain.ts";
import type { EnvironmentDocument, EnvironmentState, ProjectDocument, ProjectState, Workspace } from "../state/workspace.ts";
import type { DocumentWrite } from "../store/changes/index.ts";

/** Rules of projects and environments: pure, `(state, command) -> decision`. */

export const FIRST_ENVIRONMENTS: readonly string[] = ["development", "staging", "production"];

/** Retention and the stale rule have doors of their own. */
export function projectView({ key, document: { body, revision } }: ProjectState): Project {
  const { name, privateAttributes, createdAt } = body;
  return { key, name, privateAttributes, createdAt, revision };
}

export function environmentView(project: string, { key, document, revision }: EnvironmentState): Environment {
  return { project, key, ...document.body, revision };
}

/** A project with its first environments: three streams and its own start at revision 1. */
export function createProject(
  workspace: Workspace,
  { key, name = key, privateAttributes = [], environments = FIRST_ENVIRONMENTS }: ProjectCreation,
  createdAt: string,
): Decision<Project> {
  if (workspace.projects.has(key)) return refuse("already_exists", { field: "key", key });
  const body: ProjectDocument = { name, privateAttributes, createdAt };
  return {
    kind: "edit",
    action: "project.create",
    stream: { project: key },
    target: { kind: "project", key },
    raises: [{ project: key, revision: 0 }, ...environments.map((environment) => ({ project: key, environment, revision: 0 }))],
    documents: [
      { kind: "project", project: key, key, body: asJson(body) },
      ...environments.map((environment) => environmentWrite(key, environment, { name: environment, createdAt })),
    ],
    after: asJson({ ...body, environments }),
    answer: { key, ...body, revision: 1 },
    revision: 1,
  };
}

/** An environment in which every flag of the project is off for everybody. */
export function createEnvironment(
  project: ProjectState,
  { key, name = key }: EnvironmentCreation,
  createdAt: string,
): Decision<Environment> {
  if (project.environments.has(key)) return refuse("already_exists", { field: "key", key });
  const body: EnvironmentDocument = { name, createdAt };
  const targetings = [...project.flags].map(
    ([flag, { body: document }]): DocumentWrite => ({
      kind: "targeting",
      project: project.key,
      environment: key,
      key: flag,
      body: asJson(firstTargeting(document.type, document.variants)),
    }),
  );
  return {
    kind: "edit",
    action: "environment.create",
    stream: { project: project.key },
    target: { kind: "environment", key },
    raises: [projectStream(project), { project: project.key, environment: key, revision: 0 }],
    documents: [environmentWrite(project.key, key, body), ...targetings],
    after: asJson(body),
    answer: { project: project.key, key, ...body, revision: 1 },
    revision: project.revision + 1,
  };
}

/**
 * How many people must approve what may raise exposure there. It raises the environment too: what another node decided
 * on the rule before is decided again.
 */
export function requireApprovals(project: ProjectState, environment: EnvironmentState, required: number): Decision<Environment> {
  const { approvalsRequired: before = 0, ...rest } = environment.document.body;
  if (before === required) {
    return { kind: "unchanged", answer: environmentView(project.key, environment), revision: project.revision };
  }
  const body: EnvironmentDocument = { ...rest, ...(required === 0 ? {} : { approvalsRequired: required }) };
  const revision = environment.revision + 1;
  return {
    kind: "edit",
    action: "environment.approvals",
    stream: { project: project.key, environment: environment.key },
    target: { kind: "environment", key: environment.key },
    raises: [projectStream(project), environmentStream(project, environment)],
    documents: [environmentWrite(project.key, environment.key, body)],
    before: { required: before },
    after: { required },
    answer: environmentView(project.key, { ...environment, document: { body, revision: project.revision + 1 }, revision }),
    revision,
  };
}

function environmentWrite(project: string, key: string, body: EnvironmentDocument): DocumentWrite {
  return { kind: "environment", project, key, body: asJson(body) };
}
