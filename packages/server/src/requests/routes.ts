import type { CompileOptions } from "@belay/core";
import type {
  ApprovalDraft,
  ApprovalRule,
  ChangeRequest,
  EpochMs,
  Json,
  ListedRequest,
  Person,
  RequestDraft,
  RequestEdit,
  RequestState,
} from "@belay/protocol";
import {
  ApprovalDraftSchema,
  ApprovalRuleSchema,
  ChangeRequestSchema,
  EnvironmentSchema,
  ListedRequestSchema,
  pageSchema,
  ReasonSchema,
  RequestDraftSchema,
  RequestEditSchema,
  RequestStateSchema,
  type Schema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from "fastify";
import type { Access } from "../access/access.ts";
import type { Actor } from "../access/identity.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import { type FillRandom, randomText } from "../flags/salts.ts";
import type { History } from "../history/history.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { environmentOf, type PageQuery, pageFields, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { requireApprovals } from "../projects/domain.ts";
import type { Held, RequestDocument, Workspace } from "../state/workspace.ts";
import { authorityFault } from "./authority.ts";
import { approveRequest, createRequest, type Desk, editRequest, endRequest, requestView } from "./domain.ts";
import { type Decide, OPERATIONS, type Operation } from "./operations.ts";

export interface RequestDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly history: History;
  readonly compile: CompileOptions;
  readonly fillRandom: FillRandom;
  readonly now: () => EpochMs;
}

interface Place {
  readonly project: string;
  readonly environment: string;
}

interface Params extends Place {
  readonly request: string;
}

interface RequestQuery extends PageQuery {
  readonly state?: RequestState;
  readonly operation?: string;
  readonly author?: string;
  readonly scheduled?: boolean;
}

const RequestQuerySchema: Schema<RequestQuery> = Type.Unsafe<RequestQuery>(
  Type.Object(
    {
      ...pageFields(),
      state: Type.Optional(RequestStateSchema),
      operation: Type.Optional(Type.String()),
      author: Type.Optional(Type.String({ description: "Id of whoever asked" })),
      scheduled: Type.Optional(Type.Boolean({ description: "Only those with a time, or only those without" })),
    },
    { additionalProperties: false },
  ),
);

/** Bytes of a request: one may hold a bundle to import. */
const BODY_LIMIT_BYTES = 16 * 1024 * 1024;

const tags: readonly string[] = ["requests"];
const environment = "/api/v1/projects/:project/environments/:environment";
const all: string = `${environment}/requests`;
const one: string = `${all}/:request`;
const placeParams: Schema<Place> = pathParams("project", "environment");
const params: Schema<Params> = pathParams("project", "environment", "request");

/** Edits that are asked for before they are made: approved by others, made at a time, or both. */
export const requestRoutes: FastifyPluginAsync<RequestDoors> = async (app, doors) => {
  ruleRoute(app, doors);
  listRoutes(app, doors);
  authorRoutes(app, doors);
  approverRoutes(app, doors);
};

function ruleRoute(app: FastifyInstance, { access, control }: RequestDoors): void {
  app.put<{ Params: Place; Body: ApprovalRule }>(
    `${environment}/approvals`,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: EnvironmentSchema },
        summary: "Say how many people must approve an edit that may raise exposure",
        params: placeParams,
        body: ApprovalRuleSchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        decide: (workspace) => {
          const project = projectOf(workspace, request.params.project);
          return requireApprovals(project, environmentOf(project, request.params.environment), request.body.required);
        },
      }),
  );
}

function listRoutes(app: FastifyInstance, { access, control }: RequestDoors): void {
  app.get<{ Params: Place; Querystring: RequestQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(ListedRequestSchema) },
        summary: "List change requests, oldest first",
        params: placeParams,
        querystring: RequestQuerySchema,
      },
    },
    async ({ params: at, query }) => {
      const own = [...projectOf(control.workspace, at.project).requests].filter(
        ([, { body }]) => body.environment === at.environment && isListed(body, query),
      );
      const views = own.map(([id, held]) => ({ key: id, view: listed(requestView(at.project, id, held)) }));
      const { items, ...page } = pageByKey("requests", views, query);
      return { items: items.map(({ view }) => view), ...page };
    },
  );

  app.get<{ Params: Params }>(
    one,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: ChangeRequestSchema },
        summary: "Read a change request: what it would do, and who approved that",
        params,
      },
    },
    async ({ params: at }, reply): Promise<ChangeRequest> => {
      const held = heldRequest(control.workspace, at);
      reply.header("etag", etagOf(held.revision));
      return requestView(at.project, at.request, held);
    },
  );
}

function authorRoutes(app: FastifyInstance, doors: RequestDoors): void {
  const { access, control, fillRandom, now } = doors;
  app.post<{ Params: Place; Body: RequestDraft }>(
    all,
    {
      onRequest: access.role("operator"),
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        tags,
        response: { 201: ChangeRequestSchema },
        summary: "Ask for an edit, to be approved or made at a time",
        params: placeParams,
        body: RequestDraftSchema,
      },
    },
    async (request, reply) => {
      const draft = readDraft(request.body);
      const asked = { ...draft, environment: request.params.environment };
      assertAuthority(request, asked);
      const decide = await prepare(doors, request.params.project, asked);
      const id = newId(now(), fillRandom);
      return answerWrite(control, request, reply, {
        status: 201,
        decide: (workspace, at) =>
          createRequest(deskOf(doors, request.params, decide, workspace, at), draft, { id, author: personOf(request) }),
      });
    },
  );

  app.put<{ Params: Params; Body: RequestEdit }>(
    one,
    {
      onRequest: access.role("operator"),
      bodyLimit: BODY_LIMIT_BYTES,
      schema: {
        tags,
        response: { 200: ChangeRequestSchema },
        summary: "Edit your request: approvals given before are gone",
        params,
        body: RequestEditSchema,
      },
    },
    async (request, reply) => {
      const { body } = heldRequest(control.workspace, request.params);
      const edit = request.body;
      OPERATIONS[body.operation].check((edit.body as Json | undefined) ?? body.body);
      const asked = { ...body, body: (edit.body as Json | undefined) ?? body.body };
      assertAuthority(request, asked);
      const decide = await prepare(doors, request.params.project, asked);
      return answerWrite(control, request, reply, {
        precondition: requestPrecondition(request.params),
        decide: (workspace, at) =>
          editRequest(deskOf(doors, request.params, decide, workspace, at), request.params.request, {
            ...edit,
            by: personOf(request),
          }),
      });
    },
  );
}

function approverRoutes(app: FastifyInstance, doors: RequestDoors): void {
  const { access, control } = doors;
  app.post<{ Params: Params; Body: ApprovalDraft }>(
    `${one}/approve`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: ChangeRequestSchema },
        summary: "Approve what the hash names; the last approval it takes makes it",
        params,
        body: ApprovalDraftSchema,
      },
    },
    async (request, reply) => {
      const { body } = heldRequest(control.workspace, request.params);
      assertAuthority(request, body);
      const decide = await prepare(doors, request.params.project, body);
      return answerWrite(control, request, reply, {
        decide: (workspace, at) =>
          approveRequest(deskOf(doors, request.params, decide, workspace, at), request.params.request, {
            hash: request.body.hash,
            by: personOf(request),
          }),
      });
    },
  );

  for (const [event, summary] of [
    ["reject", "Say no to somebody else's request"],
    ["withdraw", "Take a request back: it is not made, also at its time"],
  ] as const) {
    app.post<{ Params: Params; Body: { reason?: string } }>(
      `${one}/${event}`,
      {
        onRequest: access.role("operator"),
        schema: { tags, response: { 200: ChangeRequestSchema }, summary, params, body: ReasonSchema },
      },
      async (request, reply) => {
        const { reason } = request.body;
        assertAuthority(request, heldRequest(control.workspace, request.params).body);
        return answerWrite(control, request, reply, {
          decide: (workspace, now) =>
            endRequest({ ...request.params, workspace, now, compile: doors.compile }, request.params.request, event, {
              by: personOf(request),
              ...(reason === undefined ? {} : { reason }),
            }),
        });
      },
    );
  }
}

/** @throws ProblemError where the operation and what comes with it do not fit. */
function readDraft(draft: RequestDraft): RequestDraft & { readonly body: { readonly [field: string]: Json } } {
  const operation: Operation = OPERATIONS[draft.operation];
  const body = draft.body ?? {};
  if (operation.about !== undefined && draft.key === undefined) {
    throw new ProblemError("invalid_field", { field: "key", reason: `it is missing: name the ${operation.about}` });
  }
  if (operation.about === undefined && draft.key !== undefined) {
    throw new ProblemError("invalid_field", { field: "key", received: draft.key, reason: `${draft.operation} takes none` });
  }
  operation.check(body as Json);
  return { ...draft, body };
}

function prepare(
  { history }: Pick<RequestDoors, "history">,
  project: string,
  { operation, environment, key, body }: Pick<RequestDocument, "operation" | "environment" | "key"> & { readonly body: unknown },
): Promise<Decide> {
  const subject = { project, environment, ...(key === undefined ? {} : { key }), body: body as Json };
  return OPERATIONS[operation].prepare(subject, history);
}

function deskOf(
  { compile }: RequestDoors,
  { project, environment }: Place,
  decide: Decide,
  workspace: Workspace,
  now: EpochMs,
): Desk {
  return { workspace, now, project, environment, decide, compile };
}

/** @throws ProblemError when the role or the scope is not enough for the operation. */
function assertAuthority(
  { actor }: FastifyRequest,
  { operation, environment, body }: Pick<RequestDocument, "operation" | "environment"> & { readonly body: unknown },
): void {
  if (actor === undefined) throw new ProblemError("unauthenticated");
  const fault = authorityFault(actor, { operation, environment, body: body as Json });
  if (fault !== undefined) throw new ProblemError(fault.code, fault.data);
}

function heldRequest(workspace: Workspace, { project, environment, request }: Params): Held<RequestDocument> {
  const held = projectOf(workspace, project).requests.get(request);
  if (held === undefined || held.body.environment !== environment) throw new ProblemError("request_not_found", { key: request });
  return held;
}

function requestPrecondition({ project, environment, request }: Params): TargetPrecondition {
  return projectPrecondition({ project, environment, kind: "request", key: request }, ({ requests }) => requests.get(request));
}

function personOf({ actor }: FastifyRequest): Person {
  const { id, name } = actor as Actor;
  return { id, name };
}

function isListed(body: RequestDocument, { state, operation, author, scheduled }: RequestQuery): boolean {
  if (state !== undefined && body.state !== state) return false;
  if (operation !== undefined && body.operation !== operation) return false;
  if (author !== undefined && body.author.id !== author) return false;
  return scheduled === undefined || scheduled === (body.schedule !== undefined);
}

function listed({ body: _, changes: __, ...view }: ChangeRequest): ListedRequest {
  return view;
}

/** In the order of making, so that a list in the order of ids is one in the order of time. */
function newId(now: EpochMs, fill: FillRandom): string {
  return `${now.toString(36).padStart(9, "0")}${randomText(5, fill)}`;
}
