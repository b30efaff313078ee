import type { ReleaseCreation, ReleaseEdit, ReleaseReason } from "@belay/protocol";
import {
  oneOf,
  pageSchema,
  ReleaseCreationSchema,
  ReleaseEditSchema,
  ReleaseReasonSchema,
  ReleaseSchema,
  type Schema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { type PageQuery, PageQuerySchema, pathParams } from "../http/params.ts";
import type { ReleaseDesk } from "./desk.ts";
import { createRelease, editRelease } from "./drafts.ts";
import type { Plan } from "./facts.ts";
import {
  ALL_RELEASES,
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
import { plan } from "./plan.ts";
import { planLines } from "./plan-text.ts";

export interface ReleaseDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly desk: ReleaseDesk;
  readonly now: () => number;
}

/** What the planner would do now, and why. */
interface PlanView {
  readonly kind: Plan["kind"];
  readonly isAlarm: boolean;
  readonly reasons: readonly ReleaseReason[];
  readonly text: string;
}

const PlanViewSchema: Schema<PlanView> = Type.Object(
  {
    kind: oneOf<Plan["kind"]>(["nothing", "hold", "advance", "finish", "rollback"]),
    isAlarm: Type.Boolean(),
    reasons: Type.Array(ReleaseReasonSchema),
    text: Type.String({ description: "The same in lines for people" }),
  },
  { additionalProperties: false },
);

/** Ladders of flags in an environment. */
export const releaseRoutes: FastifyPluginAsync<ReleaseDoors> = async (app, doors) => {
  const { access, control, desk, now } = doors;
  app.get<{ Params: Omit<ReleaseParams, "release">; Querystring: PageQuery }>(
    ALL_RELEASES,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: pageSchema(ReleaseSchema) },
        summary: "List the releases of an environment",
        params: pathParams("project", "environment"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: at, query }) => {
      const { environment } = placeOf(control.workspace, { ...at, release: "" });
      return pageByKey(
        "releases",
        [...environment.releases.keys()].map((release) => readRelease(doors, { ...at, release })),
        query,
      );
    },
  );

  app.post<{ Params: Omit<ReleaseParams, "release">; Body: ReleaseCreation }>(
    ALL_RELEASES,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 201: ReleaseSchema },
        summary: "Draft a release of a flag or of an experiment; what is left out is taken from the default ladder",
        params: pathParams("project", "environment"),
        body: ReleaseCreationSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, at) =>
          createRelease(placeOf(workspace, { ...request.params, release: request.body.key }), request.body, {
            author: actorOf(request).id,
            createdAt: new Date(at).toISOString(),
          }),
      }),
  );

  app.get<{ Params: ReleaseParams }>(
    ONE_RELEASE,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: ReleaseSchema },
        summary: "Read a release, with the receipts of its rollback as they come in",
        params: RELEASE_PARAMS,
      },
    },
    async ({ params: at }, reply) => {
      const view = readRelease(doors, at);
      reply.header("etag", etagOf(view.revision));
      return view;
    },
  );

  app.get<{ Params: ReleaseParams }>(
    `${ONE_RELEASE}/plan`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: PlanViewSchema },
        summary: "Ask what the release would do now, and what keeps it from more",
        params: RELEASE_PARAMS,
      },
    },
    async ({ params: at }): Promise<PlanView> => {
      const view = readRelease(doors, at);
      const facts = desk.service.factsOf(idOf(at));
      if (facts === undefined || view.stage === undefined)
        return { kind: "nothing", isAlarm: false, reasons: [], text: "-> nothing" };
      const decided = plan(view, facts, now());
      return {
        kind: decided.kind,
        isAlarm: decided.kind === "hold" && decided.isAlarm,
        reasons: decided.kind === "hold" ? decided.reasons : decided.kind === "rollback" ? [decided.reason] : [],
        text: planLines(view, decided).join("\n"),
      };
    },
  );

  app.patch<{ Params: ReleaseParams; Body: ReleaseEdit }>(
    ONE_RELEASE,
    {
      onRequest: access.role("editor"),
      schema: {
        tags: RELEASE_TAGS,
        response: { 200: ReleaseSchema },
        summary: "Edit a release that has not started; it is a draft again",
        params: RELEASE_PARAMS,
        body: ReleaseEditSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: preconditionOf(request.params),
        decide: (workspace) => editRelease(placeOf(workspace, request.params), request.body),
      }),
  );
};
