/* What a pull may ask for, from query string and headers to the store's words. */
import type { Schema } from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import { ProblemError } from "../http/problem.ts";
import { readTime } from "../http/times.ts";
import type { EventKind, EventQuery, PullFormat } from "../store/events/index.ts";
import { FORMAT_NAMES } from "./pull-formats.ts";

export interface FilterQuery {
  readonly environment?: string;
  readonly flag?: string;
  readonly experiment?: string;
  readonly release?: string;
  readonly variant?: string;
  readonly differs?: "true" | "false";
  readonly name?: string;
  readonly unit?: string;
  /** RFC 3339; by the server's clock, at which an event was received. */
  readonly from?: string;
  readonly to?: string;
}

/** A pull to be counted and printed, not made. */
export interface EstimateQuery extends FilterQuery {
  readonly format?: PullFormat;
}

export interface PullQuery extends EstimateQuery {
  readonly limit?: number;
  readonly cursor?: string;
}

const text = (description: string): Schema<string | undefined> =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 4_096, description }));

const COMMON_FILTERS = {
  environment: text("Only this environment"),
  unit: text("Only this unit"),
  from: text("Received at or after this moment, RFC 3339"),
  to: text("Received before this moment, RFC 3339"),
};

export const DIFFERS_FILTER: Schema<"true" | "false" | undefined> = Type.Optional(
  Type.Union([Type.Literal("true"), Type.Literal("false")], {
    description: "Only units that would have got another value outside their arm, or only those that would not",
  }),
);

const FILTERS = {
  exposures: {
    ...COMMON_FILTERS,
    flag: text("Only this flag"),
    experiment: text("Only this experiment"),
    release: text("Only this release"),
    variant: text("Only this variant"),
    differs: DIFFERS_FILTER,
  },
  metrics: { ...COMMON_FILTERS, name: text("Only events of this name") },
};

const FORMAT = Type.Optional(
  Type.Union(
    FORMAT_NAMES.map((name) => Type.Literal(name)),
    { description: "Goes before `accept`" },
  ),
);

const PAGING = {
  format: FORMAT,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: "At most so many rows" })),
  cursor: text("The `cursor` of the last row received: goes on after it"),
};

/** The query of a pull, and of its estimate. What a kind of events does not have is refused by name. */
export const pullQuerySchema = (kind: EventKind): Schema<PullQuery> =>
  Type.Unsafe<PullQuery>(Type.Object({ ...FILTERS[kind], ...PAGING }, { additionalProperties: false }));
export const estimateQuerySchema = (kind: EventKind): Schema<EstimateQuery> =>
  Type.Unsafe<EstimateQuery>(Type.Object({ ...FILTERS[kind], format: FORMAT }, { additionalProperties: false }));

/** What the caller can see of a project. */
export interface Sight {
  /** Environments of the caller's token; undefined when it may see all. */
  readonly visible: readonly string[] | undefined;
  readonly has: (environment: string) => boolean;
}

/**
 * The events a query means among those the caller may see.
 *
 * @throws `environment_not_found` for one that is not there or out of the token's scope, `invalid_field` for a moment that
 * is none.
 */
export function eventQueryOf(kind: EventKind, project: string, query: FilterQuery, { visible, has }: Sight): EventQuery {
  const { environment, from, to, flag, experiment, release, variant, differs, name, unit } = query;
  if (environment !== undefined && (visible?.includes(environment) === false || !has(environment))) {
    throw new ProblemError("environment_not_found", { key: environment });
  }
  const environments = environment === undefined ? visible : [environment];
  return defined({
    kind,
    project,
    environments,
    flag,
    experiment,
    release,
    variant,
    differs: differs === undefined ? undefined : differs === "true",
    name,
    unit,
    fromMs: readTime("from", from),
    toMs: readTime("to", to),
  });
}

/** Without the fields that are absent. */
function defined<T extends object>(value: { [Name in keyof T]: T[Name] | undefined }): T {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;
}
