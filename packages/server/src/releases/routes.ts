import type {
  AdvanceDraft,
  DrillRecord,
  EvidenceDraft,
  Release,
  ReleaseCreation,
  ReleaseEdit,
  ReleaseEvidence,
  ReleaseReason,
} from "@belay/protocol";
import {
  AdvanceDraftSchema,
  DrillRecordSchema,
  EvidenceDraftSchema,
  KeySchema,
  oneOf,
  pageSchema,
  ReasonSchema,
  ReleaseCreationSchema,
  ReleaseEditSchema,
  ReleaseReasonSchema,
  ReleaseSchema,
  type Schema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { type Decision, refuse } from "../control/decision.ts";
import { environmentPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { isUnwritable, markUnkept } from "../emergencies/unwritable.ts";
import { answerWrite, originOf } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { environmentOf, type PageQuery, PageQuerySchema, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { Workspace } from "../state/workspace.ts";
import type { Send } from "../webhooks/sender.ts";
import { abort, advanceByPerson, approve, giveEvidence, hold, makeReady, resume, rollBack, start, trip } from "./climb.ts";
import type { ReleaseDesk } from "./desk.ts";
import { heldRelease, type ReleasePlace, releaseView } from "./document.ts";
import { createRelease, editRelease } from "./drafts.ts";
import { runDrill } from "./drill.ts";
import type { Plan } from "./facts.ts";
import { openWindow } from "./gather.ts";
import { plan } from "./plan.ts";
import { planLines } from "./plan-text.ts";
import { isLive } from "./states.ts";
import { testAlert } from "./test-alert.ts";

export interface ReleaseDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly desk: ReleaseDesk;
  /** What test alerts go out by; without it a person says that one arrived. */
  readonly send?: Send;
  readonly now: () => number;
}

interface Params {
  readonly project: string;
  readonly environment: string;
  readonly release: string;
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

interface DrillDraft {
  readonly flag?: string;
  readonly timeoutS?: number;
  readonly reason?: string;
}

const DrillDraftSchema: Schema<DrillDraft> = Type.Object(
  {
    flag: Type.Optional(KeySchema),
    timeoutS: Type.Optional(Type.Integer({ minimum: 1, maximum: 120 })),
    reason: ReasonSchema["properties"].reason,
  },
  { additionalProperties: false },
);

interface TripDraft {
  readonly guardrail: string;
  readonly reason?: string;
}

const TripDraftSchema: Schema<TripDraft> = Type.Object(
  { guardrail: KeySchema, reason: ReasonSchema["properties"].reason },
  { additionalProperties: false },
);

const tags: readonly string[] = ["releases"];
const DRILL_TIMEOUT_S = 30;

/** Ladders of flags in an environment. */
export const releaseRoutes: FastifyPluginAsync<ReleaseDoors> = async (app, { access, control, desk, send, now }) => {
  const all = "/api/v1/projects/:project/environments/:environment/releases";
  const one = `${all}/:release`;
  const params = pathParams("project", "environment", "release");
  const placeOf = (workspace: Workspace, at: Params): ReleasePlace => {
    const project = projectOf(workspace, at.project);
    return { project, environment: environmentOf(project, at.environment), key: at.release };
  };
  const idOf = ({ project, environment, release }: Params) => ({ project, environment, key: release });
  const read = (at: Params) => {
    const place = placeOf(control.workspace, at);
    const held = heldRelease(place);
    if ("code" in held) throw new ProblemError(held.code, held.data);
    const rollback = desk.service.rollbackOf(idOf(at), held.body.rollback);
    return { ...releaseView(place, held), ...(rollback === undefined ? {} : { rollback }) };
  };

  app.get<{ Params: Omit<Params, "release">; Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
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
        [...environment.releases.keys()].map((release) => read({ ...at, release })),
        query,
      );
    },
  );

  app.post<{ Params: Omit<Params, "release">; Body: ReleaseCreation }>(
    all,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
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

  app.get<{ Params: Params }>(
    one,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: ReleaseSchema },
        summary: "Read a release, with the receipts of its rollback as they come in",
        params,
      },
    },
    async ({ params: at }, reply) => {
      const view = read(at);
      reply.header("etag", etagOf(view.revision));
      return view;
    },
  );

  app.get<{ Params: Params }>(
    `${one}/plan`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: PlanViewSchema },
        summary: "Ask what the release would do now, and what keeps it from more",
        params,
      },
    },
    async ({ params: at }): Promise<PlanView> => {
      const view = read(at);
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

  app.patch<{ Params: Params; Body: ReleaseEdit }>(
    one,
    {
      onRequest: access.role("editor"),
      schema: {
        tags,
        response: { 200: ReleaseSchema },
        summary: "Edit a release that has not started; it is a draft again",
        params,
        body: ReleaseEditSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: preconditionOf(request.params),
        decide: (workspace) => editRelease(placeOf(workspace, request.params), request.body),
      }),
  );

  const commands: readonly {
    readonly verb: string;
    readonly role: "editor" | "operator";
    readonly summary: string;
    readonly decide: (place: ReleasePlace, request: FastifyRequest, at: string) => Decision<Release>;
    /** What is done here while the change log is away; 202. */
    readonly whenAway?: (at: Params, request: FastifyRequest, away: unknown) => Promise<boolean>;
  }[] = [
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
  for (const { verb, role, summary, decide, whenAway } of commands) {
    app.post<{ Params: Params; Body: { reason?: string } }>(
      `${one}/${verb}`,
      {
        onRequest: access.role(role),
        schema: {
          tags,
          response: { 200: ReleaseSchema, ...(whenAway === undefined ? {} : { 202: ReleaseSchema }) },
          summary,
          params,
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
          return reply.code(202).send(read(request.params));
        }
      },
    );
  }

  app.post<{ Params: Params; Body: AdvanceDraft }>(
    `${one}/advance`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: ReleaseSchema },
        summary: "Go one stage on before the time is over; gates must be open, unless an admin overrides them",
        params,
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

  app.post<{ Params: Params; Body: TripDraft }>(
    `${one}/trip`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: ReleaseSchema },
        summary: "An alert from outside trips a guardrail: what its breach does is done now",
        params,
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

  app.post<{ Params: Params; Body: EvidenceDraft }>(
    `${one}/evidence`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: ReleaseSchema },
        summary:
          "Give evidence that a gate asks for: a test alert arrived (sent now where a webhook carries the route), the runbook was tried, a note was sent, power",
        params,
        body: EvidenceDraftSchema,
      },
    },
    async (request, reply) => {
      const { kind, route = "" } = request.body;
      const isRoute = kind === "alert-tested" && read(request.params).alertRoutes.includes(route);
      if (isRoute && send !== undefined) {
        await testAlert(send, projectOf(control.workspace, request.params.project), route, { requestId: request.id, at: now() });
      }
      return answerWrite(control, request, reply, {
        decide: (workspace, at) => {
          const place = placeOf(workspace, request.params);
          const held = heldRelease(place);
          if ("code" in held) return held;
          const evidence = evidenceOf(request.body, held.body, { at: new Date(at).toISOString(), by: actorOf(request).id });
          return "code" in evidence ? evidence : giveEvidence(place, evidence);
        },
      });
    },
  );

  app.post<{ Params: Params; Body: DrillDraft }>(
    `${one}/drill`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: DrillRecordSchema },
        summary: "Switch a flag off and on again, time it until every instance acknowledged, and file that as evidence",
        params,
        body: DrillDraftSchema,
      },
    },
    async (request): Promise<DrillRecord> => {
      const { project, environment } = placeOf(control.workspace, request.params);
      const view = read(request.params);
      const { flag = view.flag, timeoutS = DRILL_TIMEOUT_S } = request.body;
      const frozen = openWindow(project.freeze?.body);
      if (frozen !== undefined) throw new ProblemError("frozen", { reason: frozen.reason });
      const owner = [...environment.releases].find(([, { body }]) => body.flag === flag && isLive(body.state));
      // What is switched off must be switched on again, and a flag that a release moves is raised by nobody else.
      if (owner !== undefined) throw new ProblemError("release_owns_flag", { key: owner[0] });
      const origin = originOf(request);
      const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
      const id = idOf(request.params);
      const timeoutMs = 1_000 * timeoutS;
      const drill = await runDrill({ control, service: desk.service, origin, id, flag, now, timeoutMs, sleep });
      await control.execute({ origin, decide: (workspace) => giveEvidence(placeOf(workspace, request.params), { drill }) });
      return drill;
    },
  );
};

function actorOf({ actor }: FastifyRequest): NonNullable<FastifyRequest["actor"]> {
  if (actor === undefined) throw new ProblemError("unauthenticated");
  return actor;
}

function evidenceOf(
  { kind, route, days }: EvidenceDraft,
  { alertRoutes, evidence }: Pick<Release, "alertRoutes" | "evidence">,
  witnessed: { readonly at: string; readonly by: string },
): ReleaseEvidence | ReturnType<typeof refuse> {
  if (kind === "runbook-tried") return { runbookTried: witnessed };
  if (kind === "note-sent") return { noteSent: witnessed };
  if (kind === "power") {
    return days === undefined
      ? refuse("invalid_field", { field: "days", reason: "it must be there" })
      : { power: { ...witnessed, days } };
  }
  if (route === undefined || !alertRoutes.includes(route)) {
    return refuse("invalid_field", { field: "route", received: route, allowed: alertRoutes, reason: "it is no alert route" });
  }
  return { alertsTested: { ...evidence.alertsTested, [route]: witnessed.at } };
}

function preconditionOf({ project, environment, release }: Params): TargetPrecondition {
  return environmentPrecondition({ project, environment, kind: "release", key: release }, ({ releases }) =>
    releases.get(release),
  );
}
