import type {
  FrozenMetric,
  HoldoutPeriod,
  KeptOutRelease,
  KeptOutReport,
  ReleaseHoldout,
  ReleaseInterference,
} from "@belay/protocol";
import {
  KeptOutReportSchema,
  KeySchema,
  ReleaseHoldoutSchema,
  ReleaseInterferenceSchema,
  type Schema,
} from "@belay/protocol/schemas";
import { Type } from "@sinclair/typebox";
import type { FastifyPluginAsync } from "fastify";
import type { Access } from "../access/access.ts";
import type { ControlPlane } from "../control/control-plane.ts";
import { environmentOf, pathParams, projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import { isScreenable } from "../results/interactions.ts";
import { metricQueryOf } from "../results/question.ts";
import type { ProjectState, ReleaseDocument } from "../state/workspace.ts";
import type { EventStore } from "../store/events/index.ts";
import { heldRelease, type ReleasePlace } from "./document.ts";
import {
  addedUp,
  decayOf,
  heldOutSince,
  keepingOut,
  keptOutPercentage,
  type Period,
  periodEffect,
  periodsSince,
  questionOf,
} from "./holdout.ts";
import { overlapForecast, screenOf, sidesOf } from "./interference.ts";

export interface EffectDoors {
  readonly access: Pick<Access, "role">;
  readonly control: Pick<ControlPlane, "workspace">;
  readonly events: Pick<EventStore, "aggregate" | "pairs">;
  readonly now: () => number;
}

interface Params {
  readonly project: string;
  readonly environment: string;
  readonly release: string;
}

interface HoldoutQuery {
  readonly metric: string;
  readonly periodDays?: number;
}

interface KeptOutQuery {
  readonly metric: string;
  readonly tag?: string;
  readonly limit?: number;
}

interface InterferenceQuery {
  readonly metric?: string;
}

const HoldoutQuerySchema: Schema<HoldoutQuery> = Type.Object(
  { metric: KeySchema, periodDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 90 })) },
  { additionalProperties: false },
);

const KeptOutQuerySchema: Schema<KeptOutQuery> = Type.Object(
  {
    metric: KeySchema,
    tag: Type.Optional(Type.String({ maxLength: 128, description: "Only flags with this tag" })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 20, description: "At most so many releases; 10" })),
  },
  { additionalProperties: false },
);

const InterferenceQuerySchema: Schema<InterferenceQuery> = Type.Object(
  { metric: Type.Optional(KeySchema) },
  { additionalProperties: false },
);

const tags: readonly string[] = ["releases"];
const PERIOD_DAYS = 7;
const PERIODS_MAX = 60;
/** Each period of each release is a question to the event store: of many releases fewer and longer ones are asked for. */
const PERIODS_OF_MANY = 12;
const KEPT_OUT_LIMIT = 10;

interface Measuring {
  readonly metric: FrozenMetric;
  readonly fromMs: number;
  readonly nowMs: number;
  readonly days: number;
  readonly max: number;
}

/** What a release did to those who have it, and what else did something to them. */
export const effectRoutes: FastifyPluginAsync<EffectDoors> = async (app, { access, control, events, now }) => {
  const one = "/api/v1/projects/:project/environments/:environment/releases/:release";
  const params = pathParams("project", "environment", "release");
  const find = (at: Params): { readonly place: ReleasePlace; readonly body: ReleaseDocument } => {
    const project = projectOf(control.workspace, at.project);
    const place = { project, environment: environmentOf(project, at.environment), key: at.release };
    const held = heldRelease(place);
    if ("code" in held) throw new ProblemError(held.code, held.data);
    return { place, body: held.body };
  };

  app.get<{ Params: Params; Querystring: HoldoutQuery }>(
    `${one}/holdout`,
    {
      onRequest: access.role("analyst"),
      exposeHeadRoute: false,
      schema: {
        tags,
        summary: "Measure a finished release against the units it kept out, period by period, and whether the effect wears off",
        params,
        querystring: HoldoutQuerySchema,
        response: { 200: ReleaseHoldoutSchema },
      },
    },
    async ({ params: at, query: { metric: key, periodDays: days = PERIOD_DAYS } }): Promise<ReleaseHoldout> => {
      const { place, body } = find(at);
      const metric = metricOf(place.project, key);
      const fromMs = heldOutSince(place.key, body);
      if (typeof fromMs !== "number") throw new ProblemError(fromMs.code, fromMs.data);
      const nowMs = now();
      const measured = await measure(place, body, { metric, fromMs, nowMs, days, max: PERIODS_MAX });
      return { metric: key, at: new Date(nowMs).toISOString(), ...measured };
    },
  );

  app.get<{ Params: Omit<Params, "release">; Querystring: KeptOutQuery }>(
    "/api/v1/projects/:project/environments/:environment/kept-out",
    {
      onRequest: access.role("analyst"),
      exposeHeadRoute: false,
      schema: {
        tags,
        summary:
          "Measure finished releases against the units each of them kept out, those of one tag or all, with how each effect wears off and what they add up to",
        params: pathParams("project", "environment"),
        querystring: KeptOutQuerySchema,
        response: { 200: KeptOutReportSchema },
      },
    },
    async ({ params: at, query: { metric: key, tag, limit = KEPT_OUT_LIMIT } }): Promise<KeptOutReport> => {
      const project = projectOf(control.workspace, at.project);
      const environment = environmentOf(project, at.environment);
      const metric = metricOf(project, key);
      const nowMs = now();
      const found = keepingOut(project, environment, tag);
      const releases: KeptOutRelease[] = [];
      let lagMs = 0;
      for (const { key: release, body, fromMs } of found.slice(0, limit)) {
        const place = { project, environment, key: release };
        const span = { metric, fromMs, nowMs, days: PERIOD_DAYS, max: PERIODS_OF_MANY };
        const { lagMs: lag, periods: _, ...measured } = await measure(place, body, span);
        lagMs = Math.max(lagMs, lag);
        releases.push({ release, flag: body.flag, ...measured });
      }
      return {
        metric: key,
        ...(tag === undefined ? {} : { tag }),
        at: new Date(nowMs).toISOString(),
        lagMs,
        releases,
        more: found.length - releases.length,
        together: addedUp(releases.map(({ whole }) => whole.absolute)),
      };
    },
  );

  async function measure(
    { project, environment }: ReleasePlace,
    body: ReleaseDocument,
    { metric, fromMs, nowMs, ...length }: Measuring,
  ): Promise<Omit<ReleaseHoldout, "metric" | "at">> {
    let lagMs = 0;
    const effectIn = async (period: Period): Promise<HoldoutPeriod> => {
      const answer = await events.aggregate(questionOf(project, environment.key, body, { metric, period, nowMs }));
      lagMs = Math.max(lagMs, answer.lagMs);
      return periodEffect(metric, period, answer);
    };
    const periods: HoldoutPeriod[] = [];
    for (const period of periodsSince(fromMs, nowMs, length)) periods.push(await effectIn(period));
    const whole = await effectIn({ fromMs, untilMs: nowMs });
    const from = new Date(fromMs).toISOString();
    return { percentage: keptOutPercentage(body), from, lagMs, whole, periods, decay: decayOf(periods) };
  }

  app.get<{ Params: Params; Querystring: InterferenceQuery }>(
    `${one}/interference`,
    {
      onRequest: access.role("analyst"),
      exposeHeadRoute: false,
      schema: {
        tags,
        summary:
          "What else changes the release's units: a forecast of the overlap stage by stage, and by a metric whether the effects change each other",
        params,
        querystring: InterferenceQuerySchema,
        response: { 200: ReleaseInterferenceSchema },
      },
    },
    async ({ params: at, query: { metric: key } }): Promise<ReleaseInterference> => {
      const { place, body } = find(at);
      const forecast = overlapForecast(place, body);
      if (key === undefined) return { forecast };
      const metric = metricOf(place.project, key);
      if (!isScreenable(metric)) {
        const reason = "pairs are screened by a proportion, a count or a sum";
        throw new ProblemError("invalid_field", { field: "metric", received: key, reason });
      }
      const sides = sidesOf(place, body);
      const { covariateMs: _, ...query } = metricQueryOf(metric, {});
      const request = { project: place.project.key, environment: place.environment.key, experiments: sides, metric: query };
      const { cells, lagMs } = await events.pairs(request);
      const pairs = screenOf(sides, cells);
      return { forecast, screen: { metric: key, at: new Date(now()).toISOString(), lagMs, pairs } };
    },
  );
};

function metricOf({ metrics }: ProjectState, key: string): FrozenMetric {
  const held = metrics.get(key);
  if (held === undefined) throw new ProblemError("metric_not_found", { key });
  return { key, ...held.body };
}
