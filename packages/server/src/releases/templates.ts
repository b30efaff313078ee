/* Ladders that a project uses again: pure, `(state, command) -> decision`. */
import type { ReleaseTemplate, ReleaseTemplateDraft } from "@belay/protocol";
import { asJson, type Decision, refuse } from "../control/decision.ts";
import { deleteProjectDocument } from "../control/project-document.ts";
import { projectStream } from "../control/streams.ts";
import type { Held, ProjectState, ReleaseTemplateDocument } from "../state/workspace.ts";
import { ladderFault } from "./drafts.ts";
import { measuredGuardrails } from "./measured.ts";

export function templateView(project: string, key: string, { body, revision }: Held<ReleaseTemplateDocument>): ReleaseTemplate {
  return { project, key, ...body, revision };
}

/** Makes a template, or puts another in its place: releases that were made from it stay as they are. */
export function putTemplate(
  project: ProjectState,
  key: string,
  { description = "", stages, guardrails: drafted = [], alertRoutes = [] }: ReleaseTemplateDraft,
): Decision<ReleaseTemplate> {
  const guardrails = measuredGuardrails(project, drafted);
  if ("code" in guardrails) return guardrails;
  const fault = ladderFault(project, { stages, guardrails });
  if (fault !== undefined) return fault;
  const before = project.releaseTemplates.get(key);
  const body: ReleaseTemplateDocument = { description, stages, guardrails, alertRoutes };
  if (before !== undefined && JSON.stringify(body) === JSON.stringify(before.body)) {
    return { kind: "unchanged", answer: templateView(project.key, key, before), revision: before.revision };
  }
  const revision = project.revision + 1;
  return {
    kind: "edit",
    action: "release-template.put",
    stream: { project: project.key },
    target: { kind: "release-template", key },
    raises: [projectStream(project)],
    documents: [{ kind: "release-template", project: project.key, key, body: asJson(body) }],
    ...(before === undefined ? {} : { before: asJson(before.body) }),
    after: asJson(body),
    answer: templateView(project.key, key, { body, revision }),
    revision,
  };
}

export function deleteTemplate(project: ProjectState, key: string): Decision<undefined> {
  const before = project.releaseTemplates.get(key);
  if (before === undefined) return refuse("template_not_found", { key });
  return deleteProjectDocument(project, { kind: "release-template", key, action: "release-template.delete", before });
}
