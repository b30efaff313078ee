import type { PastState, RestoreDraft, Revision, StateDiff } from "@belay/protocol";
import { PastStateSchema, RestoreDraftSchema, RestoreResultSchema, type Schema, StateDiffSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { TargetPrecondition } from "../control/target-precondition.ts";
import { answerWrite } from "../http/commands.ts";
import { environmentOf, pathParams, projectOf } from "../http/params.ts";
import { restoreEnvironment, stateDiff } from "./domain.ts";
import type { History, Moment } from "./history.ts";

export interface HistoryDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly history: History;
}

interface PlaceParams {
  readonly project: string;
  readonly environment: string;
}

const revision = Type.Integer({ minimum: 1 });
const closed = { additionalProperties: false } as const;

const MomentQuerySchema: Schema<Moment> = Type.Unsafe<Moment>(
  Type.Object(
    {
      revision: Type.Optional(revision),
      at: Type.Optional(Type.String({ maxLength: 64, description: "RFC 3339; the last revision made until then" })),
    },
    closed,
  ),
);

interface DiffQuery {
  readonly from: Revision;
  readonly to: Revision;
}

const DiffQuerySchema: Schema<DiffQuery> = Type.Object({ from: revision, to: revision }, closed);

const tags: readonly string[] = ["history"];

/** What an environment was, what changed, and the way back. */
export const historyRoutes: FastifyPluginAsync<HistoryDoors> = async (app, { access, control, history }) => {
  const one = "/api/v1/projects/:project/environments/:environment";
  const params = pathParams("project", "environment");

  app.get<{ Params: PlaceParams; Querystring: Moment }>(
    `${one}/state`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: PastStateSchema },
        summary: "Read an environment as it was at a revision or a time",
        params,
        querystring: MomentQuerySchema,
      },
    },
    async ({ params: place, query }): Promise<PastState> => {
      const past = await history.read(place, query);
      return {
        ...place,
        revision: past.revision,
        at: new Date(past.madeAt).toISOString(),
        change: past.change,
        snapshot: past.environment.snapshot.whole,
      };
    },
  );

  app.get<{ Params: PlaceParams; Querystring: DiffQuery }>(
    `${one}/diff`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: StateDiffSchema },
        summary: "Say what differs between two revisions",
        params,
        querystring: DiffQuerySchema,
      },
    },
    async ({ params: place, query: { from, to } }): Promise<StateDiff> => {
      const before = await history.read(place, { revision: from });
      const after = await history.read(place, { revision: to });
      return stateDiff(before.environment.snapshot.whole, after.environment.snapshot.whole);
    },
  );

  app.post<{ Params: PlaceParams; Body: RestoreDraft }>(
    `${one}/restore`,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: RestoreResultSchema },
        summary: "Bring targetings back to what they were at a revision, as a new change",
        params,
        body: RestoreDraftSchema,
      },
    },
    async (request, reply) => {
      const past = await history.read(request.params, { revision: request.body.revision });
      return answerWrite(control, request, reply, {
        precondition: restorePrecondition(request.params),
        decide: (workspace) => {
          const project = projectOf(workspace, request.params.project);
          return restoreEnvironment(project, environmentOf(project, request.params.environment), past, request.body);
        },
      });
    },
  );
};

function restorePrecondition({ project, environment }: PlaceParams): TargetPrecondition {
  return {
    target: { project, environment, kind: "environment", key: environment },
    current: ({ projects }) => {
      const state = projects.get(project)?.environments.get(environment);
      return state === undefined ? undefined : { changed: state.revision, stream: state.revision };
    },
  };
}
