import type { FlagCreation, FlagEdit, RolloutDraft, TargetingDraft } from "@belay/protocol";
import {
  EnabledDraftSchema,
  FlagCreationSchema,
  FlagEditSchema,
  ReasonSchema,
  RolloutDraftSchema,
  type Schema,
  TargetingDraftSchema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane, Precondition } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { environmentOf, type PageQuery, PageQuerySchema, pageFields, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { FlagDocument, Held, ProjectState, Workspace } from "../state/workspace.ts";
import { archiveFlag, createFlag, editFlag, flagNotFound } from "./domain.ts";
import { rolloutState } from "./rollout.ts";
import { type FillRandom, newSpaces } from "./salts.ts";
import { type Place, putTargeting, setEnabled, setRollout } from "./targeting.ts";
import { flagView, targetingView } from "./views.ts";

export interface FlagDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly fillRandom: FillRandom;
}

interface FlagListQuery extends PageQuery {
  readonly archived?: boolean;
  readonly tag?: string;
  readonly kind?: string;
  readonly q?: string;
}

const FlagListQuerySchema: Schema<FlagListQuery> = Type.Unsafe<FlagListQuery>(
  Type.Object(
    {
      ...pageFields(),
      archived: Type.Optional(Type.Boolean({ description: "Archived flags instead of live ones" })),
      tag: Type.Optional(Type.String()),
      kind: Type.Optional(Type.String()),
      q: Type.Optional(Type.String({ description: "Part of the key or the description" })),
    },
    { additionalProperties: false },
  ),
);

interface FlagParams {
  readonly project: string;
  readonly flag: string;
}

interface PlaceParams extends FlagParams {
  readonly environment: string;
}

/** What all environments share of a flag, and how it decides in each. */
export const flagRoutes: FastifyPluginAsync<FlagDoors> = async (app, doors) => {
  sharedRoutes(app, doors);
  targetingRoutes(app, doors);
};

function sharedRoutes(app: FastifyInstance, { access, control, fillRandom }: FlagDoors): void {
  const flags = "/api/v1/projects/:project/flags";
  const one = `${flags}/:flag`;
  const project = (key: string): ProjectState => projectOf(control.workspace, key);

  app.get<{ Params: { project: string }; Querystring: FlagListQuery }>(
    flags,
    {
      onRequest: access.role("viewer"),
      schema: { tags: ["flags"], summary: "List flags", params: pathParams("project"), querystring: FlagListQuerySchema },
    },
    async ({ params, query }) => {
      const { key, flags: all } = project(params.project);
      const found = [...all].filter(([flag, { body }]) => isListed(flag, body, query));
      return pageByKey(
        "flags",
        found.map(([flag, held]) => flagView(key, flag, held)),
        query,
      );
    },
  );

  app.post<{ Params: { project: string }; Body: FlagCreation }>(
    flags,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: ["flags"],
        summary: "Create a flag, off everywhere",
        params: pathParams("project"),
        body: FlagCreationSchema,
      },
    },
    async (request, reply) => {
      const spaces = newSpaces(fillRandom, request.body.by);
      return answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, now) =>
          createFlag(projectOf(workspace, request.params.project), request.body, {
            spaces,
            createdAt: new Date(now).toISOString(),
          }),
      });
    },
  );

  app.get<{ Params: FlagParams }>(
    one,
    {
      onRequest: access.role("viewer"),
      schema: { tags: ["flags"], summary: "Read a flag", params: pathParams("project", "flag") },
    },
    async ({ params }, reply) => {
      const state = project(params.project);
      const held = heldFlag(state, params.flag);
      reply.header("etag", etagOf(held.revision));
      return flagView(state.key, params.flag, held);
    },
  );

  app.patch<{ Params: FlagParams; Body: FlagEdit }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: ["flags"],
        summary: "Edit what all environments share of a flag",
        params: pathParams("project", "flag"),
        body: FlagEditSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: flagPrecondition(request.params),
        decide: (workspace) => editFlag(projectOf(workspace, request.params.project), request.params.flag, request.body),
      }),
  );

  for (const [verb, archived] of [
    ["archive", true],
    ["restore", false],
  ] as const) {
    app.post<{ Params: FlagParams; Body: { reason?: string } }>(
      `${one}/${verb}`,
      {
        onRequest: access.role("editor"),
        schema: {
          tags: ["flags"],
          summary: archived ? "Archive a flag: SDKs no longer know it" : "Bring an archived flag back as it was",
          params: pathParams("project", "flag"),
          body: ReasonSchema,
        },
      },
      async (request, reply) =>
        answerWrite(control, request, reply, {
          precondition: flagPrecondition(request.params),
          decide: (workspace) => archiveFlag(projectOf(workspace, request.params.project), request.params.flag, archived),
        }),
    );
  }
}

function targetingRoutes(app: FastifyInstance, { access, control }: FlagDoors): void {
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
        tags: ["targeting"],
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
      schema: { tags: ["targeting"], summary: "Read how a flag decides in an environment", params },
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
        tags: ["targeting"],
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
    { onRequest: access.role("viewer"), schema: { tags: ["targeting"], summary: "Read where a rollout stands", params } },
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
        tags: ["targeting"],
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
      schema: { tags: ["targeting"], summary: "Switch a flag on or off, its rules untouched", params, body: EnabledDraftSchema },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: targetingPrecondition(request.params),
        decide: (workspace) => setEnabled(placeOf(workspace, request.params), request.body.enabled),
      }),
  );
}

function placeOf(workspace: Workspace, { project: projectKey, environment, flag }: PlaceParams): Place {
  const project = projectOf(workspace, projectKey);
  return { project, environment: environmentOf(project, environment), flag };
}

function heldFlag(project: ProjectState, key: string): Held<FlagDocument> {
  const held = project.flags.get(key);
  if (held !== undefined) return held;
  const { code, data } = flagNotFound(project, key);
  throw new ProblemError(code, data);
}

function isListed(key: string, flag: FlagDocument, { archived = false, tag, kind, q }: FlagListQuery): boolean {
  if (flag.archived !== archived || (tag !== undefined && !flag.tags.includes(tag)) || (kind !== undefined && flag.kind !== kind))
    return false;
  return q === undefined || `${key}\n${flag.description}`.toLowerCase().includes(q.toLowerCase());
}

function flagPrecondition({ project, flag }: FlagParams): Omit<Precondition, "revision"> {
  return {
    target: { project, kind: "flag", key: flag },
    current: ({ projects }) => {
      const state = projects.get(project);
      const held = state?.flags.get(flag);
      return state === undefined || held === undefined ? undefined : { changed: held.revision, stream: state.revision };
    },
  };
}

function targetingPrecondition({ project, environment, flag }: PlaceParams): Omit<Precondition, "revision"> {
  return {
    target: { project, environment, kind: "flag", key: flag },
    current: ({ projects }) => {
      const state = projects.get(project)?.environments.get(environment);
      const held = state?.targetings.get(flag);
      return state === undefined || held === undefined ? undefined : { changed: held.revision, stream: state.revision };
    },
  };
}
