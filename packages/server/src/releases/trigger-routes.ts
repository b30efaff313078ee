import type { Release, ReleaseTriggerCreated, ReleaseTriggerCreation } from "@belay/protocol";
import {
  ReleaseStateSchema,
  ReleaseTriggerCreatedSchema,
  ReleaseTriggerCreationSchema,
  ReleaseTriggersSchema,
  type Schema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { Decision } from "../control/decision.ts";
import { isUnwritable, markUnkept } from "../emergencies/unwritable.ts";
import { type FillRandom, randomText } from "../flags/salts.ts";
import { answerWrite } from "../http/commands.ts";
import { pathParams, ReasonQuerySchema } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { Workspace } from "../state/workspace.ts";
import { isSigned, newSigningSecret } from "../webhooks/signature.ts";
import { trip } from "./climb.ts";
import type { ReleaseDesk } from "./desk.ts";
import { heldAt, ONE_RELEASE, placeOf, RELEASE_PARAMS, RELEASE_TAGS, type ReleaseParams } from "./named-release.ts";
import { placeIn } from "./service.ts";
import { createTrigger, deleteTrigger, triggersOf, triggerView } from "./triggers.ts";

export interface TriggerDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly desk: Pick<ReleaseDesk, "service">;
  readonly fillRandom: FillRandom;
  readonly now: () => number;
}

/** Alerts from outside: addresses for them, and the door they knock on. */
export const triggerRoutes: FastifyPluginAsync<TriggerDoors> = async (app, doors) => {
  definitionRoutes(app, doors);
  await app.register(async (alone) => callRoute(alone, doors));
};

function definitionRoutes(app: FastifyInstance, { access, control, fillRandom }: TriggerDoors): void {
  const all = `${ONE_RELEASE}/triggers`;

  app.get<{ Params: ReleaseParams }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: ReleaseTriggersSchema },
        summary: "List a release's triggers, without their secrets",
        params: RELEASE_PARAMS,
      },
    },
    async ({ params: at }) => {
      const { place } = heldAt(control.workspace, at);
      return { items: triggersOf(control.workspace, place).map(triggerView) };
    },
  );

  app.post<{ Params: ReleaseParams; Body: ReleaseTriggerCreation }>(
    all,
    {
      onRequest: access.role("operator"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 201: ReleaseTriggerCreatedSchema },
        summary: "Make an address that trips a guardrail when a monitoring tool calls it; its secret is shown once",
        params: RELEASE_PARAMS,
        body: ReleaseTriggerCreationSchema,
      },
    },
    async (request, reply) => {
      const made = { id: randomText(ID_LENGTH, fillRandom), secret: newSigningSecret(fillRandom) };
      return answerWrite<ReleaseTriggerCreated>(control, request, reply, {
        status: 201,
        keep: ({ secret: _, ...shown }) => shown,
        decide: (workspace, at) =>
          createTrigger(placeOf(workspace, request.params), request.body.guardrail, made, new Date(at).toISOString()),
      });
    },
  );

  app.delete<{ Params: ReleaseParams & { trigger: string } }>(
    `${all}/:trigger`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 204: Type.Null() },
        summary: "Delete a trigger: its address trips nothing from then on",
        params: pathParams("project", "environment", "release", "trigger"),
        querystring: ReasonQuerySchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace) => deleteTrigger(workspace, placeOf(workspace, request.params), request.params.trigger),
      }),
  );
}

/** 32 letters of base32: 160 bits. */
const ID_LENGTH = 32;

/** What a call tripped. */
interface Tripped {
  readonly release: string;
  readonly guardrail: string;
  /** Absent while the change log is away: the rollback follows. */
  readonly state?: Release["state"];
}

const TrippedSchema: Schema<Tripped> = Type.Object(
  { release: Type.String(), guardrail: Type.String(), state: Type.Optional(ReleaseStateSchema) },
  { additionalProperties: false },
);

/** Any body: every monitoring tool has its own, and none of it is read. */
function callRoute(app: FastifyInstance, { control, desk, now }: TriggerDoors): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "string", bodyLimit: 256 * 1024 }, (_, text, done) => done(null, text));

  app.post<{ Params: { trigger: string }; Body: string | undefined }>(
    "/triggers/v1/:trigger",
    {
      schema: {
        tags: RELEASE_TAGS,
        summary:
          "Trip a guardrail. `Authorization: Bearer <secret>`, or signed as Standard Webhooks are: `webhook-id`, `webhook-timestamp`, `webhook-signature`",
        params: pathParams("trigger"),
        response: { 202: TrippedSchema },
      },
    },
    async ({ id: requestId, params, headers, body = "" }, reply): Promise<Tripped> => {
      const placed = control.workspace.triggers.get(params.trigger);
      // Compared in every case, and one answer for both: nobody learns which addresses there are.
      const fits = isSigned(headers, body, placed?.document.secret, now());
      if (placed === undefined || !fits) throw new ProblemError("unauthenticated");
      const { id, project, environment, document } = placed;
      const { release, guardrail } = document;
      const origin = { actor: { id: `trigger:${id.slice(0, 6)}`, name: `the alert on ${guardrail}` }, requestId };
      const at = { project, environment, key: release };
      const decide = (workspace: Workspace, moment: number): Decision<Release> => {
        const place = placeIn(workspace, at);
        return trip(place, guardrail, desk.service.momentIn(place, moment));
      };
      reply.code(202);
      try {
        const done = await control.execute({ origin, decide });
        return done.status === "done" ? { release, guardrail, state: done.answer.state } : { release, guardrail };
      } catch (error) {
        const decision = isUnwritable(error) ? decide(control.workspace, now()) : undefined;
        if (decision?.kind !== "edit" || decision.action !== "release.rollback") throw error;
        const reason = { code: "external-trigger", subject: guardrail } as const;
        markUnkept(reply, await desk.service.rollBackHere(at, { reason, origin }, error));
        return { release, guardrail };
      }
    },
  );
}
