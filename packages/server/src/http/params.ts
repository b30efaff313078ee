import type { Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { EnvironmentState, ProjectState, Workspace } from "../state/workspace.ts";
import { PAGE_LIMIT_MAX } from "./cursor.ts";
import { ProblemError } from "./problem.ts";

/** Path parameters as schemas; whether such a thing exists is asked of the state, so any text passes here. */
export function pathParams<N extends string>(...names: readonly N[]): Schema<{ [name in N]: string }> {
  const text = Type.String({ maxLength: 512 });
  return Type.Unsafe<{ [name in N]: string }>(Type.Object(Object.fromEntries(names.map((name) => [name, text]))));
}

export interface PageQuery {
  readonly limit?: number;
  readonly cursor?: string;
}

export const PageQuerySchema: Schema<PageQuery> = Type.Unsafe<PageQuery>(
  Type.Object(pageFields(), { additionalProperties: false }),
);

/** The reason of a write that has no body. */
export const ReasonQuerySchema: Schema<{ reason?: string }> = Type.Object(
  { reason: Type.Optional(Type.String({ maxLength: 1_000 })) },
  { additionalProperties: false },
);

/** The project of a path; the access hook has found it before. */
export function projectOf(workspace: Workspace, key: string): ProjectState {
  const project = workspace.projects.get(key);
  if (project === undefined) throw new ProblemError("project_not_found", { key });
  return project;
}

export function environmentOf(project: ProjectState, key: string): EnvironmentState {
  const environment = project.environments.get(key);
  if (environment === undefined) throw new ProblemError("environment_not_found", { key });
  return environment;
}

/** `limit` and `cursor`, for the query of a list that has filters too. */
export function pageFields(): { limit: Schema<number | undefined>; cursor: Schema<string | undefined> } {
  return {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: PAGE_LIMIT_MAX })),
    cursor: Type.Optional(Type.String({ maxLength: 1_024 })),
  };
}
