import type { SdkKey, SdkKeyCreated, SdkKeyCreation, SecretRotation, TokenCreated, TokenCreation } from "@belay/protocol";
import {
  pageSchema,
  SdkKeyCreatedSchema,
  SdkKeyCreationSchema,
  SdkKeySchema,
  SecretRotationSchema,
  TokenCreatedSchema,
  TokenCreationSchema,
  TokenSchema,
} from "@belay/protocol/schemas";
import type { FastifyInstance, FastifyPluginAsync } from "fastify";
import type { ControlPlane } from "../control/control-plane.ts";
import type { FillRandom } from "../flags/salts.ts";
import { answerWrite } from "../http/commands.ts";
import { pageByKey } from "../http/cursor.ts";
import { type PageQuery, PageQuerySchema, pathParams, projectOf, ReasonQuerySchema } from "../http/params.ts";
import { type Access, reaches } from "./access.ts";
import {
  createSdkKey,
  createToken,
  revokeSdkKey,
  revokeToken,
  rotateSdkKey,
  rotateToken,
  sdkKeyView,
  tokenView,
} from "./domain.ts";
import { newSecret, secretOf } from "./secrets.ts";
import type { UseBook } from "./use-book.ts";

export interface AccessDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly fillRandom: FillRandom;
  readonly uses: Pick<UseBook, "shown">;
}

/** SDK keys and access tokens: shown once when made, listed without their secret, revoked for good. */
export const accessRoutes: FastifyPluginAsync<AccessDoors> = async (app, doors) => {
  keyRoutes(app, doors);
  tokenRoutes(app, doors);
};

function keyRoutes(app: FastifyInstance, { access, control, fillRandom, uses }: AccessDoors): void {
  const all = "/api/v1/projects/:project/keys";
  const tags = ["keys"];

  app.get<{ Params: { project: string }; Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(SdkKeySchema) },
        summary: "List SDK keys, without their secrets",
        params: pathParams("project"),
        querystring: PageQuerySchema,
      },
    },
    async ({ params: { project }, actor, query }) => {
      const own = [...control.workspace.sdkKeys.values()].filter((placed) => placed.project === project);
      const visible = own.filter(({ document }) => actor !== undefined && reaches(actor, document.environment));
      return keyed(
        pageByKey(
          "keys",
          visible.map((placed) => ({ ...sdkKeyView(placed), ...uses.shown("sdk-key", placed.id), key: placed.id })),
          query,
        ),
      );
    },
  );

  app.post<{ Params: { project: string }; Body: SdkKeyCreation }>(
    all,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 201: SdkKeyCreatedSchema },
        summary: "Create an SDK key; its secret is shown once",
        params: pathParams("project"),
        body: SdkKeyCreationSchema,
      },
    },
    async (request, reply) => {
      const secret = newSecret(request.body.kind, fillRandom);
      return answerWrite<SdkKeyCreated>(control, request, reply, {
        status: 201,
        keep: withoutSecret,
        decide: (workspace, now) =>
          createSdkKey(projectOf(workspace, request.params.project), request.body, secret, new Date(now).toISOString()),
      });
    },
  );

  app.post<{ Params: { project: string; key: string }; Body: SecretRotation }>(
    `${all}/:key/rotate`,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: SdkKeyCreatedSchema },
        summary: "Give an SDK key a new secret, shown once; the one of now works on for a while",
        params: pathParams("project", "key"),
        body: SecretRotationSchema,
      },
    },
    async (request, reply) => {
      const id = request.params.key;
      const kind = control.workspace.sdkKeys.get(id)?.document.kind ?? "server";
      const secret = secretOf(kind, id, fillRandom);
      return answerWrite<SdkKeyCreated>(control, request, reply, {
        keep: withoutSecret,
        decide: (workspace, now) =>
          rotateSdkKey(workspace, projectOf(workspace, request.params.project), secret, {
            now,
            overlapHours: request.body.overlapHours,
          }),
      });
    },
  );

  app.delete<{ Params: { project: string; key: string } }>(
    `${all}/:key`,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: SdkKeySchema },
        summary: "Revoke an SDK key and cut its streams",
        params: pathParams("project", "key"),
        querystring: ReasonQuerySchema,
      },
    },
    async (request, reply) =>
      answerWrite<SdkKey>(control, request, reply, {
        decide: (workspace) => revokeSdkKey(workspace, projectOf(workspace, request.params.project), request.params.key),
      }),
  );
}

function tokenRoutes(app: FastifyInstance, { access, control, fillRandom, uses }: AccessDoors): void {
  const all = "/api/v1/tokens";
  const tags = ["tokens"];

  app.get<{ Querystring: PageQuery }>(
    all,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: pageSchema(TokenSchema) },
        summary: "List access tokens, without their secrets",
        querystring: PageQuerySchema,
      },
    },
    async ({ query }) =>
      keyed(
        pageByKey(
          "tokens",
          [...control.workspace.tokens].map(([id, held]) => ({ ...tokenView(id, held), ...uses.shown("token", id), key: id })),
          query,
        ),
      ),
  );

  app.post<{ Body: TokenCreation }>(
    all,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 201: TokenCreatedSchema },
        summary: "Create an access token; its secret is shown once",
        body: TokenCreationSchema,
      },
    },
    async (request, reply) => {
      const secret = newSecret("token", fillRandom);
      return answerWrite<TokenCreated>(control, request, reply, {
        status: 201,
        keep: withoutSecret,
        decide: (workspace, now) => createToken(workspace, request.body, secret, new Date(now).toISOString()),
      });
    },
  );

  app.post<{ Params: { token: string }; Body: SecretRotation }>(
    `${all}/:token/rotate`,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: TokenCreatedSchema },
        summary: "Give an access token a new secret, shown once; the one of now works on for a while",
        params: pathParams("token"),
        body: SecretRotationSchema,
      },
    },
    async (request, reply) => {
      const secret = secretOf("token", request.params.token, fillRandom);
      const { overlapHours } = request.body;
      return answerWrite<TokenCreated>(control, request, reply, {
        keep: withoutSecret,
        decide: (workspace, now) => rotateToken(workspace, secret, { now, overlapHours }),
      });
    },
  );

  app.delete<{ Params: { token: string } }>(
    `${all}/:token`,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        response: { 200: TokenSchema },
        summary: "Revoke an access token",
        params: pathParams("token"),
        querystring: ReasonQuerySchema,
      },
    },
    async (request, reply) =>
      answerWrite(control, request, reply, { decide: (workspace) => revokeToken(workspace, request.params.token) }),
  );
}

/** A secret is shown once: what is kept for a repeated request must not hold it. */
function withoutSecret<T extends { readonly secret?: string }>({ secret: _, ...shown }: T): Omit<T, "secret"> {
  return shown;
}

function keyed<T extends { readonly key: string }>(page: {
  readonly items: readonly T[];
  readonly next?: string;
}): {
  items: Omit<T, "key">[];
  next?: string;
} {
  return { ...page, items: page.items.map(({ key: _, ...item }) => item) };
}
