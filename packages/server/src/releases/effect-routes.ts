import type { FrozenMetric, ReleaseHoldout, ReleaseInterference } from "@belay/protocol";
import { KeySchema, ReleaseHoldoutSchema, ReleaseInterferenceSchema, type Schema } from "@belay/protocol/schemas";
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
import { decayOf, heldOutSince, keptOutPercentage, type Period, periodEffect, periodsSince, questionOf } from "./holdout.ts";
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

interface InterferenceQuery {
  readonly metric?: string;
}

const HoldoutQuerySchema: Schema<HoldoutQuery> = Type.Object(
  { metric: KeySchema, periodDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 90 })) },
  { additionalProperties: false },
);

const InterferenceQuerySchema: Schema<InterferenceQuery> = Type.Object(
  { metric: Type.Optional(KeySchema) },
  { additionalProperties: false },
);

const tags: readonly string[] = ["releases"];
const PERIOD_DAYS = 7;

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
    async ({ params: at, query: { metric: key, periodDays = PERIOD_DAYS } }): Promise<ReleaseHoldout> => {
      const { place, body } = find(at);
      const metric = metricOf(place.project, key);
      const fromMs = heldOutSince(place.key, body);
      if (typeof fromMs !== "number") throw new ProblemError(fromMs.code, fromMs.data);
      const nowMs = now();
      let lagMs = 0;
      const measure = async (period: Period) => {
        const question = questionOf(place.project, place.environment.key, body, { metric, period, nowMs });
        const answer = await events.aggregate(question);
        lagMs = Math.max(lagMs, answer.lagMs);
        return periodEffect(metric, period, answer);
      };
      const periods = [];
      for (const period of periodsSince(fromMs, nowMs, periodDays)) periods.push(await measure(period));
      const whole = await measure({ fromMs, untilMs: nowMs });
      return {
        metric: key,
        percentage: keptOutPercentage(body),
        from: new Date(fromMs).toISOString(),
        at: new Date(nowMs).toISOString(),
        lagMs,
        whole,
        periods,
        decay: decayOf(periods),
      };
    },
  );

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
