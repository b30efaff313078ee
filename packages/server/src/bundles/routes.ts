import type { CompileOptions } from "@belay/core";
import type { Bundle, ImportDraft, ImportPlan, ImportRequest } from "@belay/protocol";
import {
  BundleSchema,
  ImportDraftSchema,
  ImportPlanSchema,
  ImportRequestSchema,
  ImportResultSchema,
} from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import { rehearse } from "../control/consequence.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { Workspace } from "../state/workspace.ts";
import { exportProject } from "./export.ts";
import { importBundle, planImport } from "./import.ts";

export interface BundleDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly compile: CompileOptions;
  readonly now: () => number;
}

interface ProjectParams {
  readonly project: string;
}

/** Bytes of a bundle: a thousand flags in some environments. */
const BUNDLE_LIMIT_BYTES = 16 * 1024 * 1024;

const tags: readonly string[] = ["bundles"];

/** A project out as one document, and in again: looked at first, then made as it was looked at. */
export const bundleRoutes: FastifyPluginAsync<BundleDoors> = async (app, { access, control, compile, now }) => {
  const one = "/api/v1/projects/:project";
  const params = pathParams("project");

  app.get<{ Params: ProjectParams }>(
    `${one}/export`,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: BundleSchema }, summary: "Export a project as one document", params },
    },
    async ({ params: { project }, actor }): Promise<Bundle> =>
      exportProject(projectOf(control.workspace, project), (name) => actor !== undefined && reaches(actor, name)),
  );

  app.post<{ Params: ProjectParams; Body: ImportRequest }>(
    `${one}/import/plan`,
    {
      onRequest: access.role("editor"),
      bodyLimit: BUNDLE_LIMIT_BYTES,
      schema: {
        tags,
        response: { 200: ImportPlanSchema },
        summary: "Say what importing a bundle would change",
        params,
        body: ImportRequestSchema,
      },
    },
    async ({ params: at, body }): Promise<ImportPlan> => {
      const { workspace } = control;
      const plan = planImport(projectOf(workspace, at.project), body, timeText(now()));
      if ("code" in plan) throw new ProblemError(plan.code, plan.data);
      rehearse(workspace, decide(workspace, at, { ...body, plan: plan.plan }, now()), compile);
      return plan;
    },
  );

  app.post<{ Params: ProjectParams; Body: ImportDraft }>(
    `${one}/import`,
    {
      onRequest: access.role("editor"),
      bodyLimit: BUNDLE_LIMIT_BYTES,
      schema: {
        tags,
        response: { 200: ImportResultSchema },
        summary: "Import a bundle as planned: all of it or nothing",
        params,
        body: ImportDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace, at) => decide(workspace, request.params, request.body, at),
      }),
  );
};

function decide(
  workspace: Workspace,
  { project }: ProjectParams,
  draft: ImportDraft,
  now: number,
): ReturnType<typeof importBundle> {
  return importBundle(projectOf(workspace, project), draft, timeText(now));
}

const timeText = (ms: number): string => new Date(ms).toISOString();
