import type { AdvanceDraft, Release } from "@belay/protocol";
import { AdvanceDraftSchema, KeySchema, ReasonSchema, ReleaseSchema, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import { type Decision, refuse } from "../control/decision.ts";
import { isUnwritable, markUnkept } from "../emergencies/unwritable.ts";
import { answerWrite, originOf } from "../http/commands.ts";
import { ProblemError } from "../http/problem.ts";
import { abort, advanceByPerson, approve, hold, makeReady, resume, rollBack, start, trip } from "./climb.ts";
import type { ReleaseDesk } from "./desk.ts";
import type { ReleasePlace } from "./document.ts";
import {
  actorOf,
  idOf,
  ONE_RELEASE,
  placeOf,
  preconditionOf,
  RELEASE_PARAMS,
  RELEASE_TAGS,
  type ReleaseParams,
  readRelease,
} from "./named-release.ts";
import type { ReleaseDoors } from "./routes.ts";

interface TripDraft {
  readonly guardrail: string;
  readonly reason?: string;
}

const TripDraftSchema: Schema<TripDraft> = Type.Object(
  { guardrail: KeySchema, reason: ReasonSchema["properties"].reason },
  { additionalProperties: false },
);

interface ReleaseCommand {
  readonly verb: string;
  readonly role: "editor" | "operator";
  readonly summary: string;
  readonly decide: (place: ReleasePlace, request: FastifyRequest, at: string) => Decision<Release>;
  /** What is done here while the change log is away; 202. */
  readonly whenAway?: (at: ReleaseParams, request: FastifyRequest, away: unknown) => Promise<boolean>;
}

/** What people and alerts tell a release to do. */
export const releaseCommandRoutes: FastifyPluginAsync<Omit<ReleaseDoors, "now">> = async (app, doors) => {
  const { access, control, desk } = doors;
  for (const { verb, role, summary, decide, whenAway } of commandsOf(desk)) {
    app.post<{ Params: ReleaseParams; Body: { reason?: string } }>(
      `${ONE_RELEASE}/${verb}`,
      {
        onRequest: access.role(role),
        schema: {
          tags: RELEASE_TAGS,
          response: { 200: ReleaseSchema, ...(whenAway === undefined ? {} : { 202: ReleaseSchema }) },
          summary,
          params: RELEASE_PARAMS,
          body: ReasonSchema,
        },
      },
      async (request, reply) => {
        try {
          return await answerWrite(control, request, reply, {
            precondition: preconditionOf(request.params),
            decide: (workspace, at) => decide(placeOf(workspace, request.params), request, new Date(at).toISOString()),
          });
        } catch (error) {
          if (whenAway === undefined || !isUnwritable(error)) throw error;
          markUnkept(reply, await whenAway(request.params, request, error));
          return reply.code(202).send(readRelease(doors, request.params));
        }
      },
    );
  }

  app.post<{ Params: ReleaseParams; Body: AdvanceDraft }>(
    `${ONE_RELEASE}/advance`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: ReleaseSchema },
        summary: "Go one stage on before the time is over; gates must be open, unless an admin overrides them",
        params: RELEASE_PARAMS,
        body: AdvanceDraftSchema,
      },
    },
    async (request, reply) => {
      const { override = false, reason } = request.body;
      if (override && actorOf(request).role !== "admin") throw new ProblemError("forbidden", { needed: "admin" });
      if (override && reason === undefined) {
        throw new ProblemError("invalid_field", { field: "reason", reason: "an override says why" });
      }
      return answerWrite(control, request, reply, {
        precondition: preconditionOf(request.params),
        decide: (workspace, at) => {
          const facts = desk.service.factsOf(idOf(request.params), workspace);
          if (facts === undefined) return refuse("release_not_found", { key: request.params.release });
          return advanceByPerson(placeOf(workspace, request.params), facts, { now: at, override });
        },
      });
    },
  );

  app.post<{ Params: ReleaseParams; Body: TripDraft }>(
    `${ONE_RELEASE}/trip`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: ReleaseSchema },
        summary: "An alert from outside trips a guardrail: what its breach does is done now",
        params: RELEASE_PARAMS,
        body: TripDraftSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace, at) => {
          const place = placeOf(workspace, request.params);
          return trip(place, request.body.guardrail, desk.service.momentIn(place, at));
        },
      }),
  );
};

function commandsOf(desk: ReleaseDesk): readonly ReleaseCommand[] {
  return [
    {
      verb: "ready",
      role: "editor",
      summary: "Say that the release may start as it is written",
      decide: (place) => makeReady(place),
    },
    {
      verb: "start",
      role: "operator",
      summary: "Put the release on its first stage; refused without a guardrail and an alert route",
      decide: (place, _, at) => start(place, at),
    },
    {
      verb: "hold",
      role: "operator",
      summary: "Stop the climb where it stands",
      decide: (place, request) => hold(place, actorOf(request).name),
    },
    {
      verb: "resume",
      role: "operator",
      summary: "Climb on, from the share of its stage",
      decide: (place, _, at) => resume(place, at),
    },
    {
      verb: "rollback",
      role: "operator",
      summary:
        "Take back what it exposed, and follow that to every instance; 202 while the change log is away: this server exposes nobody, and the rollback follows",
      decide: (place, request, at) =>
        rollBack(
          place,
          { code: "rolled-back-by-person", subject: actorOf(request).name },
          desk.service.momentIn(place, Date.parse(at)),
        ),
      whenAway: (at, request, away) => {
        const reason = { code: "rolled-back-by-person", subject: actorOf(request).name } as const;
        return desk.service.rollBackHere(idOf(at), { reason, origin: originOf(request) }, away);
      },
    },
    {
      verb: "abort",
      role: "operator",
      summary: "End the release and take back what it exposed; an experiment that it ramped is stopped",
      decide: (place, _, at) => abort(place, at),
    },
    {
      verb: "approvals",
      role: "operator",
      summary: "Approve leaving the present stage",
      decide: (place, request, at) => {
        const { id, role } = actorOf(request);
        return approve(place, { id, role, at });
      },
    },
  ];
}
