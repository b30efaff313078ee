import type {
  DecisionDraft,
  ExperimentCreation,
  ExperimentEdit,
  ExperimentStatus,
  Forecast,
  ForecastRequest,
  Look,
  Phase,
} from "@belay/protocol";
import {
  DecisionDraftSchema,
  ExperimentCreationSchema,
  ExperimentEditSchema,
  ExperimentSchema,
  ForecastRequestSchema,
  ForecastSchema,
  LooksSchema,
  oneOf,
  pageSchema,
  ReasonSchema,
  type Schema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { type PageQuery, pageFields, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { ResultsService } from "../results/service.ts";
import type { ExperimentDocument, Held, ProjectState } from "../state/workspace.ts";
import type { EventStore } from "../store/events/index.ts";
import { createExperiment, decideExperiment, editExperiment, experimentView, startExperiment, stopExperiment } from "./domain.ts";
import { forecastOf } from "./forecast.ts";
import { phasesSince } from "./past-phases.ts";
import { type Recent, recentOf } from "./recent.ts";

export interface ExperimentDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly events: Pick<EventStore, "pull">;
  /** Phases are read from what was committed. */
  readonly log: Parameters<typeof phasesSince>[0];
  readonly now: () => number;
  readonly results: Pick<ResultsService, "advice">;
}

interface ProjectParams {
  readonly project: string;
}

interface ExperimentParams extends ProjectParams {
  readonly experiment: string;
}

interface ExperimentListQuery extends PageQuery {
  readonly status?: ExperimentStatus;
  readonly environment?: string;
  readonly flag?: string;
}

const STATUSES: readonly ExperimentStatus[] = ["draft", "running", "stopped", "decided"];

const ListQuerySchema: Schema<ExperimentListQuery> = Type.Unsafe<ExperimentListQuery>(
  Type.Object(
    {
      ...pageFields(),
      status: Type.Optional(oneOf(STATUSES)),
      environment: Type.Optional(Type.String({ maxLength: 128 })),
      flag: Type.Optional(Type.String({ maxLength: 128 })),
    },
    { additionalProperties: false },
  ),
);

const tags: readonly string[] = ["experiments"];
const FORECAST_DAYS = 7;

const all = "/api/v1/projects/:project/experiments";
const one: string = `${all}/:experiment`;
const params: Schema<ExperimentParams> = pathParams("project", "experiment");

/** Experiments from the first draft to the decision. */
export const experimentRoutes: FastifyPluginAsync<ExperimentDoors> = async (app, doors) => {
  definitionRoutes(app, doors);
  lifeRoutes(app, doors);
  foresightRoutes(app, doors);
};

function definitionRoutes(app: FastifyInstance, { access, control }: ExperimentDoors): void {
  app.get<{ Params: ProjectParams; Querystring: ExperimentListQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(ExperimentSchema) },
        summary: "List experiments",
        params: pathParams("project"),
        querystring: ListQuerySchema,
      },
    },
    async ({ params: { project }, query, actor }) => {
      const { experiments } = projectOf(control.workspace, project);
      const found = [...experiments].filter(
        ([, { body }]) => actor !== undefined && reaches(actor, body.environment) && isListed(body, query),
      );
      const views = found.map(([key, held]) => experimentView(project, key, held));
      return pageByKey("experiments", views, query);
    },
  );

  app.post<{ Params: ProjectParams; Body: ExperimentCreation }>(
    all,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 201: ExperimentSchema },
        summary: "Draft an experiment on a flag's split",
        params: pathParams("project"),
        body: ExperimentCreationSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, at) => createExperiment(projectOf(workspace, request.params.project), request.body, timeText(at)),
      }),
  );

  app.get<{ Params: ExperimentParams }>(
    one,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: ExperimentSchema }, summary: "Read an experiment", params },
    },
    async (request, reply) => {
      const { held } = seen(control, request);
      reply.header("etag", etagOf(held.revision));
      return experimentView(request.params.project, request.params.experiment, held);
    },
  );

  app.patch<{ Params: ExperimentParams; Body: ExperimentEdit }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: ExperimentSchema },
        summary: "Edit a draft; once started only owner, tags and alert route",
        params,
        body: ExperimentEditSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: experimentPrecondition(request.params),
        decide: (workspace) => editExperiment(stateOf(workspace, request.params), request.params.experiment, request.body),
      }),
  );
}

function lifeRoutes(app: FastifyInstance, doors: ExperimentDoors): void {
  const { access, control, results } = doors;

  app.post<{ Params: ExperimentParams; Body: { reason?: string } }>(
    `${one}/start`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: ExperimentSchema },
        summary: "Start an experiment: freezes its definition, metrics and prediction",
        params,
        body: ReasonSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: experimentPrecondition(request.params),
        decide: (workspace, at) => startExperiment(stateOf(workspace, request.params), request.params.experiment, timeText(at)),
      }),
  );

  app.post<{ Params: ExperimentParams; Body: { reason?: string } }>(
    `${one}/stop`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: ExperimentSchema },
        summary: "Stop looking at an experiment; the flag goes on as it decides",
        params,
        body: ReasonSchema,
      },
    },
    async (request, reply) => {
      const opened = await openedSince(doors, request);
      return answerWrite(control, request, reply, {
        precondition: experimentPrecondition(request.params),
        decide: (workspace, at) =>
          stopExperiment(stateOf(workspace, request.params), request.params.experiment, { at: timeText(at), opened }),
      });
    },
  );

  app.post<{ Params: ExperimentParams; Body: DecisionDraft }>(
    `${one}/decide`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: ExperimentSchema },
        summary: "Record what was decided and why; against the advice of the results only with `againstAdvice`",
        params,
        body: DecisionDraftSchema,
      },
    },
    async (request, reply) => {
      const { project, experiment } = request.params;
      seen(control, request);
      const [advice, opened] = [await results.advice({ project, experiment }), await openedSince(doors, request)];
      return answerWrite(control, request, reply, {
        precondition: experimentPrecondition(request.params),
        decide: (workspace, at) =>
          decideExperiment(stateOf(workspace, request.params), experiment, request.body, {
            at: timeText(at),
            by: request.actor?.name ?? "",
            advice,
            opened,
          }),
      });
    },
  );
}

/** Phases nobody noticed yet: after the end nobody would look for them. */
async function openedSince(
  { control, log }: Pick<ExperimentDoors, "control" | "log">,
  request: FastifyRequest<{ Params: ExperimentParams }>,
): Promise<readonly Phase[]> {
  const { body: document } = seen(control, request).held;
  return document.status === "running" ? phasesSince(log, { ...request.params, document }) : [];
}

/** What it could see, and what was looked at. */
function foresightRoutes(app: FastifyInstance, doors: ExperimentDoors): void {
  const { access, control } = doors;

  app.post<{ Params: ExperimentParams; Body: ForecastRequest }>(
    `${one}/forecast`,
    {
      onRequest: access.role("analyst"),
      schema: {
        tags,
        response: { 200: ForecastSchema },
        summary: "How long it would run, what it could see, and which running experiments share its units",
        params,
        body: ForecastRequestSchema,
      },
    },
    async (request): Promise<Forecast> => {
      const { params: of, body } = request;
      const { held, state } = seen(control, request);
      const recent = await recentFor(doors, of.project, state, held.body, body);
      return forecastOf(state, of.experiment, held.body, { request: body, recent });
    },
  );

  app.get<{ Params: ExperimentParams }>(
    `${one}/looks`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: LooksSchema },
        summary: "The look ledger: every look of the scheduler, with what it used up",
        params,
      },
    },
    async (request): Promise<{ readonly items: readonly Look[] }> => {
      const { state } = seen(control, request);
      return { items: state.looks.get(request.params.experiment)?.body.looks ?? [] };
    },
  );
}

/** Reads events only where the request leaves something to be read off. */
async function recentFor(
  { events, now }: Pick<ExperimentDoors, "events" | "now">,
  project: string,
  { metrics }: ProjectState,
  { environment, flag, metrics: { primary } }: ExperimentDocument,
  { days = FORECAST_DAYS, unitsPerDay, baselines = {} }: ForecastRequest,
): Promise<Recent | undefined> {
  const open = primary.filter((metric) => !Object.hasOwn(baselines, metric));
  if (unitsPerDay !== undefined && open.length === 0) return undefined;
  const asked = open.flatMap((key) => {
    const body = metrics.get(key)?.body;
    return body === undefined ? [] : [{ key, measure: body.measure, window: body.window }];
  });
  return recentOf(events, { project, environment, flag, days, metrics: asked }, now());
}

/** The experiment of a path as the caller may see it: one in an environment out of its scope is not there. */
export function seen(
  control: Pick<ControlPlane, "workspace">,
  { params: { project, experiment }, actor }: FastifyRequest<{ Params: ExperimentParams }>,
): { readonly state: ProjectState; readonly held: Held<ExperimentDocument> } {
  const state = projectOf(control.workspace, project);
  const held = state.experiments.get(experiment);
  if (held === undefined || actor === undefined || !reaches(actor, held.body.environment)) {
    throw new ProblemError("experiment_not_found", { key: experiment });
  }
  return { state, held };
}

function isListed({ status, environment, flag }: ExperimentDocument, query: ExperimentListQuery): boolean {
  if (query.status !== undefined && query.status !== status) return false;
  return (query.environment ?? environment) === environment && (query.flag ?? flag) === flag;
}

function stateOf(workspace: ControlPlane["workspace"], { project }: ProjectParams): ProjectState {
  return projectOf(workspace, project);
}

function experimentPrecondition({ project, experiment }: ExperimentParams): TargetPrecondition {
  return projectPrecondition({ project, kind: "experiment", key: experiment }, ({ experiments }) => experiments.get(experiment));
}

const timeText = (ms: number): string => new Date(ms).toISOString();
