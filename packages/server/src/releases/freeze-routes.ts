import type { Freeze, FreezeDraft, Release, RollbackSinceDraft, Suspect } from "@belay/protocol";
import {
  FreezeDraftSchema,
  FreezeSchema,
  ReasonSchema,
  ReleaseStateSchema,
  RollbackSinceDraftSchema,
  type Schema,
  SuspectsSchema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { isUnwritable, markUnkept } from "../emergencies/unwritable.ts";
import { answerWrite, originOf } from "../http/commands.ts";
import { pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { readTime } from "../http/times.ts";
import { rollBack } from "./climb.ts";
import type { ReleaseDesk } from "./desk.ts";
import { chosen, enterFreeze, freezeView, leaveFreeze, setSecondPerson, suspects } from "./freeze.ts";
import { placeIn } from "./service.ts";
import type { ReleaseId } from "./watchtower.ts";

export interface FreezeDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly desk: ReleaseDesk;
  readonly now: () => number;
}

interface SinceQuery {
  readonly since: string;
}

/** One release that was taken back, or why it was not. */
interface Outcome {
  readonly environment: string;
  readonly release: string;
  readonly state?: Release["state"];
  readonly refused?: string;
  /** The change log is away: this server exposes nobody any more, and the rollback follows. */
  readonly isLowered?: true;
}

const OutcomeSchema: Schema<Outcome> = Type.Object(
  {
    environment: Type.String(),
    release: Type.String(),
    state: Type.Optional(ReleaseStateSchema),
    refused: Type.Optional(Type.String({ description: "Code of the error it was refused for" })),
    isLowered: Type.Optional(Type.Literal(true, { description: "The change log is away: the rollback follows" })),
  },
  { additionalProperties: false },
);

const OutcomesSchema: Schema<{ readonly items: readonly Outcome[] }> = Type.Object(
  { items: Type.Array(OutcomeSchema) },
  { additionalProperties: false },
);

interface FreezePolicy {
  readonly secondPerson: boolean;
  readonly reason?: string;
}

const FreezePolicySchema: Schema<FreezePolicy> = Type.Object(
  { secondPerson: Type.Boolean(), reason: ReasonSchema["properties"].reason },
  { additionalProperties: false },
);

const SinceQuerySchema: Schema<SinceQuery> = Type.Object(
  { since: Type.String({ maxLength: 64, description: "RFC 3339" }) },
  { additionalProperties: false },
);

const tags: readonly string[] = ["releases"];

/** Crisis mode: the switch, what was raised lately, and taking it back. */
export const freezeRoutes: FastifyPluginAsync<FreezeDoors> = async (app, { access, control, desk, now }) => {
  const base = "/api/v1/projects/:project";
  const params = pathParams("project");

  app.get<{ Params: { project: string } }>(
    `${base}/freeze`,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: FreezeSchema }, summary: "Read whether the project is frozen, and when it was", params },
    },
    async ({ params: { project } }): Promise<Freeze> => freezeView(projectOf(control.workspace, project)),
  );

  app.post<{ Params: { project: string }; Body: FreezeDraft }>(
    `${base}/freeze`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: FreezeSchema },
        summary: "Freeze: ladders stand, nothing is raised, lowering works",
        params,
        body: FreezeDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace, at) =>
          enterFreeze(
            projectOf(workspace, request.params.project),
            request.body.reason,
            originOf(request).actor,
            new Date(at).toISOString(),
          ),
      }),
  );

  app.post<{ Params: { project: string }; Body: { reason?: string } }>(
    `${base}/freeze/leave`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: FreezeSchema },
        summary: "Leave the freeze: ladders climb on",
        params,
        body: ReasonSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace, at) =>
          leaveFreeze(projectOf(workspace, request.params.project), originOf(request).actor, new Date(at).toISOString()),
      }),
  );

  app.put<{ Params: { project: string }; Body: FreezePolicy }>(
    `${base}/freeze/policy`,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: FreezeSchema },
        summary: "Say whether leaving a freeze takes a second person",
        params,
        body: FreezePolicySchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace) => setSecondPerson(projectOf(workspace, request.params.project), request.body.secondPerson),
      }),
  );

  app.get<{ Params: { project: string }; Querystring: SinceQuery }>(
    `${base}/suspects`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: SuspectsSchema },
        summary: "List releases, live or done, that raised exposure since a moment, by reach and recency",
        params,
        querystring: SinceQuerySchema,
      },
    },
    async ({ params: { project }, query: { since }, actor }): Promise<{ items: readonly Suspect[] }> => {
      const all = suspects(projectOf(control.workspace, project), readTime("since", since) ?? 0, now());
      return { items: all.filter(({ environment }) => actor !== undefined && reaches(actor, environment)) };
    },
  );

  app.post<{ Params: { project: string }; Body: RollbackSinceDraft }>(
    `${base}/rollback-since`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: OutcomesSchema },
        summary: "Roll back every release that raised exposure since a moment, or those chosen of them",
        params,
        body: RollbackSinceDraftSchema,
      },
    },
    async (request, reply): Promise<{ items: readonly Outcome[] }> => {
      const { project } = request.params;
      const since = readTime("since", request.body.since) ?? 0;
      const picked = chosen(suspects(projectOf(control.workspace, project), since, now()), request.body.releases);
      if ("code" in picked) throw new ProblemError(picked.code, picked.data);
      const origin = originOf(request);
      const reason = { code: "rolled-back-by-person", subject: origin.actor.name } as const;
      // One after another, each a change of its own: one that is refused keeps no other from going back.
      const items: Outcome[] = [];
      for (const { environment, release } of picked) {
        items.push(await takeBack({ project, environment, key: release }));
      }
      return { items };

      async function takeBack(id: ReleaseId): Promise<Outcome> {
        const { environment, key: release } = id;
        try {
          const done = await control.execute<Release>({
            origin,
            decide: (workspace, at) => {
              const place = placeIn(workspace, id);
              return rollBack(place, reason, desk.service.momentIn(place, at));
            },
          });
          return { environment, release, ...(done.status === "done" ? { state: done.answer.state } : {}) };
        } catch (error) {
          if (!(error instanceof ProblemError)) throw error;
          if (!isUnwritable(error)) return { environment, release, refused: error.code };
          markUnkept(reply, await desk.service.rollBackHere(id, { reason, origin }, error));
          return { environment, release, isLowered: true };
        }
      }
    },
  );
};
