import type { Flag, FlagCreation, FlagEdit, ReshuffleDraft, StaleReasonCode } from "@belay/protocol";
import {
  FlagCreationSchema,
  FlagEditSchema,
  FlagSchema,
  pageSchema,
  ReasonSchema,
  ReshuffleDraftSchema,
  type Schema,
  StaleReasonCodeSchema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { type PageQuery, pageFields, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { FlagDocument, Held, ProjectState } from "../state/workspace.ts";
import { archiveFlag, createFlag, editFlag, flagNotFound } from "./domain.ts";
import { reshuffleFlag } from "./reshuffle.ts";
import { type FillRandom, newSpaces } from "./salts.ts";
import { flagView } from "./views.ts";

export interface FlagDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly fillRandom: FillRandom;
}

interface FlagListQuery extends PageQuery {
  readonly archived?: boolean;
  readonly tag?: string;
  readonly kind?: string;
  readonly owner?: string;
  readonly clientSide?: boolean;
  readonly stale?: StaleReasonCode | "any";
  readonly q?: string;
}

const FlagListQuerySchema: Schema<FlagListQuery> = Type.Unsafe<FlagListQuery>(
  Type.Object(
    {
      ...pageFields(),
      archived: Type.Optional(Type.Boolean({ description: "Archived flags instead of live ones" })),
      tag: Type.Optional(Type.String()),
      kind: Type.Optional(Type.String()),
      owner: Type.Optional(Type.String()),
      clientSide: Type.Optional(Type.Boolean({ description: "Only flags that browsers may see, or only others" })),
      stale: Type.Optional(
        Type.Union([Type.Literal("any"), StaleReasonCodeSchema], { description: "Only stale flags, or those with this reason" }),
      ),
      q: Type.Optional(Type.String({ description: "Part of the key or the description" })),
    },
    { additionalProperties: false },
  ),
);

export interface FlagParams {
  readonly project: string;
  readonly flag: string;
}

/** What all environments share of a flag. */
export const flagRoutes: FastifyPluginAsync<FlagDoors> = async (app, { access, control, fillRandom }) => {
  const flags = "/api/v1/projects/:project/flags";
  const one = `${flags}/:flag`;
  const project = (key: string): ProjectState => projectOf(control.workspace, key);

  app.get<{ Params: { project: string }; Querystring: FlagListQuery }>(
    flags,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: ["flags"],
        response: { 200: pageSchema(FlagSchema) },
        summary: "List flags",
        params: pathParams("project"),
        querystring: FlagListQuerySchema,
      },
    },
    async ({ params, query }) => {
      const state = project(params.project);
      const found = [...state.flags].filter(([flag, { body }]) => isListed(state, flag, body, query));
      return pageByKey(
        "flags",
        found.map(([flag, held]) => flagWithStale(state, flag, held)),
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
        response: { 201: FlagSchema },
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
      schema: { tags: ["flags"], response: { 200: FlagSchema }, summary: "Read a flag", params: pathParams("project", "flag") },
    },
    async ({ params }, reply) => {
      const state = project(params.project);
      const held = heldFlag(state, params.flag);
      reply.header("etag", etagOf(held.revision));
      return flagWithStale(state, params.flag, held);
    },
  );

  app.patch<{ Params: FlagParams; Body: FlagEdit }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: ["flags"],
        response: { 200: FlagSchema },
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

  app.post<{ Params: FlagParams; Body: ReshuffleDraft }>(
    `${one}/reshuffle`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: ["flags"],
        response: { 200: FlagSchema },
        summary: "Draw anew who takes part in a flag and who gets what, in all environments; preview it first",
        params: pathParams("project", "flag"),
        body: ReshuffleDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: flagPrecondition(request.params),
        decide: (workspace) => reshuffleFlag(projectOf(workspace, request.params.project), request.params.flag, request.body),
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
          response: { 200: FlagSchema },
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
};

/** @throws ProblemError with the nearest key there is. */
export function heldFlag(project: ProjectState, key: string): Held<FlagDocument> {
  const held = project.flags.get(key);
  if (held !== undefined) return held;
  const { code, data } = flagNotFound(project, key);
  throw new ProblemError(code, data);
}

function isListed({ stale }: ProjectState, key: string, flag: FlagDocument, query: FlagListQuery): boolean {
  const { archived = false, tag, kind, owner, clientSide, stale: reason, q } = query;
  if (flag.archived !== archived || (tag !== undefined && !flag.tags.includes(tag))) return false;
  if (kind !== undefined && flag.kind !== kind) return false;
  if (owner !== undefined && flag.owner !== owner) return false;
  if (clientSide !== undefined && flag.clientSide !== clientSide) return false;
  const codes = stale.get(key)?.body.reasons.map(({ code }) => code) ?? [];
  if (reason !== undefined && (reason === "any" ? codes.length === 0 : !codes.includes(reason))) return false;
  return q === undefined || `${key}\n${flag.description}`.toLowerCase().includes(q.toLowerCase());
}

/** With what was found out of it. */
function flagWithStale({ key: project, stale }: ProjectState, key: string, held: Held<FlagDocument>): Flag {
  const reasons = stale.get(key)?.body.reasons;
  return { ...flagView(project, key, held), ...(reasons === undefined ? {} : { stale: reasons }) };
}

function flagPrecondition({ project, flag }: FlagParams): TargetPrecondition {
  return projectPrecondition({ project, kind: "flag", key: flag }, ({ flags }) => flags.get(flag));
}
