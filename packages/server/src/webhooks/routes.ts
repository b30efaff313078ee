import type {
  DeliveryStatus,
  EpochMs,
  Webhook,
  WebhookCreated,
  WebhookCreation,
  WebhookDelivery,
  WebhookEdit,
} from "@belay/protocol";
import {
  oneOf,
  pageSchema,
  type Schema,
  WebhookCreatedSchema,
  WebhookCreationSchema,
  WebhookDeliverySchema,
  WebhookEditSchema,
  WebhookSchema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectPrecondition, type TargetPrecondition } from "../control/target-precondition.ts";
import type { FillRandom } from "../flags/salts.ts";
import { answerWrite } from "../http/commands.ts";
import { decodeNumberedCursor, encodeCursor, PAGE_LIMIT_DEFAULT } from "../http/cursor.ts";
import { etagOf } from "../http/etag.ts";
import { type PageQuery, pageFields, pathParams, projectOf, ReasonQuerySchema } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { listOfProject } from "../http/project-list.ts";
import type { Held, WebhookDocument, Workspace } from "../state/workspace.ts";
import type { Delivery, DeliveryStore } from "../store/deliveries/index.ts";
import type { Courier } from "./courier.ts";
import { createWebhook, deleteWebhook, editWebhook, refuseParts, rotateSecret, webhookView } from "./domain.ts";
import type { Send } from "./sender.ts";
import { newSigningSecret } from "./signature.ts";
import { sendTest } from "./test-message.ts";

interface WebhookDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly fillRandom: FillRandom;
  readonly store: DeliveryStore;
  readonly courier: Pick<Courier, "wake">;
  readonly send: Send;
  readonly now: () => EpochMs;
}

interface WebhookParams {
  readonly project: string;
  readonly webhook: string;
}

const tags: readonly string[] = ["webhooks"];
const all = "/api/v1/projects/:project/webhooks";
const one: string = `${all}/:webhook`;
const params: Schema<WebhookParams> = pathParams("project", "webhook");

/** Addresses that are told what happens in a project, and what became of each message. */
export function webhookDoors(
  parts: Omit<WebhookDoors, "access" | "control">,
): (access: Access, control: ControlPlane) => FastifyPluginAsync {
  return (access, control) => async (app) => {
    const doors = { ...parts, access, control };
    definitionRoutes(app, doors);
    secretRoutes(app, doors);
    deliveryRoutes(app, doors);
  };
}

function definitionRoutes(app: FastifyInstance, { access, control }: WebhookDoors): void {
  listOfProject(
    app,
    { access, control },
    {
      name: "webhooks",
      tags,
      summary: "List webhooks, without their secrets",
      schema: WebhookSchema,
      documents: ({ webhooks }) => webhooks,
      view: webhookView,
    },
  );

  app.get<{ Params: WebhookParams }>(
    one,
    { onRequest: access.role("viewer"), schema: { tags, response: { 200: WebhookSchema }, summary: "Read a webhook", params } },
    async ({ params: { project, webhook } }, reply) => {
      const held = webhookOf(control.workspace, project, webhook);
      reply.header("etag", etagOf(held.revision));
      return webhookView(project, webhook, held);
    },
  );

  app.patch<{ Params: WebhookParams; Body: WebhookEdit }>(
    one,
    {
      onRequest: access.role("admin"),
      schema: { tags, response: { 200: WebhookSchema }, summary: "Edit a webhook, or pause it", params, body: WebhookEditSchema },
    },
    async (request, reply) =>
      answerWrite<Webhook>(control, request, reply, {
        precondition: webhookPrecondition(request.params),
        decide: (workspace) => {
          const project = projectOf(workspace, request.params.project);
          return refuseParts(project, request.body) ?? editWebhook(project, request.params.webhook, request.body);
        },
      }),
  );

  app.delete<{ Params: WebhookParams }>(
    one,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 204: Type.Null() },
        summary: "Delete a webhook; what it was not told yet is not sent",
        params,
        querystring: ReasonQuerySchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, {
        precondition: webhookPrecondition(request.params),
        decide: (workspace) => deleteWebhook(projectOf(workspace, request.params.project), request.params.webhook),
      }),
  );
}

/** What makes a secret: it is shown once, so what is kept for a repeated request does not hold it. */
function secretRoutes(app: FastifyInstance, { access, control, fillRandom, now }: WebhookDoors): void {
  const keep = ({ secret: _, ...shown }: WebhookCreated): Webhook => shown;

  app.post<{ Params: { project: string }; Body: WebhookCreation }>(
    all,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 201: WebhookCreatedSchema },
        summary: "Create a webhook; the secret that signs its messages is shown once",
        params: pathParams("project"),
        body: WebhookCreationSchema,
      },
    },
    async (request, reply) => {
      const secret = newSigningSecret(fillRandom);
      return answerWrite<WebhookCreated>(control, request, reply, {
        status: 201,
        keep,
        decide: (workspace, at) => {
          const project = projectOf(workspace, request.params.project);
          return refuseParts(project, request.body) ?? createWebhook(project, request.body, secret, new Date(at).toISOString());
        },
      });
    },
  );

  app.post<{ Params: WebhookParams; Querystring: { reason?: string } }>(
    `${one}/secret`,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 201: WebhookCreatedSchema },
        summary: "Make a new signing secret; the one before signs beside it for a day",
        params,
        querystring: ReasonQuerySchema,
      },
    },
    async (request, reply) => {
      const secret = newSigningSecret(fillRandom);
      return answerWrite<WebhookCreated>(control, request, reply, {
        status: 201,
        keep,
        decide: (workspace) => rotateSecret(projectOf(workspace, request.params.project), request.params.webhook, secret, now()),
      });
    },
  );
}

interface DeliveryQuery extends PageQuery {
  readonly status?: DeliveryStatus;
}

const DeliveryQuerySchema: Schema<DeliveryQuery> = Type.Unsafe<DeliveryQuery>(
  Type.Object(
    { status: Type.Optional(oneOf<DeliveryStatus>(["pending", "delivered", "dead"])), ...pageFields() },
    { additionalProperties: false },
  ),
);

function deliveryRoutes(app: FastifyInstance, { access, control, store, courier, send, now }: WebhookDoors): void {
  app.get<{ Params: WebhookParams; Querystring: DeliveryQuery }>(
    `${one}/deliveries`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(WebhookDeliverySchema) },
        summary: "What became of a webhook's messages, the newest first",
        params,
        querystring: DeliveryQuerySchema,
      },
    },
    async ({ params: place, query: { status, limit = PAGE_LIMIT_DEFAULT, cursor } }) => {
      webhookOf(control.workspace, place.project, place.webhook);
      const after = decodeNumberedCursor("deliveries", cursor);
      const found = await store.list(place, {
        limit: limit + 1,
        ...(status === undefined ? {} : { status }),
        ...(after === undefined ? {} : { before: after }),
      });
      const page = found.slice(0, limit);
      const items = page.map(deliveryView);
      return found.length > limit ? { items, next: encodeCursor("deliveries", String(page.at(-1)?.order)) } : { items };
    },
  );

  app.post<{ Params: WebhookParams & { delivery: string } }>(
    `${one}/deliveries/:delivery/resend`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 202: WebhookDeliverySchema },
        summary: "Send a message again, whatever became of it",
        params: pathParams("project", "webhook", "delivery"),
      },
    },
    async ({ params: { project, webhook, delivery } }, reply) => {
      const place = { project, webhook };
      webhookOf(control.workspace, project, webhook);
      if (!(await store.revive(place, delivery, now()))) throw new ProblemError("delivery_not_found", { key: delivery });
      courier.wake();
      const revived = await store.get(place, delivery);
      return reply.code(202).send(revived === undefined ? undefined : deliveryView(revived));
    },
  );

  app.post<{ Params: WebhookParams }>(
    `${one}/test`,
    {
      onRequest: access.role("operator"),
      schema: {
        tags,
        response: { 200: TestAnswerSchema },
        summary: "Send a test message now and say what the receiver answered",
        params,
      },
    },
    async ({ id: requestId, params: { project, webhook } }): Promise<TestAnswer> => {
      const { body: document } = webhookOf(control.workspace, project, webhook);
      const { id, status, fault } = await sendTest(send, { project, webhook, document, requestId, at: now() });
      return {
        id,
        delivered: fault === undefined,
        ...(status === undefined ? {} : { status }),
        ...(fault === undefined ? {} : { fault }),
      };
    },
  );
}

/** What the receiver of a test message answered. */
interface TestAnswer {
  readonly id: string;
  readonly delivered: boolean;
  readonly status?: number;
  readonly fault?: string;
}

const TestAnswerSchema: Schema<TestAnswer> = Type.Object(
  {
    id: Type.String(),
    delivered: Type.Boolean(),
    status: Type.Optional(Type.Integer({ description: "HTTP status of the answer; absent where none came" })),
    fault: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

function webhookOf(workspace: Workspace, project: string, key: string): Held<WebhookDocument> {
  const held = projectOf(workspace, project).webhooks.get(key);
  if (held === undefined) throw new ProblemError("webhook_not_found", { key });
  return held;
}

function deliveryView({ id, webhook, type, createdAtMs, status, attempts, nextAttemptAtMs }: Delivery): WebhookDelivery {
  return {
    id,
    webhook,
    type,
    createdAt: new Date(createdAtMs).toISOString(),
    status,
    attempts,
    ...(nextAttemptAtMs === undefined ? {} : { nextAttemptAt: new Date(nextAttemptAtMs).toISOString() }),
  };
}

function webhookPrecondition({ project, webhook }: WebhookParams): TargetPrecondition {
  return projectPrecondition({ project, kind: "webhook", key: webhook }, ({ webhooks }) => webhooks.get(webhook));
}
