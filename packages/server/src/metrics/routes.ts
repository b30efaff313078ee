import { isDeepStrictEqual } from "node:util";
import type {
  Measure,
  MeasureDraft,
  MetricCreation,
  MetricEdit,
  MetricPreview,
  MetricPreviewRequest,
  MetricWindow,
} from "@belay/protocol";
import {
  MetricCreationSchema,
  MetricEditSchema,
  MetricPreviewRequestSchema,
  MetricPreviewSchema,
  MetricSchema,
  MetricUseSchema,
  pageSchema,
  ReasonSchema,
  type Schema,
} from "@belay/protocol/schemas";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { environmentOf, type PageQuery, PageQuerySchema, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { EventStore } from "../store/events/index.ts";
import { asDrafted, withCap } from "./cap.ts";
import { archiveMetric, createMetric, definitionFault, editMetric, metricView, selectionsOf, usesOfMetric } from "./domain.ts";
import { previewMetric } from "./preview.ts";

export interface MetricDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly events: Pick<EventStore, "pull" | "estimate">;
  readonly now: () => number;
}

interface MetricParams {
  readonly project: string;
  readonly metric: string;
}

const tags: readonly string[] = ["metrics"];

const all = "/api/v1/projects/:project/metrics";
const one: string = `${all}/:metric`;
const params: Schema<MetricParams> = pathParams("project", "metric");

/** How numbers are made from metric events: defined once per project, looked at before they are saved. */
export const metricRoutes: FastifyPluginAsync<MetricDoors> = async (app, doors) => {
  definingRoutes(app, doors);
  keepingRoutes(app, doors);
};

function definingRoutes(app: FastifyInstance, doors: MetricDoors): void {
  const { access, control, events, now } = doors;

  app.get<{ Params: { project: string }; Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(MetricSchema) },
        summary: "List metrics",
        params: pathParams("project"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, query }) => {
      const { metrics } = projectOf(control.workspace, project);
      const views = [...metrics].map(([key, held]) => metricView(project, key, held));
      return pageByKey("metrics", views, query);
    },
  );

  app.post<{ Params: { project: string }; Body: MetricCreation }>(
    all,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 201: MetricSchema },
        summary: "Define a metric; refused when no event of the last 7 days fits it, unless `unseen` is true",
        params: pathParams("project"),
        body: MetricCreationSchema,
      },
    },
    async (request, reply) => {
      const { params: of, body } = request;
      await assertSeen(doors, of.project, body.measure, body.unseen);
      const measure = await withCap(events, { project: of.project, measure: body.measure, window: body.window ?? {} }, now());
      return answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, at) =>
          createMetric(projectOf(workspace, of.project), { ...body, measure }, new Date(at).toISOString()),
      });
    },
  );

  app.post<{ Params: { project: string }; Body: MetricPreviewRequest }>(
    `${all}/preview`,
    {
      onRequest: access.role("analyst"),
      schema: {
        tags,
        response: { 200: MetricPreviewSchema },
        summary: "How many units and values a metric would have had in the last days",
        params: pathParams("project"),
        body: MetricPreviewRequestSchema,
      },
    },
    async ({ params: { project }, body: { environment, measure, days }, actor }): Promise<MetricPreview> => {
      const fault = definitionFault({ measure, window: { toHours: 1 } });
      if (fault !== undefined) throw new ProblemError(fault.code, fault.data);
      if (environment !== undefined) environmentOf(projectOf(control.workspace, project), environment);
      if (environment !== undefined && actor !== undefined && !reaches(actor, environment)) {
        throw new ProblemError("environment_not_found", { field: "environment", key: environment });
      }
      const environments = environment === undefined ? actor?.environments : [environment];
      const question = { project, measure, ...(days === undefined ? {} : { days }) };
      return previewMetric(events, { ...question, ...(environments === undefined ? {} : { environments }) }, now());
    },
  );
}

/** Of metrics that are there. */
function keepingRoutes(app: FastifyInstance, doors: MetricDoors): void {
  const { access, control } = doors;

  app.get<{ Params: MetricParams }>(
    one,
    { onRequest: access.role("viewer"), schema: { tags, response: { 200: MetricSchema }, summary: "Read a metric", params } },
    async ({ params: { project, metric } }, reply) => {
      const held = projectOf(control.workspace, project).metrics.get(metric);
      if (held === undefined) throw new ProblemError("metric_not_found", { key: metric });
      reply.header("etag", etagOf(held.revision));
      return metricView(project, metric, held);
    },
  );

  app.patch<{ Params: MetricParams; Body: MetricEdit }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: MetricSchema },
        summary: "Edit a metric: a new version where what is measured changes; started experiments keep theirs",
        params,
        body: MetricEditSchema,
      },
    },
    async (request, reply) => {
      const { params: of, body } = request;
      await assertSeen(doors, of.project, body.measure, body.unseen);
      const { measure: draft, ...edit } = body;
      const measure = await editedMeasure(doors, of, draft, body.window);
      return answerWrite(control, request, reply, {
        precondition: metricPrecondition(of),
        decide: (workspace) =>
          editMetric(projectOf(workspace, of.project), of.metric, { ...edit, ...(measure === undefined ? {} : { measure }) }),
      });
    },
  );

  for (const [verb, archived] of [
    ["archive", true],
    ["restore", false],
  ] as const) {
    app.post<{ Params: MetricParams; Body: { reason?: string } }>(
      `${one}/${verb}`,
      {
        onRequest: access.role("editor"),
        schema: {
          tags,
          response: { 200: MetricSchema },
          summary: archived ? "Archive a metric that no draft or running experiment uses" : "Bring an archived metric back",
          params,
          body: ReasonSchema,
        },
      },
      async (request, reply) =>
        answerWrite(control, request, reply, {
          precondition: metricPrecondition(request.params),
          decide: (workspace) => archiveMetric(projectOf(workspace, request.params.project), request.params.metric, archived),
        }),
    );
  }

  app.get<{ Params: MetricParams; Querystring: PageQuery }>(
    `${one}/uses`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(MetricUseSchema) },
        summary: "Experiments that measure by a metric",
        params,
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project, metric }, query, actor }) => {
      const state = projectOf(control.workspace, project);
      if (!state.metrics.has(metric)) throw new ProblemError("metric_not_found", { key: metric });
      const uses = usesOfMetric(state, metric).filter(({ environment }) => actor !== undefined && reaches(actor, environment));
      return pageByKey(`uses-of-${metric}`, uses, query);
    },
  );
}

type Reading = Pick<MetricDoors, "events" | "now">;

/** @throws ProblemError where no event of the last days fits a selection: usually a name with a typo. */
async function assertSeen(
  { events, now }: Reading,
  project: string,
  measure: MeasureDraft | undefined,
  unseen: boolean | undefined,
): Promise<void> {
  const fault = measure === undefined ? undefined : definitionFault({ measure, window: { toHours: 1 } });
  if (measure === undefined || unseen === true || fault !== undefined) return;
  const { from, selections } = await previewMetric(events, { project, measure }, now());
  for (const [index, { field, needsValue }] of selectionsOf(measure).entries()) {
    const found = selections[index];
    if (found === undefined || (needsValue ? found.values : found.events) > 0) continue;
    throw new ProblemError("metric_unseen", { field, since: from, reason: unseenReason(found), preview: { ...found } });
  }
}

/** What an edit measures. A cap that was read off for one window is read off anew for another. */
async function editedMeasure(
  { control, events, now }: Reading & Pick<MetricDoors, "control">,
  { project, metric }: MetricParams,
  draft: MeasureDraft | undefined,
  window: MetricWindow | undefined,
): Promise<Measure | undefined> {
  const held = projectOf(control.workspace, project).metrics.get(metric)?.body;
  const isMoved = held !== undefined && window !== undefined && !isDeepStrictEqual(window, held.window);
  const measure = draft ?? (isMoved ? asDrafted(held.measure) : undefined);
  return measure && (await withCap(events, { project, measure, window: window ?? held?.window ?? {} }, now()));
}

function unseenReason({ named, events }: MetricPreview["selections"][number]): string {
  if (named === 0) return "there is no event of that name";
  if (events === 0) return `none of ${named} events of that name passes the filters`;
  return `none of ${events} events has a number where the value is read`;
}

function metricPrecondition({ project, metric }: MetricParams): TargetPrecondition {
  return projectPrecondition({ project, kind: "metric", key: metric }, ({ metrics }) => metrics.get(metric));
}
