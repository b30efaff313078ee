import type { Change, Page } from "@belay/protocol";
import { ChangeSchema, pageSchema, type Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import { type Access, reaches } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { decodeNumberedCursor, encodeCursor, PAGE_LIMIT_DEFAULT } from "../http/cursor.ts";
import { type PageQuery, pageFields, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { readTime } from "../http/times.ts";
import type { ChangeFilter, ChangeLog } from "../store/changes/index.ts";
import { changeView } from "./views.ts";

export interface AuditDoors {
  readonly access: Access;
  readonly control: ControlPlane;
  readonly log: ChangeLog;
}

interface ChangesQuery extends PageQuery {
  readonly environment?: string;
  readonly actor?: string;
  readonly action?: string;
  readonly kind?: string;
  readonly key?: string;
  readonly from?: string;
  readonly to?: string;
}

const text = Type.Optional(Type.String({ maxLength: 256 }));

const ChangesQuerySchema: Schema<ChangesQuery> = Type.Unsafe<ChangesQuery>(
  Type.Object(
    {
      ...pageFields(),
      environment: Type.Optional(Type.String({ description: "Changes that made a revision there" })),
      actor: Type.Optional(Type.String({ description: "Id of a token" })),
      action: Type.Optional(Type.String({ description: "For example `rollout.set`" })),
      kind: Type.Optional(Type.String({ description: "Kind of the target: flag, segment, sdk-key, environment, project" })),
      key: Type.Optional(Type.String({ description: "Key of the target" })),
      from: Type.Optional(Type.String({ description: "At or after; RFC 3339" })),
      to: text,
    },
    { additionalProperties: false },
  ),
);

const tags: readonly string[] = ["changes"];
const LIST = "changes";

/** The audit log: who changed what, when and why, with the thing before and after. */
export const auditRoutes: FastifyPluginAsync<AuditDoors> = async (app, { access, control, log }) => {
  const all = "/api/v1/projects/:project/changes";

  app.get<{ Params: { project: string }; Querystring: ChangesQuery }>(
    all,
    {
      onRequest: access.role("viewer"),
      schema: {
        tags,
        response: { 200: pageSchema(ChangeSchema) },
        summary: "List changes, newest first",
        params: pathParams("project"),
        querystring: ChangesQuerySchema,
      },
    },
    async ({ params: { project }, actor, query }): Promise<Page<Change>> => {
      const { limit = PAGE_LIMIT_DEFAULT, environment } = query;
      const has = (wanted: string): boolean => projectOf(control.workspace, project).environments.has(wanted);
      // A mistyped one would look like an environment in which nothing ever happened.
      if (environment !== undefined && !(has(environment) && (actor === undefined || reaches(actor, environment))))
        throw new ProblemError("environment_not_found", { key: environment });
      const found = await log.changes(filterOf(project, actor?.environments, query), limit + 1);
      const items = found.slice(0, limit).map(changeView);
      return { items, ...(found.length > limit ? { next: encodeCursor(LIST, String(items.at(-1)?.id)) } : {}) };
    },
  );

  app.get<{ Params: { project: string; change: string } }>(
    `${all}/:change`,
    {
      onRequest: access.role("viewer"),
      schema: { tags, response: { 200: ChangeSchema }, summary: "Read a change", params: pathParams("project", "change") },
    },
    async ({ params: { project, change: id }, actor }) => {
      const change = /^\d{1,15}$/.test(id) ? await log.change(Number(id)) : undefined;
      const isVisible = change?.environment === undefined || (actor?.environments?.includes(change.environment) ?? true);
      if (change === undefined || change.project !== project || !isVisible)
        throw new ProblemError("change_not_found", { key: id });
      return changeView(change);
    },
  );
};

function filterOf(project: string, visibleEnvironments: readonly string[] | undefined, query: ChangesQuery): ChangeFilter {
  const { environment, actor, action, kind, key } = query;
  const filter = {
    project,
    visibleEnvironments,
    environment,
    actor,
    action,
    targetKind: kind,
    targetKey: key,
    from: readTime("from", query.from),
    to: readTime("to", query.to),
    olderThan: decodeNumberedCursor(LIST, query.cursor),
  };
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined)) as unknown as ChangeFilter;
}
