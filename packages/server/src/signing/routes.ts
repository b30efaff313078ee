import type { SigningKey } from "@belay/protocol";
import { ReasonSchema, SigningKeySchema, SigningKeysSchema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import type { FillRandom } from "../flags/salts.ts";
import { answerWrite } from "../http/commands.ts";
import { pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { newSigningKey, replaceSigningKey, signingKeyView } from "./keys.ts";

export interface SigningDoors {
  readonly access: Pick<Access, "role">;
  readonly control: ControlPlane;
  readonly fillRandom: FillRandom;
}

const tags: readonly string[] = ["access"];

/** The keys that a project's records are signed with: their public halves, and a new one. */
export const signingRoutes: FastifyPluginAsync<SigningDoors> = async (app, { access, control, fillRandom }) => {
  const all = "/api/v1/projects/:project/signing-keys";

  app.get<{ Params: { project: string } }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        summary: "List the keys that records of the project were signed with; the one that is not retired signs",
        params: pathParams("project"),
        response: { 200: SigningKeysSchema },
      },
    },
    async ({ params: { project } }): Promise<{ items: readonly SigningKey[] }> => {
      const { signingKeys } = projectOf(control.workspace, project);
      return { items: [...signingKeys].map(([id, { body }]) => signingKeyView(id, body)) };
    },
  );

  app.get<{ Params: { project: string; key: string } }>(
    `${all}/:key`,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        summary: "The public key as PEM, as tools that verify read it",
        params: pathParams("project", "key"),
        response: { 200: { description: "PEM", content: { "application/x-pem-file": { schema: Type.String() } } } },
      },
    },
    async ({ params: { project, key } }, reply) => {
      const held = projectOf(control.workspace, project).signingKeys.get(key);
      if (held === undefined) throw new ProblemError("signing_key_not_found", { key });
      return reply.type("application/x-pem-file").send(held.body.publicKey);
    },
  );

  app.post<{ Params: { project: string }; Body: { reason?: string } }>(
    all,
    {
      onRequest: access.role("admin"),
      schema: {
        tags,
        summary: "Sign with a new key from now on; what older ones signed stays good",
        params: pathParams("project"),
        body: ReasonSchema,
        response: { 201: SigningKeySchema },
      },
    },
    async (request, reply) => {
      const made = newSigningKey(fillRandom);
      return answerWrite<SigningKey>(control, request, reply, {
        status: 201,
        decide: (workspace, at) =>
          replaceSigningKey(projectOf(workspace, request.params.project), made, new Date(at).toISOString()),
      });
    },
  );
};
