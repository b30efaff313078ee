import type { CumulativeReport, HoldoutReport } from "@belay/protocol";
import type { ControlPlane } from "../control/control-plane.ts";
import { projectOf } from "../http/params.ts";
import { ProblemError } from "../http/problem.ts";
import type { EventStore } from "../store/events/index.ts";
import { metricQueryOf } from "./question.ts";
import { cumulativeReport, holdoutReport } from "./shipped.ts";

/** Gathers what reports on all that shipped are computed from. */
export interface ShippedService {
  readonly holdout: (of: HoldoutQuestion) => Promise<HoldoutReport>;
  readonly cumulative: (of: CumulativeQuestion) => Promise<CumulativeReport>;
}

export interface HoldoutQuestion {
  readonly project: string;
  readonly holdout: string;
  readonly environment: string;
  readonly metric: string;
}

export interface CumulativeQuestion extends Omit<HoldoutQuestion, "holdout"> {
  /** Also what this holdout shows. */
  readonly holdout?: string;
  /** Decided from this moment on, and before that one. */
  readonly fromMs?: number;
  readonly untilMs?: number;
}

export interface ShippedOptions {
  readonly control: Pick<ControlPlane, "workspace">;
  readonly events: Pick<EventStore, "aggregate">;
  readonly now: () => number;
}

export function createShipped({ control, events, now }: ShippedOptions): ShippedService {
  async function holdout({ project, holdout: key, environment, metric }: HoldoutQuestion): Promise<HoldoutReport> {
    const state = projectOf(control.workspace, project);
    const held = state.holdouts.get(key)?.body;
    if (held === undefined) throw new ProblemError("holdout_not_found", { key });
    const measured = state.metrics.get(metric)?.body;
    if (measured === undefined) throw new ProblemError("metric_not_found", { key: metric });
    const { createdAt, endedAt, share, space } = held;
    const atMs = endedAt === undefined ? now() : Math.min(now(), Date.parse(endedAt));
    const { lagMs, ...aggregate } = await events.aggregate({
      project,
      environment,
      subject: { holdout: { salt: space.salt, share } },
      fromMs: Date.parse(createdAt),
      ...(endedAt === undefined ? {} : { untilMs: atMs }),
      asOfMs: atMs,
      segments: [],
      metrics: [metricQueryOf({ key: metric, ...measured }, {})],
    });
    return holdoutReport({
      ...{ holdout: key, environment, from: createdAt, at: new Date(atMs).toISOString(), lagMs },
      metric: { key: metric, ...measured },
      share,
      aggregate,
    });
  }

  async function cumulative({ holdout: key, ...of }: CumulativeQuestion): Promise<CumulativeReport> {
    const state = projectOf(control.workspace, of.project);
    if (!state.metrics.has(of.metric)) throw new ProblemError("metric_not_found", { key: of.metric });
    const shown = key === undefined ? undefined : await holdout({ ...of, holdout: key });
    const at = new Date(now()).toISOString();
    return cumulativeReport(state, { ...of, at, ...(shown === undefined ? {} : { holdout: shown }) });
  }

  return { holdout, cumulative };
}
