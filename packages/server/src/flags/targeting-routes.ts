import type { RolloutDraft, TargetingDraft } from "@belay/protocol";
import {
  EnabledDraftSchema,
  FlagTargetingSchema,
  pageSchema,
  RolloutDraftSchema,
  RolloutReadSchema,
  RolloutResultSchema,
  TargetingDraftSchema,
} from "@belay/protocol/schemas";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { environmentPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { environmentOf, type PageQuery, PageQuerySchema, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { Workspace } from "../state/workspace.ts";
import { rolloutState } from "./rollout.ts";
import { type FlagParams, heldFlag } from "./routes.ts";
import { type Place, putTargeting, setEnabled, setRollout } from "./targeting.ts";
import { targetingView } from "./views.ts";

export interface TargetingDoors {
  readonly access: Access;
  readonly control: ControlPlane;
}

export interface PlaceParams extends FlagParams {
  readonly environment: string;
}

const tags: readonly string[] = ["targeting"];

/** How a flag decides in one environment: whole, its rollout, and its switch. */
export const targetingRoutes: FastifyPluginAsync<TargetingDoors> = async (app, { access, control }) => {
  const all = "/api/v1/projects/:project/environments/:environment/flags";
  const one = `${all}/:flag`;
  const params = pathParams("project", "environment", "flag");
  const read = (at: PlaceParams) => {
    const place = placeOf(control.workspace, at);
    const held = place.environment.targetings.get(place.flag);
    heldFlag(place.project, place.flag);
    if (held === undefined) throw new ProblemError("flag_not_found", { key: at.flag });
    return { ...place, held };
  };

  app.get<{ Params: Omit<PlaceParams, "flag">; Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(FlagTargetingSchema) },
        summary: "List how live flags decide in an environment",
        params: pathParams("project", "environment"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: at, query }) => {
      const project = projectOf(control.workspace, at.project);
      const environment = environmentOf(project, at.environment);
      const live = [...environment.targetings].filter(([flag]) => project.flags.get(flag)?.body.archived === false);
      const views = live.map(([flag, held]) => ({ key: flag, ...targetingView(project, environment, flag, held) }));
      const { items, ...page } = pageByKey("targetings", views, query);
      return { items: items.map(({ key: _, ...view }) => view), ...page };
    },
  );

  app.get<{ Params: PlaceParams }>(
    one,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: FlagTargetingSchema }, summary: "Read how a flag decides in an environment", params },
    },
    async (request, reply) => {
      const { project, environment, flag, held } = read(request.params);
      reply.header("etag", etagOf(held.revision));
      return targetingView(project, environment, flag, held);
    },
  );

  app.put<{ Params: PlaceParams; Body: TargetingDraft }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: FlagTargetingSchema },
        summary: "Replace how a flag decides in an environment",
        params,
        body: TargetingDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: targetingPrecondition(request.params),
        decide: (workspace) => putTargeting(placeOf(workspace, request.params), request.body),
      }),
  );

  app.get<{ Params: PlaceParams }>(
    `${one}/rollout`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: RolloutReadSchema },
        summary: "Read where a rollout stands; without a variant there is none, and the targeting says who gets what",
        params,
      },
    },
    async (request, reply) => {
      const { project, environment, flag, held } = read(request.params);
      const state = rolloutState(held.body) ?? { percentage: 0 };
      reply.header("etag", etagOf(held.revision));
      return {
        project: project.key,
        environment: environment.key,
        flag,
        ...state,
        enabled: held.body.enabled,
        revision: held.revision,
      };
    },
  );

  app.put<{ Params: PlaceParams; Body: RolloutDraft }>(
    `${one}/rollout`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: RolloutResultSchema },
        summary: "Set the percentage of units that get a variant",
        params,
        body: RolloutDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: targetingPrecondition(request.params),
        decide: (workspace) => setRollout(placeOf(workspace, request.params), request.body),
      }),
  );

  app.put<{ Params: PlaceParams; Body: { enabled: boolean } }>(
    `${one}/enabled`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: FlagTargetingSchema },
        summary: "Switch a flag on or off, its rules untouched",
        params,
        body: EnabledDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: targetingPrecondition(request.params),
        decide: (workspace) => setEnabled(placeOf(workspace, request.params), request.body.enabled),
      }),
  );
};

/** @throws ProblemError when the project or the environment is not there. */
export function placeOf(workspace: Workspace, { project: projectKey, environment, flag }: PlaceParams): Place {
  const project = projectOf(workspace, projectKey);
  return { project, environment: environmentOf(project, environment), flag };
}

/** What `If-Match` is about where a targeting is written. */
export function targetingPrecondition({ project, environment, flag }: PlaceParams): TargetPrecondition {
  return environmentPrecondition({ project, environment, kind: "flag", key: flag }, ({ targetings }) => targetings.get(flag));
}
