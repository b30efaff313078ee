import type { LearningReport, Uncovered } from "@belay/protocol";
import { LearningReportSchema, oneOf, type Schema, UncoveredListSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { type ExperimentPulse, expectedOf, silencesOf } from "../experiments/pulse.ts";
import { pathParams, projectOf } from "../http/params.ts";
import type { ReleaseDesk } from "../releases/desk.ts";
import { PAGE_POLICY } from "../releases/page.ts";
import type { EventStore } from "../store/events/index.ts";
import { learningReport } from "./gather.ts";
import { learningPage } from "./page.ts";

export interface LearningDoors {
  readonly access: Pick<Access, "role">;
  readonly control: Pick<ControlPlane, "workspace">;
  readonly desk: Pick<ReleaseDesk, "tower">;
  readonly pulse: Pick<ExperimentPulse, "heard" | "uncovered">;
  readonly events: Pick<EventStore, "ledger">;
  readonly now: () => number;
}

type Format = "json" | "html";

interface LearningQuery {
  readonly days?: number;
  readonly format?: Format;
}

const LearningQuerySchema: Schema<LearningQuery> = Type.Object(
  {
    days: Type.Optional(Type.Integer({ minimum: 1, maximum: 400, description: "Back from now; 90 when absent" })),
    format: Type.Optional(oneOf<Format>(["json", "html"])),
  },
  { additionalProperties: false },
);

const DAYS = 90;
const DAY_MS = 86_400_000;

/** How well a project learns, and what nobody watches. */
export const learningRoutes: FastifyPluginAsync<LearningDoors> = async (app, { access, control, desk, pulse, events, now }) => {
  const base = "/api/v1/projects/:project";
  const params = pathParams("project");

  app.get<{ Params: { project: string }; Querystring: LearningQuery }>(
    `${base}/learning`,
    {
      onRequest: access.role("viewer"),
      exposeHeadRoute: false,
      schema: {
        tags: ["learning"],
        summary: "How fast and how well a project learns, each figure with the cases behind it; as JSON or a page",
        params,
        querystring: LearningQuerySchema,
        response: {
          200: {
            description: "The figures",
            content: { "application/json": { schema: LearningReportSchema }, "text/html": { schema: Type.String() } },
          },
        },
      },
    },
    async (request, reply) => {
      const { days = DAYS, format = "json" } = request.query;
      const report = await reportOf(request.params.project, days, (environment) => {
        return request.actor !== undefined && reaches(request.actor, environment);
      });
      reply.header("cache-control", "no-store");
      if (format === "json") return reply.type("application/json; charset=utf-8").send(report);
      return reply.type("text/html; charset=utf-8").header("content-security-policy", PAGE_POLICY).send(learningPage(report));
    },
  );

  app.get<{ Params: { project: string } }>(
    `${base}/uncovered`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: ["learning"],
        summary: "List live releases and running experiments that nobody watches: none, always",
        params,
        response: { 200: UncoveredListSchema },
      },
    },
    async ({ params: { project }, actor }): Promise<{ items: readonly Uncovered[] }> => ({
      items: uncovered().filter((one) => one.project === project && actor !== undefined && reaches(actor, one.environment)),
    }),
  );

  function uncovered(): Uncovered[] {
    const releases = desk.tower.uncovered().map((id): Uncovered => ({ kind: "release", ...id, because: "not-watched" }));
    return [...releases, ...pulse.uncovered()];
  }

  async function reportOf(key: string, days: number, isVisible: (environment: string) => boolean): Promise<LearningReport> {
    const project = projectOf(control.workspace, key);
    const to = now();
    const missing = uncovered();
    return learningReport({
      project,
      lines: await events.ledger({ project: key }),
      window: { from: to - days * DAY_MS, to },
      isVisible,
      gapOf: (kind, environment, name) => {
        const found = missing.find(
          (one) => one.kind === kind && one.project === key && one.environment === environment && one.key === name,
        );
        if (found !== undefined) return found.because;
        if (kind === "release") return silentRelease(key, environment, name);
        const document = project.experiments.get(name)?.body;
        return document === undefined
          ? undefined
          : silencesOf(expectedOf(project, name, document), pulse.heard(key, name), to)[0];
      },
    });
  }

  /** A release whose data stopped says so itself, and holds. */
  function silentRelease(project: string, environment: string, name: string): string | undefined {
    const body = control.workspace.projects.get(project)?.environments.get(environment)?.releases.get(name)?.body;
    const silent = body?.reasons.find(({ code }) => code === "data-missing");
    return silent === undefined ? undefined : `nothing heard of ${silent.subject ?? "it"}`;
  }
};
